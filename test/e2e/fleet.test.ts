import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { clientToken, fleetConfig, fleetEnv, seedSessions, startNode, upstreamOf } from '../support/identity-fleet.ts'
import type { FleetNode, Told } from '../support/identity-fleet.ts'
import { noRedis, startRedis } from '../support/redis-server.ts'
import { startVelum, workFolder } from '../support/velum-process.ts'

/** Asks until the answer has this status; no answer may be a failure of the gateway's own, or take the cookie away. */
async function untilStatus(node: FleetNode, cookie: string, status: number): Promise<Told> {
  for (;;) {
    const told = await node.ask('/orders/1', { headers: { cookie } })
    assert.ok([200, 401, 503].includes(told.status), `the answer is ${told.status}`)
    assert.equal(told.headers.get('set-cookie'), null)
    if (told.status === status) return told
    await sleep(5)
  }
}

async function statusOf(node: FleetNode, path: string, headers: Record<string, string>): Promise<number> {
  return (await node.ask(path, { headers })).status
}

test('two nodes on one Redis', { skip: noRedis }, async (t) => {
  const redis = await startRedis()
  t.after(() => redis.stop())
  const [first, second] = await seedSessions(redis.url, 2)
  const env = fleetEnv(redis.url, await upstreamOf(t))
  const nodes = [await startNode(t, env), await startNode(t, env)]
  const [one, other] = nodes

  await t.test('a session is good on both, and what one signs the other believes', async () => {
    for (const node of nodes) assert.equal(await statusOf(node, '/orders/1', { cookie: first }), 200)
    assert.equal(await statusOf(other, '/orders/1', { authorization: `Bearer ${await clientToken(one)}` }), 200)
  })

  await t.test('a session ended on one is refused on the other', async () => {
    const headers = { cookie: first, 'sec-fetch-site': 'same-origin' }
    assert.equal((await one.ask('/auth/logout', { method: 'POST', headers })).status, 204)
    assert.equal(await statusOf(one, '/orders/1', { cookie: first }), 401)
    await untilStatus(other, first, 401)
    assert.equal(await statusOf(other, '/orders/1', { cookie: second }), 200)
  })

  await t.test('while the store does not answer nobody is logged out, and public routes go on', async () => {
    redis.pause()
    t.after(() => redis.resume())
    for (const node of nodes) {
      const refused = await untilStatus(node, second, 503)
      assert.match(refused.headers.get('retry-after') ?? '', /^[1-9]/)
      assert.match(refused.headers.get('content-type') ?? '', /problem\+json/)
      assert.equal(await statusOf(node, '/open', { cookie: second }), 200)
    }
    redis.resume()
    for (const node of nodes) {
      await untilStatus(node, second, 200)
      await untilStatus(node, first, 401)
    }
  })

  await t.test('a node that starts later knows what was revoked, and every node ends in order', async () => {
    const late = await startNode(t, env)
    assert.equal(await statusOf(late, '/orders/1', { cookie: first }), 401)
    assert.equal(await statusOf(late, '/orders/1', { cookie: second }), 200)
    const running = [late, ...nodes].map(({ velum }) => velum)
    for (const velum of running) velum.kill('SIGTERM')
    for (const velum of running) assert.equal((await velum.ended).code, 0)
  })
})

test('a node does not start on a Redis that evicts', { skip: noRedis }, async (t) => {
  const redis = await startRedis('--maxmemory-policy', 'allkeys-lru')
  t.after(() => redis.stop())
  const folder = workFolder(t)
  folder.write('velum.config.yaml', fleetConfig)
  const env = fleetEnv(redis.url, 'http://127.0.0.1:1')
  const { code, err } = await startVelum(t, ['run', '--workers', '1'], { folder: folder.path, env }).ended
  assert.equal(code, 3, err)
  assert.match(err, /maxmemory-policy allkeys-lru/)
})
