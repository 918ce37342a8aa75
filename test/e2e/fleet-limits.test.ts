import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { noRedis, startRedis } from '../support/redis-server.ts'
import type { RedisServer } from '../support/redis-server.ts'
import { readyListeners, startVelum, workFolder } from '../support/velum-process.ts'

const config = readFileSync(new URL('fleet-limits.yaml', import.meta.url), 'utf8')

interface Told {
  readonly status: number
  readonly remaining: string
  readonly retryAfter: string | undefined
  readonly ms: number
}

type Ask = (path: string, user?: string) => Promise<Told>

/** A gateway process of its own, with a store that all of them share. */
async function startNode(t: TestContext, redis: RedisServer): Promise<Ask> {
  const folder = workFolder(t)
  folder.write('velum.config.yaml', config)
  const velum = startVelum(t, ['run', '--workers', '1'], { folder: folder.path, env: { REDIS: redis.url } })
  const { web } = await readyListeners(velum)
  const agent = new Agent({ keepAlive: true, maxSockets: 50 })
  t.after(() => agent.destroy())
  return (path, user = 'u') =>
    new Promise((resolve, reject) => {
      const startedAt = performance.now()
      request(new URL(path, web), { agent, headers: { 'x-user': user } }, (response) => {
        response.resume()
        response.on('end', () => {
          const { 'retry-after': retryAfter, ratelimit } = response.headers
          const remaining = String(ratelimit)
          resolve({ status: response.statusCode ?? 0, remaining, retryAfter, ms: performance.now() - startedAt })
        })
      })
        .on('error', reject)
        .end()
    })
}

async function startFleet(t: TestContext): Promise<{ redis: RedisServer; nodes: Ask[] }> {
  const redis = await startRedis('--appendonly', 'no', '--save', '')
  t.after(() => redis.stop())
  const nodes: Ask[] = []
  for (let i = 0; i < 3; i++) nodes.push(await startNode(t, redis))
  return { redis, nodes }
}

const passed = (answers: readonly Told[]): number => answers.filter(({ status }) => status === 200).length
// On a machine that is busy elsewhere the store may be late for some: they are told 503, and are nobody's charge.
const late = (answers: readonly Told[]): number => answers.filter(({ status }) => status === 503).length
const crowd = (nodes: readonly Ask[], size: number, path: string): Promise<Told[]> =>
  Promise.all(Array.from({ length: size }, (_, i) => nodes[i % nodes.length](path)))

test('three gateways on one Redis count as one', { skip: noRedis }, async (t) => {
  const { redis, nodes } = await startFleet(t)

  await t.test('a crowd gets exactly the limit where no overshoot is allowed', async () => {
    const answers = await crowd(nodes, 3000, '/exact')
    const count = passed(answers)
    assert.ok(count <= 500 && count >= 500 - late(answers), `${count} passed, ${late(answers)} were late`)
    for (const { status, retryAfter } of answers) if (status === 429) assert.ok(Number(retryAfter) > 0)
  })

  await t.test('a crowd of ten thousand gets the limit within the tolerance', async () => {
    const answers = await crowd(nodes, 10_000, '/leased')
    const count = passed(answers)
    assert.ok(count <= 2000 && count >= 1900 - late(answers), `${count} passed, ${late(answers)} were late`)
  })

  await t.test('two levels of a step are charged together or not at all, over all nodes', async () => {
    const answers = await crowd(nodes, 60, '/both')
    const count = passed(answers)
    assert.ok(count <= 5 && count >= 5 - late(answers), `${count} passed`)
    // The user was refused 55 times; the tenant paid for those who passed, and for this one.
    let told = await nodes[0]('/tenant')
    while (told.status === 503) told = await nodes[0]('/tenant')
    const left = Number(/"tenant";r=(\d+)/.exec(told.remaining)?.[1])
    assert.ok(left <= 19 - count && left >= 19 - count - late(answers), `${left} left, ${count} passed`)
  })

  await t.test('without the store each limit does what it says, and nobody waits', async () => {
    redis.pause()
    // The first ones find out.
    await Promise.all(nodes.map((ask) => ask('/open')))
    const [local, open, closed] = await Promise.all(['/local', '/open', '/closed'].map((path) => crowd(nodes, 90, path)))
    assert.equal(passed(local), 30, 'each of three nodes gives its third')
    assert.equal(local.filter(({ status }) => status === 429).length, 60)
    assert.equal(passed(open), 90)
    assert.equal(closed.filter(({ status }) => status === 503).length, 90)
    redis.resume()
  })
})
