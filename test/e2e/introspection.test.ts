import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { upstreamOf } from '../support/identity-fleet.ts'
import { readyListeners, startVelum, workFolder } from '../support/velum-process.ts'

const config = `name: introspection
listeners: { web: { port: 0, host: 127.0.0.1 } }
log: { format: none }
services: { told: { url: '\${UPSTREAM}' } }
identity:
  trustedIssuers:
    opaque:
      issuer: https://issuer.example.com
      audience: https://api.example.com
      introspection: { endpoint: '\${ENDPOINT}', clientId: velum, clientSecret: '\${SECRET}', timeout: 300ms, cache: 0s }
    kept:
      issuer: https://kept.example.com
      audience: https://api.example.com
      introspection: { endpoint: '\${ENDPOINT}', clientId: velum, clientSecret: '\${SECRET}', timeout: 300ms, prefix: kept_, cache: 1s, onFailure: { stale: 1h } }
routes:
  - { name: a, match: { path: /a }, to: told, auth: { any: [bearer] } }
`

const good = { active: true, sub: 'user-1', aud: 'https://api.example.com' }
const tells =
  (answer: unknown) =>
  (response: ServerResponse): void =>
    void response.setHeader('content-type', 'application/json').end(JSON.stringify(answer))

test('an issuer is asked about its tokens over real sockets: good, bad, slow and down', async (t) => {
  const asked: { incoming: IncomingMessage; form: URLSearchParams }[] = []
  let says: (response: ServerResponse) => void = tells(good)
  const issuer = createServer((incoming, response) => {
    let text = ''
    incoming.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
    incoming.on('end', () => {
      asked.push({ incoming, form: new URLSearchParams(text) })
      says(response)
    })
  }).listen(0, '127.0.0.1')
  await once(issuer, 'listening')
  t.after(() => {
    issuer.closeAllConnections()
    issuer.close()
  })
  const folder = workFolder(t)
  folder.write('velum.config.yaml', config)
  const env = {
    UPSTREAM: await upstreamOf(t),
    ENDPOINT: `http://127.0.0.1:${(issuer.address() as AddressInfo).port}/introspect`,
    SECRET: 'a secret that nobody prints',
  }
  const velum = startVelum(t, ['run', '--workers', '1'], { folder: folder.path, env })
  const { web } = await readyListeners(velum)
  const statusOf = async (token: string): Promise<number> => {
    const response = await fetch(new URL('/a', web), { headers: { authorization: `Bearer ${token}` } })
    await response.text()
    return response.status
  }

  assert.equal(await statusOf('token-1'), 200)
  const [{ incoming, form }] = asked
  assert.equal(`${incoming.method} ${incoming.url}`, 'POST /introspect')
  assert.equal(incoming.headers['content-type'], 'application/x-www-form-urlencoded')
  assert.equal(incoming.headers.authorization, `Basic ${Buffer.from('velum:a+secret+that+nobody+prints').toString('base64')}`)
  assert.equal(form.get('token'), 'token-1')

  says = tells({ active: false })
  assert.equal(await statusOf('token-1'), 401)
  assert.equal(await statusOf('kept_bad'), 401)
  says = tells(good)
  assert.equal(await statusOf('kept_good'), 200)

  await t.test('a slow answer, a redirect and an error are 503, and nobody is let in', async () => {
    for (const say of [
      (): void => {},
      (response: ServerResponse): void => void response.writeHead(307, { location: '/elsewhere' }).end(),
      (response: ServerResponse): void => void response.writeHead(500).end(),
      (response: ServerResponse): void => void response.writeHead(200).end('<html>'),
      (response: ServerResponse): void => void response.socket!.destroy(),
    ]) {
      says = say
      assert.equal(await statusOf('token-2'), 503)
    }
    assert.equal(
      asked.some(({ incoming: { url } }) => url === '/elsewhere'),
      false,
    )
  })

  await t.test('while the issuer is down, what was good goes on where that was configured', async () => {
    issuer.closeAllConnections()
    await new Promise((resolve) => issuer.close(resolve))
    assert.equal(await statusOf('kept_good'), 200)
    assert.equal(await statusOf('kept_unknown'), 503)
    assert.equal(await statusOf('token-1'), 503)
  })
  assert.equal(velum.err.includes(env.SECRET), false)
  assert.equal(/token-1|kept_good/.test(velum.err), false)
})
