import { systemClock } from '../../src/core/clock.ts'
import type { Charge, Counters } from '../../src/core/counters.ts'
import { isPromise } from '../../src/core/handler.ts'
import { silentLog } from '../../src/core/log.ts'
import { silentMeter } from '../../src/core/meter.ts'
import { FleetClient } from '../../src/limits/fleet/fleet-client.ts'
import { createFleetCounters } from '../../src/limits/fleet/fleet-counters.ts'
import type { LimitSpec } from '../../src/limits/limit-spec.ts'
import { allocateLimitTable, createLimitTable } from '../../src/limits/limit-table.ts'
import { createRedisBudgets } from '../../src/stores/redis/redis-budgets.ts'
import { startRedis } from '../../test/support/redis-server.ts'
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
      for (let round = 0; round < rounds; round++) costs.push(await cpuPerDecision(drawn, charge, fleet.counters))
      rows.push([name, `${median(costs).toFixed(2)} µs`, '', claimed])
      if (!isHot) {
        const waits = await waitsAtARate(drawn, charge, fleet.counters)
        rows.push([
          `  waited for, at ${callsPerSecond.toLocaleString('en')} a second: median`,
          `${(median(waits) * 1000).toFixed(0)} µs`,
          '',
          '1000 µs',
        ])
      }
      fleet.close()
    }
  } finally {
    await redis.stop()
  }
  return rows
}

async function joinFleet(limit: LimitSpec, url: string, gateway: string): Promise<{ counters: Counters; close(): void }> {
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
  return { counters, close: () => client.close() }
}

/** CPU of this process per decision in µs, with so many callers at one time. */
async function cpuPerDecision(drawn: readonly string[], charge: (key: string) => Charge, counters: Counters): Promise<number> {
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

/** How long each decision was waited for, in ms, when they come at a steady rate for two seconds. */
async function waitsAtARate(drawn: readonly string[], charge: (key: string) => Charge, counters: Counters): Promise<number[]> {
  const waits: number[] = []
  let asked = 0
  const startedAt = performance.now()
  // Nothing of a decision may live on: what the collector would copy is not what decisions cost.
  const decide = async (key: string): Promise<void> => {
    const askedAt = performance.now()
    await counters.charge([charge(key)])
    waits.push(performance.now() - askedAt)
  }
  for (let elapsedMs = 0; elapsedMs < 2000 || waits.length < asked; elapsedMs = performance.now() - startedAt) {
    const due = elapsedMs < 2000 ? Math.floor((elapsedMs * callsPerSecond) / 1000) : asked
    while (asked < due) void decide(drawn[asked++ % drawn.length])
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  return waits
}
