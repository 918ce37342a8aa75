import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import fc from 'fast-check'
import { budgetKinds } from '../../src/core/budgets.ts'
import type { BudgetCall, BudgetKind, BudgetLevel, BudgetStore } from '../../src/core/budgets.ts'
import { systemClock } from '../../src/core/clock.ts'
import { silentLog } from '../../src/core/log.ts'
import { createRedisBudgets } from '../../src/stores/redis/redis-budgets.ts'
import { MemoryBudgets } from '../support/memory-budgets.ts'
import { noRedis, startRedis } from '../support/redis-server.ts'
import type { RedisServer } from '../support/redis-server.ts'

const start = Date.UTC(2028, 1, 28, 23, 59, 50)

const parametersOf = (kind: BudgetKind): fc.Arbitrary<[number, number, number]> => {
  const small = fc.integer({ min: 1, max: 20 })
  switch (kind) {
    case 'token-bucket':
    case 'leaky-queue':
      // In lowest terms, as specs are.
      return fc.tuple(small, fc.constantFrom(1, 3, 7), fc.constantFrom(1, 2, 100, 1000))
    case 'fixed-window':
      return fc.tuple(small, fc.constantFrom(100, 10_000), fc.constantFrom(0, 1))
    case 'sliding-window':
    case 'sliding-log':
      return fc.tuple(small, fc.constantFrom(100, 10_000), fc.constant(0))
    default:
      return fc.tuple(small, fc.constantFrom(0, 1), fc.constant(0))
  }
}

/** Three limits, two keys each; from time to time one is edited. */
const level: fc.Arbitrary<Omit<BudgetLevel, 'cost'>> = fc
  .tuple(fc.constantFrom(...budgetKinds.filter((kind) => kind !== 'concurrency')), fc.constantFrom('a', 'b'))
  .chain(([kind, key]) => parametersOf(kind).map((parameters) => ({ id: `${kind}:${key}`, place: key, kind, parameters })))

const withCost = (limit: Omit<BudgetLevel, 'cost'>, cost: number): BudgetLevel => ({ ...limit, cost })

const history = fc.array(level, { minLength: 1, maxLength: 4 }).chain((limits) =>
  fc.array(
    fc.record({
      waitMs: fc.oneof(fc.integer({ min: 0, max: 300 }), fc.constantFrom(0, 0, 20_000, 86_400_000, -500, -90_000)),
      verb: fc.constantFrom<BudgetCall['verb'][]>('charge', 'charge', 'charge', 'peek', 'credit', 'debit'),
      count: fc.integer({ min: 1, max: 4 }),
      levels: fc
        .uniqueArray(fc.integer({ min: 0, max: limits.length - 1 }), { minLength: 1, maxLength: 3 })
        .chain((chosen) => fc.tuple(...chosen.map((i) => fc.integer({ min: 0, max: 6 }).map((cost) => withCost(limits[i], cost))))),
    }),
    { minLength: 1, maxLength: 30 },
  ),
)

describe('budgets in Redis', { skip: noRedis }, () => {
  let redis: RedisServer
  let store: BudgetStore
  let now = start
  before(async () => {
    redis = await startRedis()
    store = createRedisBudgets({
      direct: { url: redis.url, isCluster: false, answerMs: 200 },
      gateway: 'test',
      clock: systemClock,
      log: silentLog,
      answerMs: 5000,
      now: () => now,
    })
    for (;;) {
      try {
        await store.run([])
        break
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 10))
      }
    }
  })
  after(async () => {
    store.close()
    await redis.stop()
  })

  test('count as the algorithms of limits/ do, whatever is asked, edited and however time goes', async () => {
    let run = 0
    await fc.assert(
      fc.asyncProperty(history, async (calls) => {
        run++
        now = start
        const model = new MemoryBudgets(start)
        for (const { waitMs, verb, count, levels } of calls) {
          now += waitMs
          model.now = now
          const ids = new Set<string>()
          const named = levels
            .map(({ id, place, kind, parameters, cost }) => ({ id: `${run}:${id}`, place, kind, parameters, cost }))
            .filter(({ id }) => !ids.has(id) && ids.add(id) !== undefined)
          const queued = named.some(({ kind }) => kind === 'leaky-queue')
          const call: BudgetCall = { verb, count: queued ? 1 : count, levels: named }
          assert.deepEqual((await store.run([call]))[0], (await model.run([call]))[0])
        }
      }),
      { numRuns: 300 },
    )
  })
})
