import assert from 'node:assert/strict'
import { createHash, createPublicKey, verify } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer, request } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { systemClock } from '../../src/core/clock.ts'
import { silentLog } from '../../src/core/log.ts'
import { newCredential, secretHash } from '../../src/identity/credential-text.ts'
import { sessionRecord } from '../../src/identity/session-record.ts'
import { openSqliteStores } from '../../src/stores/sqlite/sqlite-stores.ts'
import { claimsOf } from '../support/identity-world.ts'
import { readyListeners, startVelum, workFolder } from '../support/velum-process.ts'

const config = readFileSync(new URL('identity.yaml', import.meta.url), 'utf8')

interface Jwk {
  readonly kid: string
  readonly kty: string
  readonly [member: string]: string
}

interface Reply {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly content: string
}

/** The service. */
function answer(incoming: IncomingMessage, response: ServerResponse): void {
  if (incoming.url === '/orders/stream')
    return void response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\n')
  incoming.resume().on('end', () => response.end(JSON.stringify(incoming.headers)))
}

/** A service that answers with the header lines it got; below /orders/stream it goes on for ever. */
async function upstreamOf(t: TestContext): Promise<string> {
  const server = createServer(answer).listen(0, '127.0.0.1')
  server.on('upgrade', (_incoming, socket) => {
    socket.on('error', () => undefined)
    socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n')
  })
  await new Promise((resolve) => server.once('listening', resolve))
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** A session in the store of a gateway that does not run yet; gives its cookie. */
async function seedSession(folder: string, subject: string): Promise<{ id: string; cookie: string }> {
  const { stores } = await openSqliteStores({ folder: join(folder, '.velum'), name: 'test', clock: systemClock, log: silentLog })
  const { id, secret, text } = newCredential()
  const now = Date.now()
  const value = {
    secret: secretHash(secret),
    subject,
    roles: ['staff'],
    methods: ['pwd'],
    generation: 0,
    device: 'Test',
    address: '',
    startedAt: now,
    seenAt: now,
    endsAt: now + 3_600_000,
  }
  await stores.records.create(sessionRecord(id, value, { idleMs: 1_800_000, absoluteMs: 3_600_000, sameSite: 'lax' }))
  await stores.close()
  return { id, cookie: `__Host-Http-velum=${text}` }
}

async function ask(base: string, method: string, path: string, headers: Record<string, string> = {}, content = ''): Promise<Reply> {
  return new Promise((resolve, reject) => {
    // A connection of its own each time, so that requests spread over the workers.
    const sent = request(new URL(path, base), { method, headers, agent: false }, (response) => {
      let text = ''
      response
        .setEncoding('utf8')
        .on('data', (chunk: string) => (text += chunk))
        .on('end', () => resolve({ status: response.statusCode!, headers: response.headers, content: text }))
        .on('error', reject)
    })
    sent.on('error', reject).end(content)
  })
}

/** A WebSocket of the own page, as far as the gateway sees it. */
function openTunnel(base: string, cookie: string): Promise<Duplex> {
  const offer = {
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
  }
  const headers = { ...offer, cookie, 'sec-fetch-site': 'same-origin' }
  return new Promise((resolve, reject) => {
    request(new URL('/orders/socket', base), { headers, agent: false })
      .on('upgrade', (_response, socket) => resolve(socket))
      .on('response', ({ statusCode }) => reject(new Error(`the answer is ${statusCode}`)))
      .on('error', reject)
      .end()
  })
}

/** Asks on new connections until ten in a row are refused: both workers know it. Gives how long that took. */
async function untilRefused(base: string, headers: Record<string, string>): Promise<number> {
  const began = performance.now()
  for (let refused = 0; refused < 10;) {
    const { status } = await ask(base, 'GET', '/orders/1', headers)
    refused = status === 401 ? refused + 1 : 0
    assert.ok(performance.now() - began < 10_000, 'it is still accepted')
  }
  return performance.now() - began
}

test('identity over real sockets, two workers and the embedded store', async (t) => {
  const folder = workFolder(t)
  folder.write('velum.config.yaml', config)
  const env = { UPSTREAM: await upstreamOf(t), SECRET_HASH: createHash('sha256').update('hush').digest('hex') }
  const session = await seedSession(folder.path, 'user-1')
  const start = async (): Promise<{ base: string; velum: ReturnType<typeof startVelum> }> => {
    const velum = startVelum(t, ['run', '--workers', '2'], { folder: folder.path, env })
    return { velum, base: (await readyListeners(velum)).web }
  }
  let { base, velum } = await start()
  const form = { 'content-type': 'application/x-www-form-urlencoded' }
  const clientToken = async (): Promise<string> => {
    const { status, content } = await ask(
      base,
      'POST',
      '/auth/token',
      form,
      'grant_type=client_credentials&client_id=worker&client_secret=hush',
    )
    assert.equal(status, 200, content)
    return (JSON.parse(content) as { access_token: string }).access_token
  }

  await t.test('a service sees a token for itself, signed by a published key, and none of the caller’s credentials', async () => {
    for (const headers of [{ authorization: `Bearer ${await clientToken()}` }, { cookie: `a=1; ${session.cookie}; b=2` }] as Record<
      string,
      string
    >[]) {
      const { status, content } = await ask(base, 'GET', '/orders/1', { ...headers, 'x-auth-subject': 'admin' })
      assert.equal(status, 200, content)
      const seen = JSON.parse(content) as Record<string, string>
      const token = seen['authorization'].replace('Bearer ', '')
      assert.notEqual(token, headers['authorization']?.replace('Bearer ', ''))
      assert.equal(claimsOf(token)['aud'], 'https://orders.internal')
      assert.equal(seen['x-auth-subject'], undefined)
      assert.equal(seen['cookie'], headers['cookie'] === undefined ? undefined : 'a=1; b=2')
      const { keys } = JSON.parse((await ask(base, 'GET', '/.well-known/jwks.json')).content) as {
        keys: Jwk[]
      }
      const [head, payload, signature] = token.split('.')
      const { kid, typ } = JSON.parse(Buffer.from(head, 'base64url').toString()) as { kid: string; typ: string }
      assert.equal(typ, 'gw+jwt')
      const key = createPublicKey({ key: keys.find((published) => published.kid === kid)!, format: 'jwk' })
      assert.ok(
        verify(
          'sha256',
          Buffer.from(`${head}.${payload}`),
          { key, dsaEncoding: 'ieee-p1363' },
          Buffer.from(signature, 'base64url'),
        ),
      )
    }
    assert.equal(
      (JSON.parse((await ask(base, 'GET', '/open', { cookie: session.cookie })).content) as { authorization?: string })
        .authorization,
      undefined,
    )
  })

  await t.test('a token revoked on one worker is refused on both', async () => {
    const token = await clientToken()
    assert.equal((await ask(base, 'GET', '/orders/1', { authorization: `Bearer ${token}` })).status, 200)
    assert.equal((await ask(base, 'POST', '/auth/revoke', form, `token=${token}&client_id=worker&client_secret=hush`)).status, 200)
    await untilRefused(base, { authorization: `Bearer ${token}` })
  })

  let kept = ''
  await t.test('keys, sessions and revocations outlive the process', async () => {
    kept = await clientToken()
    const revoked = await clientToken()
    await ask(base, 'POST', '/auth/revoke', form, `token=${revoked}&client_id=worker&client_secret=hush`)
    velum.kill('SIGTERM')
    assert.equal((await velum.ended).code, 0)
    ;({ base, velum } = await start())
    assert.equal((await ask(base, 'GET', '/orders/1', { authorization: `Bearer ${kept}` })).status, 200)
    assert.equal((await ask(base, 'GET', '/orders/1', { authorization: `Bearer ${revoked}` })).status, 401)
    assert.equal((await ask(base, 'GET', '/orders/1', { cookie: session.cookie })).status, 200)
  })

  await t.test('an operator revokes everything of a subject, lists sessions, and rotates keys', async () => {
    const [line] = await velum.printed(/^\{.*"msg":"the gateway is ready".*\}$/m)
    const { admin } = JSON.parse(line) as { admin: string }
    const operator = { authorization: `Bearer ${readFileSync(join(folder.path, '.velum', 'admin.token'), 'utf8').trim()}` }
    const { sessions } = JSON.parse((await ask(admin, 'GET', '/api/sessions', operator)).content) as { sessions: { id: string }[] }
    assert.deepEqual(
      sessions.map(({ id }) => id),
      [session.id],
    )
    assert.equal((await ask(admin, 'DELETE', '/api/sessions/nothing', operator)).status, 404)
    assert.equal((await ask(admin, 'POST', '/api/revocations', operator, '{"kind":"subject"}')).status, 422)
    assert.equal((await ask(admin, 'POST', '/api/revocations', operator, '{"kind":"subject","subject":"worker"}')).status, 204)
    await untilRefused(base, { authorization: `Bearer ${kept}` })
    const { status } = await ask(base, 'GET', '/orders/1', { authorization: `Bearer ${await clientToken()}` })
    assert.equal(status, 200, 'what is issued afterwards is good')
    assert.equal((await ask(admin, 'POST', '/api/keys/rotate', operator)).status, 200)
    const { entries } = JSON.parse((await ask(admin, 'GET', '/api/audit', operator)).content) as { entries: { event: string }[] }
    for (const event of ['key-made', 'sessions-ended', 'client-token'])
      assert.ok(
        entries.some((entry) => entry.event === event),
        event,
      )
    assert.equal((await ask(admin, 'GET', '/api/audit')).status, 401)
    const { content: metrics } = await ask(admin, 'GET', '/metrics', operator)
    assert.match(metrics, /^# TYPE velum_revocation_lag_seconds gauge\nvelum_revocation_lag_seconds \d/m)
    assert.match(metrics, /^velum_revocation_delay_seconds_count [1-9]/m)
  })

  await t.test('logging out ends the session on both workers and cuts the streams it had open', async () => {
    const stream = request(new URL('/orders/stream', base), { headers: { cookie: session.cookie }, agent: false }).end()
    const cut = new Promise<Error>((resolve, reject) => {
      stream.on(
        'response',
        (response) =>
          void response
            .resume()
            .on('error', resolve)
            .on('end', () => reject(new Error('ended as if complete'))),
      )
      stream.on('error', reject)
    })
    await new Promise((resolve) => stream.once('response', (response: IncomingMessage) => response.once('data', resolve)))
    const tunnel = await openTunnel(base, session.cookie)
    const closed = new Promise((resolve) => tunnel.on('error', () => undefined).once('close', resolve))
    const out = await ask(base, 'POST', '/auth/logout', { cookie: session.cookie, 'sec-fetch-site': 'same-origin' })
    assert.equal(out.status, 204)
    assert.match(String(out.headers['set-cookie']), /^__Host-Http-velum=; .*Max-Age=0/)
    await cut
    await closed
    await untilRefused(base, { cookie: session.cookie })
  })

  await t.test('a second gateway on the same store is refused with exit code 3', async () => {
    const second = startVelum(t, ['run', '--workers', '1'], { folder: folder.path, env })
    assert.equal((await second.ended).code, 3)
  })
})
