import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { systemClock } from '../../src/core/clock.ts'
import { silentLog } from '../../src/core/log.ts'
import { newCredential, secretHash } from '../../src/identity/credential-text.ts'
import { sessionRecord } from '../../src/identity/session-record.ts'
import { openRedisStores } from '../../src/stores/redis/redis-stores.ts'
import { noRedis, startRedis } from '../support/redis-server.ts'
import { readyListeners, startVelum, workFolder } from '../support/velum-process.ts'
import type { VelumProcess } from '../support/velum-process.ts'

const config = `${readFileSync(new URL('identity.yaml', import.meta.url), 'utf8')}
store: { kind: redis, url: '\${REDIS}' }
secret: ['a secret of the fleet that is long enough']
`

async function upstreamOf(t: TestContext): Promise<string> {
  const server = createServer((incoming, response) => void incoming.resume().on('end', () => response.end('served'))).listen(
    0,
    '127.0.0.1',
  )
  await new Promise((resolve) => server.once('listening', resolve))
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** Sessions of one subject in the store; gives their cookies. */
async function seedSessions(url: string, count: number): Promise<string[]> {
  const { stores } = await openRedisStores({ url, clock: systemClock, log: silentLog, answerMs: 10_000 })
  const cookies: string[] = []
  const now = Date.now()
  for (let i = 0; i < count; i++) {
    const { id, secret, text } = newCredential()
    const times = { startedAt: now, seenAt: now, endsAt: now + 3_600_000 }
    const who = { subject: 'user-1', roles: ['staff'], methods: ['pwd'], generation: 0, device: 'Test', address: '' }
    const value = { secret: secretHash(secret), ...who, ...times }
    await stores.records.create(sessionRecord(id, value, { idleMs: 1_800_000, absoluteMs: 3_600_000, sameSite: 'lax' }))
    cookies.push(`__Host-Http-velum=${text}`)
  }
  await stores.close()
  return cookies
}

async function ask(base: string, path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Response> {
  const response = await fetch(new URL(path, base), { method, headers, redirect: 'manual' })
  await response.arrayBuffer()
  return response
}

/** Asks until the answer has this status; no answer may be a failure of the gateway's own, or take the cookie away. */
async function untilStatus(base: string, cookie: string, status: number): Promise<Response> {
  for (;;) {
    const response = await ask(base, '/orders/1', { cookie })
    assert.ok([200, 401, 503].includes(response.status), `the answer is ${response.status}`)
    assert.equal(response.headers.get('set-cookie'), null)
    if (response.status === status) return response
    await sleep(5)
  }
}

test('two nodes on one Redis', { skip: noRedis }, async (t) => {
  const redis = await startRedis()
  t.after(() => redis.stop())
  const [first, second] = await seedSessions(redis.url, 2)
  const secret = createHash('sha256').update('hush').digest('hex')
  const env = { UPSTREAM: await upstreamOf(t), SECRET_HASH: secret, REDIS: redis.url }
  const nodes: { base: string; velum: VelumProcess }[] = []
  for (let i = 0; i < 2; i++) {
    const folder = workFolder(t)
    folder.write('velum.config.yaml', config)
    const velum = startVelum(t, ['run', '--workers', '1'], { folder: folder.path, env })
    nodes.push({ velum, base: (await readyListeners(velum)).web })
  }
  const [one, other] = nodes.map(({ base }) => base)

  await t.test('a session is good on both, and what one signs the other believes', async () => {
    for (const base of [one, other]) assert.equal((await ask(base, '/orders/1', { cookie: first })).status, 200)
    const body = 'grant_type=client_credentials&client_id=worker&client_secret=hush'
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    const response = await fetch(new URL('/auth/token', one), { method: 'POST', headers, body })
    const { access_token: token } = (await response.json()) as { access_token: string }
    assert.equal((await ask(other, '/orders/1', { authorization: `Bearer ${token}` })).status, 200)
  })

  await t.test('a session ended on one is refused on the other', async () => {
    const headers = { cookie: first, 'sec-fetch-site': 'same-origin' }
    assert.equal((await ask(one, '/auth/logout', headers, 'POST')).status, 204)
    assert.equal((await ask(one, '/orders/1', { cookie: first })).status, 401)
    await untilStatus(other, first, 401)
    assert.equal((await ask(other, '/orders/1', { cookie: second })).status, 200)
  })

  await t.test('while the store does not answer nobody is logged out, and public routes go on', async () => {
    redis.pause()
    t.after(() => redis.resume())
    for (const base of [one, other]) {
      const refused = await untilStatus(base, second, 503)
      assert.match(refused.headers.get('retry-after') ?? '', /^[1-9]/)
      assert.match(refused.headers.get('content-type') ?? '', /problem\+json/)
      assert.equal((await ask(base, '/open', { cookie: second })).status, 200)
    }
    redis.resume()
    for (const base of [one, other]) {
      await untilStatus(base, second, 200)
      await untilStatus(base, first, 401)
    }
  })

  await t.test('a node that starts later knows what was revoked, and every node ends in order', async () => {
    const folder = workFolder(t)
    folder.write('velum.config.yaml', config)
    const velum = startVelum(t, ['run', '--workers', '1'], { folder: folder.path, env })
    const { web } = await readyListeners(velum)
    assert.equal((await ask(web, '/orders/1', { cookie: first })).status, 401)
    assert.equal((await ask(web, '/orders/1', { cookie: second })).status, 200)
    const running = [velum, ...nodes.map((each) => each.velum)]
    for (const node of running) node.kill('SIGTERM')
    for (const node of running) assert.equal((await node.ended).code, 0)
  })
})

test('a node does not start on a Redis that evicts', { skip: noRedis }, async (t) => {
  const redis = await startRedis('--maxmemory-policy', 'allkeys-lru')
  t.after(() => redis.stop())
  const folder = workFolder(t)
  folder.write('velum.config.yaml', config)
  const env = { UPSTREAM: 'http://127.0.0.1:1', SECRET_HASH: 'a'.repeat(64), REDIS: redis.url }
  const { code, err } = await startVelum(t, ['run', '--workers', '1'], { folder: folder.path, env }).ended
  assert.equal(code, 3, err)
  assert.match(err, /maxmemory-policy allkeys-lru/)
})
