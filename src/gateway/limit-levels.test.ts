import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gatewayModel } from '../../test/support/gateway-model.ts'
import { perTenant } from '../../test/support/limit-world.ts'
import { noRedis, startRedis } from '../../test/support/redis-server.ts'
import { systemClock } from '../core/clock.ts'
import { silentLog } from '../core/log.ts'
import { ManualClock } from '../core/manual-clock.ts'
import { levelOf } from '../limits/fleet/fleet-counters.ts'
import { fleetLimitOf } from '../limits/fleet/fleet-limit.ts'
import { allocateLimitTable, createLimitTable } from '../limits/limit-table.ts'
import { createRedisBudgets } from '../stores/redis/redis-budgets.ts'
import { LimitLevels } from './limit-levels.ts'

test('the level of a budget is what workers made of it, and asking makes and takes nothing', async (t) => {
  const clock = new ManualClock()
  const memory = allocateLimitTable({ maxKeys: 64, workers: 2 }, clock)
  const model = gatewayModel({ limits: [perTenant], store: { kind: 'embedded', path: '' } })
  const levels = new LimitLevels({ memory, workers: 2, clock, log: silentLog, model: () => model, direct: () => undefined })
  t.after(() => levels.close())
  const whole = await levels.level(perTenant, 'acme')
  assert.deepEqual([whole.source, whole.remaining, whole.wholeAfterMs], ['node', whole.capacity, 0])
  const worker = createLimitTable(memory, 1, clock).open([perTenant])
  worker.charge([{ limit: 'perTenant', key: 'acme', cost: 3 }])
  for (let i = 0; i < 3; i++) {
    const { remaining, capacity, wholeAfterMs } = await levels.level(perTenant, 'acme')
    assert.equal(remaining, capacity - 3)
    assert.ok(wholeAfterMs > 0)
  }
  const other = await levels.level(perTenant, 'nobody was here')
  assert.equal(other.remaining, other.capacity)
  // A thousand keys that were only asked about have crowded nobody out of sixty-four.
  for (let i = 0; i < 1000; i++) await levels.level(perTenant, `key ${i}`)
  assert.equal((await levels.level(perTenant, 'acme')).remaining, whole.capacity - 3)
  const { levels: still } = worker.peek([{ limit: 'perTenant', key: 'acme', cost: 0 }])
  assert.equal(still[0].remaining, whole.capacity - 3)
})

test('the level of a budget of a fleet is what the store has, and asking takes nothing', { skip: noRedis }, async (t) => {
  const redis = await startRedis()
  t.after(() => redis.stop())
  const own = gatewayModel({ limits: [perTenant], store: { kind: 'redis', url: redis.url } })
  const use = { use: 'perTenant', cost: 1, shadow: false, source: '' }
  const model = { ...own, services: [{ ...own.services[0], name: 'a', limits: [use] }] }
  const direct = { url: redis.url, isCluster: false, answerMs: 1000 }
  const levels = new LimitLevels({
    memory: allocateLimitTable({ maxKeys: 64, workers: 1 }, systemClock),
    workers: 1,
    clock: systemClock,
    log: silentLog,
    model: () => model,
    direct: () => direct,
  })
  t.after(() => levels.close())
  const spec = { ...perTenant, refill: { units: 1, periodMs: 3_600_000 } }
  const whole = await levels.level(spec, 'acme')
  assert.deepEqual([whole.source, whole.remaining], ['store', whole.capacity])
  const store = createRedisBudgets({ direct, gateway: model.name, clock: systemClock, log: silentLog })
  t.after(() => store.close())
  const charge = {
    verb: 'charge',
    count: 4,
    levels: [levelOf(fleetLimitOf(spec), { limit: 'perTenant', key: 'acme', cost: 1 })],
  } as const
  for (;;) {
    try {
      await store.run([charge])
      break
    } catch (thrown) {
      // It connects in the background.
      if ((thrown as { code?: string }).code !== 'store-down') throw thrown
      await new Promise(setImmediate)
    }
  }
  for (let i = 0; i < 3; i++) assert.equal((await levels.level(spec, 'acme')).remaining, whole.capacity - 4)
  assert.equal((await levels.level(spec, 'other')).remaining, whole.capacity)
})

test('where a fleet counts, the store alone can tell', async () => {
  const clock = new ManualClock()
  const memory = allocateLimitTable({ maxKeys: 64, workers: 1 }, clock)
  const own = gatewayModel({ limits: [perTenant], store: { kind: 'redis', url: 'redis://127.0.0.1:1' } })
  const use = { use: 'perTenant', cost: 1, shadow: false, source: '' }
  const model = { ...own, services: [{ ...own.services[0], name: 'a', limits: [use] }] }
  const levels = new LimitLevels({ memory, workers: 1, clock, log: silentLog, model: () => model, direct: () => undefined })
  await assert.rejects(levels.level(perTenant, 'acme'), { code: 'store-down' })
  // A limit that stands at edges alone is this node's own.
  const edges = new LimitLevels({ memory, workers: 1, clock, log: silentLog, model: () => own, direct: () => undefined })
  assert.equal((await edges.level(perTenant, 'acme')).source, 'node')
})
