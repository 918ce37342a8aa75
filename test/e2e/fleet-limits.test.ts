import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { startFleetNode } from '../support/fleet-node.ts'
import type { FleetNode, Told } from '../support/fleet-node.ts'
import { noRedis, startRedis } from '../support/redis-server.ts'

const config = readFileSync(new URL('fleet-limits.yaml', import.meta.url), 'utf8')
const skewsMs = [-5000, 5000, 0]
/** Longer than a node remembers who was refused. */
const refusalMs = 1100

/** Answers at once, or when it is told to. */
async function startService(t: TestContext): Promise<{ url: string; waiting: ServerResponse[]; arrived: () => Promise<void> }> {
  const waiting: ServerResponse[] = []
  const server = createServer((incoming, response) => {
    if (incoming.url === '/exports') {
      waiting.push(response)
      server.emit('arrived')
    } else response.end('served')
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return { url, waiting, arrived: async () => void (await once(server, 'arrived')) }
}

const count = (answers: readonly Told[], status: number): number => answers.filter((told) => told.status === status).length
const crowd = (nodes: readonly FleetNode[], size: number, path: string): Promise<Told[]> =>
  Promise.all(Array.from({ length: size }, (_, i) => nodes[i % nodes.length].ask(path)))

/**
 * Asks that many times. On a machine that is busy elsewhere the store may be late for some: they are told 503, are nobody's
 * charge, and come again when what they were granted has been given back.
 */
async function persistentCrowd(nodes: readonly FleetNode[], size: number, path: string): Promise<Told[]> {
  const all: Told[] = []
  for (let left = size; left > 0; left = count(all.slice(-left), 503)) {
    if (all.length > 0) await sleep(refusalMs)
    all.push(...(await crowd(nodes, left, path)))
  }
  for (const { status } of all) assert.ok([200, 429, 503].includes(status), `${status}`)
  return all
}

/** Asks one node until the store answers. */
async function persistently(node: FleetNode, path: string): Promise<Told> {
  for (;;) {
    const told = await node.ask(path)
    if (told.status !== 503) return told
    await sleep(20)
  }
}

const leftOf = (told: Told): number => Number(/;r=(\d+)/.exec(told.rateLimit)?.[1])

test('three gateways on one Redis, whose clocks are ten seconds apart, count as one', { skip: noRedis }, async (t) => {
  const redis = await startRedis()
  t.after(() => redis.stop())
  const service = await startService(t)
  const env = { REDIS: redis.url, UPSTREAM: service.url }
  const nodes: FleetNode[] = []
  for (const skewMs of skewsMs) nodes.push(await startFleetNode(t, { config, env, skewMs }))

  await t.test('their clocks are wrong indeed', async () => {
    for (const [i, node] of nodes.entries()) {
      const { date } = await persistently(node, '/tenant')
      assert.ok(Math.abs(date - Date.now() - skewsMs[i]) < 3000, `node ${i} says ${new Date(date).toISOString()}`)
    }
  })

  await t.test('a crowd of ten thousand gets exactly the limit where no overshoot is allowed', async (sub) => {
    const answers = await persistentCrowd(nodes, 10_000, '/exact')
    sub.diagnostic(
      `limit 500, exact: ${count(answers, 200)} passed, ${count(answers, 429)} refused, ${count(answers, 503)} came again`,
    )
    assert.equal(count(answers, 200), 500)
    for (const { status, retryAfter } of answers) if (status === 429) assert.ok(Number(retryAfter) > 0)
  })

  await t.test('a crowd of ten thousand gets the limit within the tolerance', async (sub) => {
    const answers = await persistentCrowd(nodes, 10_000, '/leased')
    sub.diagnostic(
      `limit 2000, 5 %: ${count(answers, 200)} passed, ${count(answers, 429)} refused, ${count(answers, 503)} came again`,
    )
    // What is prepaid and not spent when the crowd ends is all that can be missing, and nothing can be too much.
    assert.ok(count(answers, 200) <= 2000 && count(answers, 200) >= 1900, `${count(answers, 200)} passed`)
  })

  await t.test('a rate is one rate, by one clock', async () => {
    const startedAt = performance.now()
    let passed = 0
    while (performance.now() - startedAt < 1500) passed += count(await crowd(nodes, 30, '/rate'), 200)
    const most = 50 + (20 * (performance.now() - startedAt)) / 1000
    // By their own clocks each change of node would give 100 anew.
    assert.ok(passed >= 50 && passed <= most + 1, `${passed} passed of at most ${most}`)
  })

  await t.test('a sliding log is exact', async () => {
    assert.equal(count(await persistentCrowd(nodes, 100, '/logins'), 200), 20)
  })

  await t.test('two levels of a step are charged together or not at all', async () => {
    const before = leftOf(await persistently(nodes[0], '/tenant'))
    const answers = await persistentCrowd(nodes, 60, '/both')
    assert.equal(count(answers, 200), 5)
    // The user was refused 55 times; the tenant paid for the five, and for this one.
    assert.equal(leftOf(await persistently(nodes[1], '/tenant')), before - 5 - 1)
  })

  await t.test('what the service refuses is given back to the step before it', async () => {
    const answers = await persistentCrowd(nodes, 60, '/narrow')
    assert.equal(count(answers, 200), 6)
    // Those refused have their charge back, if not yet, then soon.
    for (let asked = 1; ; asked++) {
      const left = leftOf(await persistently(nodes[asked % 3], '/middle'))
      assert.ok(left <= 100 - 6 - asked)
      if (left === 100 - 6 - asked) break
    }
  })

  await t.test('what is under way is counted over all nodes, and a place that comes free is free on all', async () => {
    const asked: Promise<Told>[] = []
    while (service.waiting.length < 4) {
      const arrived = service.arrived()
      asked.push(nodes[asked.length % 3].ask('/exports'))
      await Promise.race([arrived, asked.at(-1)])
    }
    for (const node of nodes) {
      const told = await persistently(node, '/exports')
      assert.equal(told.status, 429)
      assert.equal(told.retryAfter, '1')
    }
    service.waiting.shift()!.end('done')
    const freed = service.arrived()
    const next = (async () => {
      for (;;) {
        const told = await persistently(nodes[2], '/exports')
        if (told.status === 200) return told
      }
    })()
    await freed
    for (const response of service.waiting.splice(0)) response.end('done')
    assert.equal((await next).status, 200)
    for (const told of await Promise.all(asked)) assert.ok([200, 503].includes(told.status))
  })

  await t.test('a node that is killed leaks no place', async () => {
    const lost: Promise<unknown>[] = []
    while (service.waiting.length < 4) {
      const arrived = service.arrived()
      const asked = nodes[0].ask('/exports')
      lost.push(asked.catch(() => undefined))
      await Promise.race([arrived, asked])
    }
    assert.equal((await persistently(nodes[1], '/exports')).status, 429)
    nodes[0].velum.kill('SIGKILL')
    await Promise.all(lost)
    service.waiting.length = 0
    // The store waits for a word of its holder for ten seconds.
    const passed = service.arrived()
    const next = (async () => {
      for (;;) {
        const told = await persistently(nodes[1], '/exports')
        if (told.status === 200) return told
        assert.equal(told.status, 429)
        await sleep(100)
      }
    })()
    await passed
    for (const response of service.waiting.splice(0)) response.end('done')
    assert.equal((await next).status, 200)
  })
})
