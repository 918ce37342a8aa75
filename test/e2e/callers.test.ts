import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { request } from 'node:http'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { serviceOf } from '../support/http-service.ts'
import { RawClient } from '../support/raw-client.ts'
import type { RawAnswer } from '../support/raw-client.ts'
import { accessToken, jwkSet, signingKey } from '../support/token-issuer.ts'
import type { SigningKey } from '../support/token-issuer.ts'
import { readyListeners, startVelum, workFolder } from '../support/velum-process.ts'
import type { VelumProcess } from '../support/velum-process.ts'

const config = readFileSync(new URL('callers.yaml', import.meta.url), 'utf8')

interface Gateway {
  base(): string
  readonly velum: VelumProcess
  /** The keys that the issuer publishes; none: it answers with 500. */
  published: SigningKey[]
  ask(head: string, content?: string): Promise<RawAnswer>
  /** The header lines that the service got, names in lower case, of a request that was answered by it. */
  serviceSaw(head: string, content?: string): Promise<string[]>
}

/** A gateway with one worker, an issuer, and a service that answers with the header lines it got. */
async function gateway(t: TestContext, published: SigningKey[]): Promise<Gateway> {
  const upstream = await serviceOf(t, (incoming, response) => {
    if (incoming.url === '/untold/events') response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\n')
    else incoming.resume().on('end', () => response.end(JSON.stringify(incoming.rawHeaders)))
  })
  const issuer = await serviceOf(t, (_request, response) => {
    response.statusCode = self.published.length === 0 ? 500 : 200
    response.end(jwkSet(...self.published))
  })
  const folder = workFolder(t)
  folder.write('velum.config.yaml', config)
  const env = { UPSTREAM: upstream, ISSUER: `${issuer}/jwks.json`, KEY_HASH: createHash('sha256').update('secret').digest('hex') }
  const velum = startVelum(t, ['run', '--workers', '1'], { folder: folder.path, env })
  const self: Gateway = {
    velum,
    base: () => listeners.web,
    published,
    async ask(head, content = '') {
      const client = await RawClient.to(Number(new URL(listeners.web).port))
      const [line, ...lines] = head.split('\n')
      client.send([`${line} HTTP/1.1`, 'Host: api.example.com', ...lines, '', content].join('\r\n'))
      const answer = await client.answer()
      client.close()
      return answer!
    },
    async serviceSaw(head, content) {
      const answer = await self.ask(head, content)
      assert.equal(answer.status, 200, answer.content)
      const raw = JSON.parse(answer.content) as string[]
      return raw.flatMap((name, i) => (i % 2 === 0 ? [`${name.toLowerCase()}: ${raw[i + 1]}`] : []))
    },
  }
  const listeners = await readyListeners(velum)
  return self
}

const key = signingKey('ES256')
const token = (claims: object = {}, by = key): string =>
  accessToken(by, Date.now(), { scope: 'orders:read', tenant: 'acme', ...claims })

const told = (lines: readonly string[]): string[] => lines.filter((line) => line.startsWith('x-auth-'))

test('callers over real sockets', async (t) => {
  const node = await gateway(t, [key])

  await t.test('a service that is told by headers learns who is calling', async () => {
    const lines = await node.serviceSaw(`GET /orders\nAuthorization: Bearer ${token()}`)
    assert.deepEqual(told(lines), [
      'x-auth-subject: user-1',
      'x-auth-tenant: acme',
      'x-auth-client: client-1',
      'x-auth-scopes: orders:read',
    ])
    assert.equal(
      lines.some((line) => line.startsWith('authorization')),
      false,
    )
    const byKey = await node.serviceSaw('GET /orders\nX-Api-Key: secret')
    assert.deepEqual(told(byKey), ['x-auth-subject: worker', 'x-auth-client: worker', 'x-auth-scopes: orders:read'])
    assert.equal(
      byKey.some((line) => line.startsWith('x-api-key')),
      false,
    )
  })

  await t.test('no spelling of an identity header, and no credential, gets through from outside', async () => {
    const hostile =
      'x-auth-subject X-AUTH-SUBJECT X_Auth_Subject x-auth_roles X_AUTH_TENANT x-Auth-Scopes x_auth_client ' +
      'X-Forwarded-User x_forwarded_email Remote_User X-Remote-User x-forwarded-client-cert'
    const lines = hostile.split(' ').map((name) => `${name}: admin`)
    for (const path of ['/orders', '/untold', '/passed']) {
      const seen = await node.serviceSaw(
        [`GET ${path}`, `Authorization: Bearer ${token()}`, 'Cookie: a=1; __Host-Http-velum=s', ...lines].join('\n'),
      )
      assert.equal(
        seen.some((line) => line.includes('admin')),
        false,
        seen.join('\n'),
      )
      assert.ok(seen.includes('cookie: a=1'))
    }
  })

  await t.test('a bearer token goes on only to a service that is meant to see it', async () => {
    const bearer = token()
    const passed = await node.serviceSaw(`GET /passed\nAuthorization: Bearer ${bearer}\nX-Api-Key: secret`)
    assert.ok(passed.includes(`authorization: Bearer ${bearer}`))
    assert.equal(
      passed.some((line) => line.startsWith('x-api-key')),
      false,
    )
    const untold = await node.serviceSaw(`GET /untold\nAuthorization: Bearer ${bearer}`)
    assert.equal(
      untold.some((line) => line.startsWith('authorization') || line.startsWith('x-auth')),
      false,
    )
  })

  const refusals: readonly (readonly [name: string, lines: () => readonly string[], status: number])[] = [
    ['nothing', () => [], 401],
    ['an expired token', () => [`Authorization: Bearer ${token({ iat: 1, exp: 2 })}`], 401],
    ['a forged token', () => [`Authorization: Bearer ${token({}, { ...signingKey('ES256'), kid: key.kid })}`], 401],
    ['a token of an unknown key', () => [`Authorization: Bearer ${token({}, signingKey('ES256', 'other'))}`], 401],
    ['a token for somebody else', () => [`Authorization: Bearer ${token({ aud: 'https://other.example.com' })}`], 401],
    ['a token of another tenant', () => [`Authorization: Bearer ${token({ tenant: 'globex' })}`], 401],
    ['an invalid token beside a valid key', () => ['Authorization: Bearer x', 'X-Api-Key: secret'], 401],
    ['an unknown key', () => ['X-Api-Key: Secret'], 401],
    ['two Authorization lines', () => [`Authorization: Bearer ${token()}`, `Authorization: Bearer ${token()}`], 400],
    ['a token without the scope', () => [`Authorization: Bearer ${token({ scope: 'billing:read' })}`], 403],
  ]
  for (const [name, lines, status] of refusals) {
    await t.test(`${name} is ${status}`, async () => {
      const answer = await node.ask(['GET /orders', 'Origin: https://app.example.com', ...lines()].join('\n'))
      assert.equal(answer.status, status)
      assert.equal(answer.fields.get('content-type'), 'application/problem+json')
      assert.equal(answer.fields.get('access-control-allow-origin'), 'https://app.example.com', 'so that a page can read it')
      assert.equal(answer.fields.has('www-authenticate'), status !== 400)
      assert.equal((JSON.parse(answer.content) as { policy: string }).policy, 'auth')
    })
  }

  await t.test('a stream ends soon after the token that it was asked by, and not before', async () => {
    const exp = Math.ceil(Date.now() / 1000) + 2
    const headers = { authorization: `Bearer ${token({ exp })}` }
    const sent = request(new URL('/untold/events', node.base()), { headers, agent: false }).end()
    const endedAt = await new Promise<number>((resolve, reject) => {
      sent.on('error', reject).on('response', (response) => {
        if (response.statusCode !== 200) reject(new Error(`the answer is ${response.statusCode}`))
        response
          .resume()
          .on('error', () => resolve(Date.now()))
          .on('end', () => reject(new Error('it ended as if complete')))
      })
    })
    assert.ok(endedAt >= exp * 1000)
  })

  await t.test('a preflight is answered before authentication', async () => {
    const answer = await node.ask('OPTIONS /orders\nOrigin: https://app.example.com\nAccess-Control-Request-Method: PUT')
    assert.equal(answer.status, 204)
    assert.equal(answer.fields.get('access-control-allow-methods'), 'PUT')
    const stranger = await node.ask('OPTIONS /orders\nOrigin: https://evil.example\nAccess-Control-Request-Method: PUT')
    assert.equal(stranger.status, 403)
    assert.equal(stranger.fields.has('access-control-allow-origin'), false)
  })

  await t.test('bodies are bounded by length and type, addresses by list', async () => {
    assert.equal((await node.ask('POST /open\nContent-Type: text/plain\nContent-Length: 11', '12345678901')).status, 413)
    assert.equal(
      (await node.ask('POST /open\nContent-Type: text/plain\nTransfer-Encoding: chunked', 'b\r\n12345678901\r\n0\r\n\r\n')).status,
      413,
    )
    assert.equal((await node.ask('POST /open\nContent-Type: text/html\nContent-Length: 1', '1')).status, 415)
    assert.equal((await node.ask('POST /open\nContent-Type: text/plain\nContent-Length: 10', '1234567890')).status, 200)
    assert.equal((await node.ask('GET /office')).status, 403)
  })

  await t.test('when the issuer withdraws a key, a token that was accepted a moment ago is not any more', async () => {
    const old = token()
    assert.equal((await node.ask(`GET /orders\nAuthorization: Bearer ${old}`)).status, 200)
    const next = signingKey('ES256', 'key-2')
    node.published = [next]
    node.velum.kill('SIGHUP')
    await node.velum.printed(/the configuration was replaced/)
    assert.equal((await node.ask(`GET /orders\nAuthorization: Bearer ${token({}, next)}`)).status, 200)
    assert.equal((await node.ask(`GET /orders\nAuthorization: Bearer ${old}`)).status, 401)
  })
})

test('while the keys of an issuer cannot be had, its tokens are 503 and everything else works', async (t) => {
  const node = await gateway(t, [])
  const answer = await node.ask(`GET /orders\nAuthorization: Bearer ${token()}`)
  assert.equal(answer.status, 503)
  assert.equal(answer.fields.get('retry-after'), '1')
  assert.equal((await node.ask('GET /orders\nX-Api-Key: secret')).status, 200)
  assert.equal((await node.ask('GET /orders\nAuthorization: Bearer junk')).status, 401)
})
