import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { request } from 'node:http'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { noRedis, startRedis } from '../support/redis-server.ts'
import { readyListeners, runCommand, startVelum, workFolder } from '../support/velum-process.ts'

const config = readFileSync(new URL('fleet-penalties.yaml', import.meta.url), 'utf8')

/** A node, asked as a proxy would on behalf of clients. */
interface Node {
  status(path: string, address: string): Promise<number>
  readonly folder: string
}

async function startNode(t: TestContext, redis: string): Promise<Node> {
  const folder = workFolder(t)
  folder.write('velum.config.yaml', config)
  const velum = startVelum(t, ['run', '--workers', '2'], { folder: folder.path, env: { REDIS: redis } })
  const { web } = await readyListeners(velum)
  return {
    folder: folder.path,
    status: (path, address) =>
      new Promise((resolve, reject) => {
        const sent = request(new URL(path, web), { agent: false, headers: { 'x-forwarded-for': address } }, (response) => {
          response.resume().once('end', () => resolve(response.statusCode ?? 0))
        })
        sent.on('error', reject).end()
      }),
  }
}

async function until(node: Node, address: string, status: number): Promise<void> {
  for (let tries = 0; tries < 500; tries++) {
    if ((await node.status('/free', address)) === status) return
    await sleep(20)
  }
  assert.fail(`${address} was never answered with ${status}`)
}

async function abuse(node: Node, address: string): Promise<void> {
  for (let i = 0; i < 25; i++) await node.status('/few', address)
}

test('a fleet shares one penalty box', { skip: noRedis }, async (t) => {
  const redis = await startRedis()
  t.after(() => redis.stop())
  const nodes = [await startNode(t, redis.url), await startNode(t, redis.url)]
  await t.test('who is boxed by one node is boxed by all, and by one that starts later', async () => {
    await abuse(nodes[0], '203.0.113.1')
    for (const node of nodes) await until(node, '203.0.113.1', 429)
    assert.equal(await nodes[1].status('/free', '203.0.113.2'), 200)
    const late = await startNode(t, redis.url)
    assert.equal(await late.status('/free', '203.0.113.1'), 429)
    nodes.push(late)
  })

  await t.test('a command boxes and lets out for all of them', async () => {
    const { folder } = nodes[0]
    const env = { REDIS: redis.url }
    const run = async (...args: string[]): Promise<string> => {
      const { code, out, err } = await runCommand(['penalty', ...args], { folder, env })
      assert.equal(code, 0, err)
      return out
    }
    await run('add', 'abusive', 'address=203.0.113.9')
    for (const node of nodes) await until(node, '203.0.113.9', 429)
    const found = JSON.parse(await run('list', '--json')) as { id: string; who: { address: string } }[]
    assert.deepEqual(found.map(({ who }) => who.address).toSorted(), ['203.0.113.1', '203.0.113.9'])
    for (const { id } of found) await run('lift', id)
    for (const node of nodes) for (const address of ['203.0.113.1', '203.0.113.9']) await until(node, address, 200)
  })

  await t.test('while the store is away each node boxes for itself, and the fleet learns of it afterwards', async () => {
    redis.pause()
    // Refusals of the node's own share, since the limit is counted by the store.
    await abuse(nodes[0], '203.0.113.5')
    await until(nodes[0], '203.0.113.5', 429)
    redis.resume()
    for (const node of nodes) await until(node, '203.0.113.5', 429)
  })
})
