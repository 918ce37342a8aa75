import { createRequire } from 'node:module'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { RateLimiterMemory } from 'rate-limiter-flexible'
import { systemClock } from '../src/core/clock.ts'
import type { Charge, Counters } from '../src/core/counters.ts'
import { isPromise } from '../src/core/handler.ts'
import { silentLog } from '../src/core/log.ts'
import { silentMeter } from '../src/core/meter.ts'
import { FleetClient } from '../src/limits/fleet/fleet-client.ts'
import { createFleetCounters } from '../src/limits/fleet/fleet-counters.ts'
import type { LimitSpec } from '../src/limits/limit-spec.ts'
import { allocateLimitTable, createLimitTable } from '../src/limits/limit-table.ts'
import { limitTableBytes } from '../src/limits/table-memory.ts'
import { createRedisBudgets } from '../src/stores/redis/redis-budgets.ts'
import { noRedis, startRedis } from '../test/support/redis-server.ts'
import type { BenchOptions } from './run.ts'
import { median, table } from './support/table.ts'

const keyCount = 100_000
const callers = 200

const spec: LimitSpec = {
  name: 'bench',
  algorithm: 'token-bucket',
  capacity: 1_000_000,
  refill: { units: 1000, periodMs: 1000 },
  per: [{ kind: 'address' }],
  missing: 'shared',
  shadow: false,
  tolerance: 0,
  onStoreFailure: 'closed',
}

/**
 * What a limit's decision costs: in the process beside the memory stores of others, CPU and bytes for each of 100,000 keys;
 * over a Redis on this machine, CPU of this thread with 200 callers, exact and leased.
 */
export async function benchLimits({ isQuick, rounds }: BenchOptions): Promise<void> {
  const decisions = isQuick ? 200_000 : 1_000_000
  const keys = Array.from({ length: keyCount }, (_, i) => `10.${i >>> 16}.${(i >>> 8) & 255}.${i & 255}`)
  const drawn = Array.from({ length: decisions }, () => keys[Math.floor(Math.random() * keyCount)])
  const rows: string[][] = []
  const contenders = [ours(), twoLevels(), flexible(), fastify()]
  for (const { name, bytes, decide } of contenders) {
    const before = heap()
    for (const key of keys) await decide(key)
    const perKey = bytes ?? (heap() - before) / keyCount
    const costs: number[] = []
    for (let round = 0; round < rounds; round++) costs.push(await cpuOf(drawn, decide))
    rows.push([
      name,
      `${median(costs).toFixed(2)} µs`,
      `${perKey.toFixed(0)} B`,
      name.startsWith('velum, one') ? '0.5 µs, 64 B' : '',
    ])
  }
  if (noRedis === false) rows.push(...(await fleetRows(drawn.slice(0, decisions / 5), rounds)))
  console.log(table(['decision', 'CPU', 'memory per key', 'claimed at most'], rows))
}

interface Contender {
  readonly name: string
  /** Where it is known without measuring. */
  readonly bytes?: number
  readonly decide: (key: string) => unknown
}

function ours(): Contender {
  const size = { maxKeys: 2 * keyCount, workers: 1 }
  const counters = createLimitTable(allocateLimitTable(size, systemClock), 0, systemClock).open([spec])
  return {
    name: 'velum, one level',
    bytes: limitTableBytes(size) / size.maxKeys,
    decide: (key) => counters.charge([{ limit: 'bench', key, cost: 1 }]),
  }
}

function twoLevels(): Contender {
  const size = { maxKeys: 4 * keyCount, workers: 1 }
  const counters = createLimitTable(allocateLimitTable(size, systemClock), 0, systemClock).open([spec, { ...spec, name: 'all' }])
  return {
    name: 'velum, two levels at once',
    bytes: limitTableBytes(size) / size.maxKeys,
    decide: (key) =>
      counters.charge([
        { limit: 'bench', key, cost: 1 },
        { limit: 'all', key: '', cost: 1 },
      ]),
  }
}

function flexible(): Contender {
  const limiter = new RateLimiterMemory({ points: 1_000_000, duration: 3600 })
  return { name: 'rate-limiter-flexible (fixed window)', decide: (key) => limiter.consume(key) }
}

interface FastifyStore {
  incr(key: string, done: (error: unknown, state: unknown) => void, timeWindow: number, max: number): void
}

function nothing(): void {}

function fastify(): Contender {
  const LocalStore = createRequire(import.meta.url)('@fastify/rate-limit/store/LocalStore.js') as new (
    ...options: readonly unknown[]
  ) => FastifyStore
  const store = new LocalStore(false, false, 2 * keyCount)
  return { name: '@fastify/rate-limit, its store (fixed window)', decide: (key) => store.incr(key, nothing, 3_600_000, 1_000_000) }
}

async function fleetRows(drawn: readonly string[], rounds: number): Promise<string[][]> {
  const redis = await startRedis('--save', '', '--appendonly', 'no')
  const rows: string[][] = []
  try {
    for (const [name, tolerance, isHot, claimed] of [
      ['velum, fleet, exact, distinct keys', 0, false, '3 µs'],
      ['velum, fleet, exact, one key', 0, true, ''],
      ['velum, fleet, leased (5 %), one key', 0.05, true, '1 µs'],
    ] as const) {
      const limit = { ...spec, tolerance }
      const direct = { url: redis.url, isCluster: false, answerMs: 200 }
      const store = createRedisBudgets({ direct, gateway: name.replaceAll(' ', '-'), clock: systemClock, log: silentLog })
      const client = new FleetClient({ store, clock: systemClock, node: 'bench', holder: '0', deadlineMs: 2000 })
      const local = createLimitTable(allocateLimitTable({ maxKeys: 1000, workers: 1 }, systemClock), 0, systemClock)
      const counters = createFleetCounters({
        specs: [limit],
        isLocal: () => false,
        client,
        open: (specs) => local.open(specs),
        meter: silentMeter,
      })
      await client.start()
      // A holder prepays only when all others know it.
      await new Promise((resolve) => setTimeout(resolve, 1500))
      const costs: number[] = []
      for (let round = 0; round < rounds; round++) {
        costs.push(await fleetCpu(drawn, (key) => ({ limit: limit.name, key: isHot ? 'hot' : key, cost: 1 }), counters))
      }
      rows.push([name, `${median(costs).toFixed(2)} µs`, '', claimed])
      client.close()
    }
  } finally {
    await redis.stop()
  }
  return rows
}

/** CPU of this process per decision, with so many callers at one time. */
async function fleetCpu(drawn: readonly string[], charge: (key: string) => Charge, counters: Counters): Promise<number> {
  let next = 0
  const caller = async (): Promise<void> => {
    while (next < drawn.length) {
      const charged = counters.charge([charge(drawn[next++])])
      if (isPromise(charged)) await charged
    }
  }
  const before = process.cpuUsage()
  await Promise.all(Array.from({ length: callers }, caller))
  const { user, system } = process.cpuUsage(before)
  return (user + system) / drawn.length
}

async function cpuOf(drawn: readonly string[], decide: (key: string) => unknown): Promise<number> {
  const before = process.cpuUsage()
  for (const key of drawn) {
    const decided = decide(key)
    if (decided instanceof Promise) await decided
  }
  const { user, system } = process.cpuUsage(before)
  return (user + system) / drawn.length
}

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

function heap(): number {
  collect()
  return process.memoryUsage().heapUsed
}
