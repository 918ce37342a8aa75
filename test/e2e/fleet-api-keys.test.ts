import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { adminToken, fleetConfig, fleetEnv, startNode, upstreamOf } from '../support/identity-fleet.ts'
import type { FleetNode } from '../support/identity-fleet.ts'
import { noRedis, startRedis } from '../support/redis-server.ts'

const config = fleetConfig.replaceAll('[session, bearer]', '[session, bearer, api-key]')

interface MadeKey {
  readonly id: string
  readonly key: string
}

async function call(node: FleetNode, method: string, path: string, body?: unknown): Promise<{ status: number; content: string }> {
  const response = await fetch(new URL(path, node.admin), {
    method,
    headers: { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  return { status: response.status, content: await response.text() }
}

async function keyOf(node: FleetNode, client: string): Promise<MadeKey> {
  const { status, content } = await call(node, 'POST', '/api/keys', { client, scopes: ['orders:read'] })
  assert.equal(status, 201, content)
  return JSON.parse(content) as MadeKey
}

async function statusOf(node: FleetNode, { key }: MadeKey): Promise<number> {
  return (await node.ask('/orders/1', { headers: { 'x-api-key': key } })).status
}

test('API keys on two nodes and one Redis', { skip: noRedis }, async (t) => {
  const redis = await startRedis()
  t.after(() => redis.stop())
  const env = fleetEnv(redis.url, await upstreamOf(t))
  const nodes = [await startNode(t, env, config), await startNode(t, env, config)]
  const [one, other] = nodes
  const first = await keyOf(one, 'reporter')
  const second = await keyOf(other, 'reporter')

  await t.test('both keys of a client are good on both nodes, whoever made them, and there is no third', async () => {
    for (const node of nodes) for (const key of [first, second]) assert.equal(await statusOf(node, key), 200)
    const third = await call(one, 'POST', '/api/keys', { client: 'reporter' })
    assert.equal(third.status, 422)
    assert.match(third.content, /two keys already/)
  })

  await t.test('of many orders at one time on both nodes, never more than two keys stay', async () => {
    const orders = Array.from({ length: 8 }, (_, i) => call(nodes[i % 2], 'POST', '/api/keys', { client: 'hurried' }))
    const made = (await Promise.all(orders)).filter(({ status }) => status === 201)
    assert.ok(made.length <= 2, String(made.length))
    const { content } = await call(other, 'GET', '/api/keys')
    const kept = (JSON.parse(content) as { keys: { client: string }[] }).keys.filter(({ client }) => client === 'hurried')
    assert.equal(kept.length, made.length)
  })

  await t.test(
    'a key that one node revokes is refused on the other within a second; the client goes on with its second',
    async () => {
      const revoked = await call(one, 'DELETE', `/api/keys/${first.id}`)
      assert.equal(revoked.status, 200, revoked.content)
      // The promise of the stream.
      await sleep(1000)
      for (const node of nodes) assert.equal(await statusOf(node, first), 401)
      for (const node of nodes) assert.equal(await statusOf(node, second), 200)
    },
  )

  await t.test('a node that starts later refuses it too', async () => {
    const late = await startNode(t, env, config)
    assert.equal(await statusOf(late, first), 401)
    assert.equal(await statusOf(late, second), 200)
  })
})
