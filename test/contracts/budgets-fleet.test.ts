import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { BudgetCall, BudgetKind, BudgetLevel, BudgetReply, BudgetStore } from '../../src/core/budgets.ts'
import { placeLeaseMs } from '../../src/core/budgets.ts'
import { systemClock } from '../../src/core/clock.ts'
import { silentLog } from '../../src/core/log.ts'
import { createRedisBudgets } from '../../src/stores/redis/redis-budgets.ts'
import { noRedis, startCluster, startRedis } from '../support/redis-server.ts'
import type { RedisServer } from '../support/redis-server.ts'

const dayMs = 86_400_000

/** A level of the algorithm with room for ten, or what its parameters say. */
function level(
  id: string,
  { kind = 'token-bucket', parameters = [10, 1, dayMs], place = id, cost = 1 }: Partial<BudgetLevel> = {},
): BudgetLevel {
  return { id, place, kind, parameters, cost }
}

const call = (verb: BudgetCall['verb'], levels: readonly BudgetLevel[], count = 1): BudgetCall => ({ verb, count, levels })

/** Connects as one holder, and waits until it is. */
async function join(url: string, isCluster: boolean, now?: () => number): Promise<BudgetStore> {
  const direct = { url, isCluster, answerMs: 5000 }
  const clock = systemClock
  const store = createRedisBudgets({ direct, gateway: 'test', clock, log: silentLog, partAnswerMs: 1000, ...(now && { now }) })
  for (;;) {
    try {
      await store.run([])
      return store
    } catch {
      await sleep(10)
    }
  }
}

async function one(store: BudgetStore, asked: BudgetCall): Promise<BudgetReply> {
  const [reply] = await store.run([asked])
  assert.ok(reply !== undefined)
  return reply
}

async function left(store: BudgetStore, budget: BudgetLevel): Promise<number> {
  return (await one(store, call('peek', [budget]))).levels[0].remaining
}

describe('holders on one Redis', { skip: noRedis }, () => {
  let redis: RedisServer
  let now = Date.UTC(2028, 0, 10, 12)
  const stores: BudgetStore[] = []
  const joined = async (): Promise<BudgetStore> => {
    const store = await join(redis.url, false, () => now)
    stores.push(store)
    return store
  }
  before(async () => {
    redis = await startRedis()
  })
  after(async () => {
    for (const store of stores) store.close()
    await redis.stop()
  })

  test('share the places of a concurrency limit, and those of a holder who died come free', async () => {
    const places = level('places', { kind: 'concurrency', parameters: [3, 0, 0] })
    const [a, b] = [await joined(), await joined()]
    assert.equal((await one(a, call('charge', [places], 2))).granted, 2)
    const refused = await one(b, call('charge', [places], 2))
    assert.equal(refused.granted, 1)
    assert.deepEqual([refused.levels[0].remaining, refused.levels[0].retryAfterMs], [0, 1000])
    await one(a, call('credit', [places]))
    assert.equal((await one(b, call('charge', [places]))).granted, 1)
    // From here a says nothing more.
    now += placeLeaseMs - 1
    await one(b, call('hold', [places], 2))
    assert.equal((await one(b, call('charge', [places]))).granted, 0)
    now += 1
    assert.equal((await one(b, call('charge', [places]))).granted, 1)
    assert.equal(await left(a, places), 0)
    // What one says replaces what was counted, and nobody gives back what others hold.
    await one(b, call('hold', [places], 1))
    await one(a, call('credit', [places], 5))
    assert.equal(await left(a, places), 2)
    await one(b, call('hold', [places], 0))
    assert.equal(await left(a, places), 3)
  })

  test('place and budget of a step are taken together or not at all', async () => {
    const places = level('gate', { kind: 'concurrency', parameters: [2, 0, 0] })
    const bucket = level('bucket')
    const [a, b] = [await joined(), await joined()]
    const replies = await Promise.all([a, b, a, b].map((store) => one(store, call('charge', [places, bucket]))))
    assert.equal(replies.filter(({ granted }) => granted === 1).length, 2)
    assert.equal(await left(a, bucket), 8)
    await one(a, call('charge', [bucket], 8))
    await one(a, call('hold', [places], 0))
    await one(b, call('hold', [places], 0))
    assert.equal((await one(b, call('charge', [places, bucket]))).granted, 0)
    assert.equal(await left(a, places), 2)
  })

  test('tell a server that has forgotten everything what was used, before they ask it for more', async () => {
    const kinds: [BudgetKind, BudgetLevel['parameters']][] = [
      ['token-bucket', [10, 1, dayMs]],
      ['leaky-queue', [10, 1, dayMs]],
      ['fixed-window', [10, dayMs, 0]],
      ['fixed-window', [10, dayMs, 1]],
      ['sliding-window', [10, dayMs, 0]],
      ['sliding-log', [10, dayMs, 0]],
      ['quota', [10, 1, 0]],
    ]
    const a = await joined()
    const forgotten: number[] = []
    a.whenForgotten((forMs) => forgotten.push(forMs))
    for (const [i, [kind, parameters]] of kinds.entries()) {
      const budget = level(`told${i}`, { kind, parameters })
      for (let taken = 0; taken < 7; taken++) await one(a, call('charge', [budget]))
      now += 3_600_000
      const then = await one(a, call('peek', [budget]))
      redis.cli('flushall')
      const since = await one(a, call('charge', [budget]))
      assert.equal(since.levels[0].remaining, then.levels[0].remaining - 1, kind)
      const { resetAfterMs } = then.levels[0]
      // What is taken from a bucket, or at a later time, is given back later.
      if (kind === 'fixed-window' || kind === 'quota') assert.ok(Math.abs(since.levels[0].resetAfterMs - resetAfterMs) < 5000, kind)
    }
    assert.deepEqual(
      forgotten,
      kinds.map(() => 2000),
    )
  })

  test('tell it what others will ask for, too; the larger of two accounts counts', async () => {
    const [a, b] = [await joined(), await joined()]
    const mine = level('mine')
    await one(a, call('charge', [mine], 9))
    const both = level('both')
    await one(b, call('charge', [both], 2))
    await one(a, call('charge', [both], 4))
    now++
    redis.cli('flushall')
    // One call of a, about something else.
    await one(a, call('charge', [level('other')]))
    while ((await left(b, mine)) !== 1) await sleep(5)
    assert.equal(await left(b, both), 4)
  })

  test('are told nothing of what is whole by now', async () => {
    const store = await joined()
    const quick = level('quick', { parameters: [10, 1, 1] })
    const daily = level('daily', { kind: 'fixed-window', parameters: [10, dayMs, 0] })
    await one(store, call('charge', [quick], 10))
    await one(store, call('charge', [daily], 3))
    redis.cli('flushall')
    now += 1000
    assert.equal(await left(store, quick), 10)
    assert.equal(await left(store, daily), 7)
  })
})

test('in a Redis Cluster', { skip: noRedis }, async (t) => {
  const cluster = await startCluster()
  const { servers } = cluster
  const [a, b] = await Promise.all([join(servers[0].url, true), join(servers[1].url, true)])
  t.after(async () => {
    for (const server of servers) server.resume()
    a.close()
    b.close()
    await cluster.stop()
  })
  const tenant = (name: string, limit = 5): BudgetLevel => level(`tenant:${name}`, { place: name, parameters: [limit, 1, dayMs] })
  const all = level('all', { place: '', parameters: [200, 1, dayMs] })

  await t.test('levels of different parts are charged together or not at all, over all nodes', async () => {
    const names = Array.from({ length: 20 }, (_, i) => `t${i}`)
    const rounds = await Promise.all(
      Array.from({ length: 8 }, (_, i) => [a, b][i % 2].run(names.map((name) => call('charge', [all, tenant(name)], 1)))),
    )
    const passed = rounds.flat().filter((reply) => reply?.granted === 1).length
    assert.equal(passed, 100, 'five of each tenant')
    // What refused requests took is given back by now, or soon.
    while ((await left(a, all)) !== 100) await sleep(5)
    for (const name of names) assert.equal(await left(b, tenant(name)), 0)
  })

  await t.test('what the whole gateway is refused is given back to the tenant', async () => {
    await one(a, call('charge', [all], 97))
    const replies = await Promise.all(['x', 'y'].map((name, i) => one([a, b][i], call('charge', [tenant(name), all], 2))))
    const granted = replies.map((reply) => reply.granted)
    assert.equal(granted[0] + granted[1], 3)
    for (const [i, name] of ['x', 'y'].entries()) while ((await left(a, tenant(name))) !== 5 - granted[i]) await sleep(5)
    const refused = await one(b, call('charge', [tenant('z'), all]))
    assert.equal(refused.granted, 0)
    assert.ok(refused.levels[1].retryAfterMs > 1000 && refused.levels[0].retryAfterMs === 0)
  })

  await t.test(
    'a master that does not answer takes only its parts with it, and what they would have needed is given back',
    async () => {
      const free = level('free', { place: '', parameters: [100, 1, dayMs] })
      const names = Array.from({ length: 12 }, (_, i) => `m${i}`)
      const charges = names.map((name) => call('charge', [tenant(name, 50)]))
      await a.run(charges)
      // The master of what the gateway shares goes on.
      const paused = servers.find((server) => !/myself.* 0-/.test(server.cli('cluster', 'nodes')))!
      paused.pause()
      const replies = await a.run([...charges, ...names.map((name) => call('charge', [tenant(name, 50), free]))])
      const alone = replies.slice(0, names.length)
      const answered = alone.filter((reply) => reply !== undefined).length
      assert.ok(answered > 0 && answered < names.length, `${answered} of ${names.length}`)
      for (const [i, reply] of alone.entries()) assert.equal(reply === undefined, replies[names.length + i] === undefined)
      while ((await left(a, free)) !== 100 - answered) await sleep(5)
      paused.resume()
      for (;;) {
        const healed = await a.run(names.map((name) => call('peek', [tenant(name, 50)])))
        if (healed.every((reply) => reply !== undefined)) break
        await sleep(20)
      }
    },
  )

  await t.test('places and epochs live in each part', async () => {
    const places = level('c:1', { place: 'q', kind: 'concurrency', parameters: [2, 0, 0] })
    assert.equal((await one(a, call('charge', [places], 2))).granted, 2)
    assert.equal((await one(b, call('charge', [places]))).granted, 0)
    await one(a, call('charge', [tenant('kept', 10)], 6))
    for (const server of servers) server.cli('flushall')
    assert.equal((await one(a, call('charge', [tenant('kept', 10)]))).levels[0].remaining, 3)
  })
})
