import { systemClock } from '../../src/core/clock.ts'
import type { Charge, Counters } from '../../src/core/counters.ts'
import { Fault } from '../../src/core/fault.ts'
import { isPromise } from '../../src/core/handler.ts'
import { silentLog } from '../../src/core/log.ts'
import { silentMeter } from '../../src/core/meter.ts'
import { FleetClient } from '../../src/limits/fleet/fleet-client.ts'
import { createFleetCounters } from '../../src/limits/fleet/fleet-counters.ts'
import type { LimitSpec } from '../../src/limits/limit-spec.ts'
import { allocateLimitTable, createLimitTable } from '../../src/limits/limit-table.ts'
import { createRedisBudgets } from '../../src/stores/redis/redis-budgets.ts'
import type { RedisServer } from '../../test/support/redis-server.ts'
import { startRedis } from '../../test/support/redis-server.ts'
import { benchLimit } from './bench-limit.ts'
import { median } from './table.ts'

const callers = 200
const callsPerSecond = 10_000

/** Rows of what a decision costs over a Redis on this machine: CPU of this thread, and the wait at a steady rate. */
export async function fleetRows(spec: LimitSpec, drawn: readonly string[], rounds: number): Promise<string[][]> {
  const redis = await startRedis('--save', '', '--appendonly', 'no')
  const rows: string[][] = []
  try {
    for (const [name, tolerance, isHot, claimed] of [
      ['velum, fleet, exact, distinct keys', 0, false, '3 µs'],
      ['velum, fleet, exact, one key', 0, true, ''],
      ['velum, fleet, leased (5 %), one key', 0.05, true, '1 µs'],
    ] as const) {
      const fleet = await joinFleet({ ...spec, tolerance }, redis.url, name.replaceAll(' ', '-'))
      const charge = (key: string): Charge => ({ limit: spec.name, key: isHot ? 'hot' : key, cost: 1 })
      const costs: number[] = []
      let spoilt = 0
      while (costs.length < rounds && spoilt <= rounds) {
        const cost = await cpuPerDecision(drawn, charge, fleet.counters)
        if (cost !== undefined) costs.push(cost)
        else {
          spoilt++
          await fleet.isBack()
        }
      }
      rows.push([spoilt === 0 ? name : `${name} (${spoilt} rounds spoilt)`, words(median(costs)), '', claimed])
      if (!isHot) {
        const { waits, unanswered } = await waitsAtARate(drawn, charge, fleet.counters)
        const label = `  waited for, at ${callsPerSecond.toLocaleString('en')} a second: median`
        rows.push([unanswered === 0 ? label : `${label} (${unanswered} unanswered)`, words(median(waits) * 1000), '', '1000 µs'])
      }
      fleet.close()
    }
  } finally {
    await redis.stop()
  }
  return rows
}

/** What a decision over Redis costs, in CPU: of Redis itself, which a fleet shares, and of the node that asks. */
export interface StoreCost {
  readonly name: string
  readonly storeMicros: number
  readonly gatewayMicros: number
}

/** Exact decisions of distinct keys, exact and leased ones of one key, with as many callers as above. */
export async function storeCosts(): Promise<StoreCost[]> {
  const redis = await startRedis('--save', '', '--appendonly', 'no')
  const costs: StoreCost[] = []
  const drawn = Array.from({ length: 200_000 }, (_, i) => `k${Math.imul(i, 40_503) >>> 16}`)
  try {
    for (const [name, tolerance, isHot] of [
      ['exact, many keys', 0, false],
      ['exact, one key', 0, true],
      ['leased (5 %), one key', 0.05, true],
    ] as const) {
      const fleet = await joinFleet({ ...benchLimit, tolerance }, redis.url, name.replaceAll(/\W+/g, '-'))
      const charge = (key: string): Charge => ({ limit: benchLimit.name, key: isHot ? 'hot' : key, cost: 1 })
      await cpuPerDecision(drawn, charge, fleet.counters)
      const before = redisMicros(redis)
      const gatewayMicros = (await cpuPerDecision(drawn, charge, fleet.counters)) ?? Number.NaN
      costs.push({ name, storeMicros: (redisMicros(redis) - before) / drawn.length, gatewayMicros })
      fleet.close()
    }
  } finally {
    await redis.stop()
  }
  return costs
}

/** CPU of Redis so far, its own word. */
function redisMicros(redis: RedisServer): number {
  const used = redis.cli('info', 'cpu').matchAll(/^used_cpu_(?:sys|user):([\d.]+)/gm)
  return Array.from(used, ([, seconds]) => Number(seconds) * 1e6).reduce((sum, each) => sum + each, 0)
}

/** Microseconds; a store that answered nothing in time says so. */
function words(us: number): string {
  return Number.isNaN(us) ? 'no answer' : `${us.toFixed(us < 100 ? 2 : 0)} µs`
}

interface Joined {
  readonly counters: Counters
  /** Waits until the store answers again, ten seconds at most. */
  isBack(): Promise<void>
  close(): void
}

async function joinFleet(limit: LimitSpec, url: string, gateway: string): Promise<Joined> {
  const direct = { url, isCluster: false, answerMs: 2000 }
  const store = createRedisBudgets({ direct, gateway, clock: systemClock, log: silentLog })
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
  return {
    counters,
    async isBack() {
      for (let i = 0; i < 100 && client.isDown; i++) await new Promise((resolve) => setTimeout(resolve, 100))
    },
    close: () => client.close(),
  }
}

/** CPU of this process per decision in µs, with so many callers at one time; undefined when the store left one unanswered. */
async function cpuPerDecision(
  drawn: readonly string[],
  charge: (key: string) => Charge,
  counters: Counters,
): Promise<number | undefined> {
  let next = 0
  let isSpoilt = false
  const caller = async (): Promise<void> => {
    try {
      while (next < drawn.length) {
        const charged = counters.charge([charge(drawn[next++])])
        if (isPromise(charged)) await charged
      }
    } catch (thrown) {
      if (!isStoreDown(thrown)) throw thrown
      // What is refused without the store costs next to nothing: such a round says nothing.
      isSpoilt = true
      next = drawn.length
    }
  }
  const before = process.cpuUsage()
  await Promise.all(Array.from({ length: callers }, caller))
  const { user, system } = process.cpuUsage(before)
  return isSpoilt ? undefined : (user + system) / drawn.length
}

function isStoreDown(thrown: unknown): boolean {
  return thrown instanceof Fault && thrown.code === 'store-down'
}

/** How long each decision was waited for, in ms, when they come at a steady rate for two seconds. */
async function waitsAtARate(
  drawn: readonly string[],
  charge: (key: string) => Charge,
  counters: Counters,
): Promise<{ readonly waits: readonly number[]; readonly unanswered: number }> {
  const waits: number[] = []
  let unanswered = 0
  let asked = 0
  const startedAt = performance.now()
  // Nothing of a decision may live on: what the collector would copy is not what decisions cost.
  const decide = async (key: string): Promise<void> => {
    const askedAt = performance.now()
    try {
      await counters.charge([charge(key)])
      waits.push(performance.now() - askedAt)
    } catch (thrown) {
      if (!isStoreDown(thrown)) throw thrown
      unanswered++
    }
  }
  for (let elapsedMs = 0; elapsedMs < 2000 || waits.length + unanswered < asked; elapsedMs = performance.now() - startedAt) {
    const due = elapsedMs < 2000 ? Math.floor((elapsedMs * callsPerSecond) / 1000) : asked
    while (asked < due) void decide(drawn[asked++ % drawn.length])
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  return { waits, unanswered }
}
