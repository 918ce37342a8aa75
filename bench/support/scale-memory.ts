import { readFileSync } from 'node:fs'
import { systemClock } from '../../src/core/clock.ts'
import { allocateLimitTable, createLimitTable } from '../../src/limits/limit-table.ts'
import { identityWorld, pairOf } from '../../test/support/identity-world.ts'
import { benchLimit } from './bench-limit.ts'
import { collectGarbage } from './collect-garbage.ts'

/** What one thing cost among so many of its kind. */
export interface KeptCost {
  readonly count: number
  readonly cpuMicros: number
  readonly bytesEach: number
}

const asked = 200_000
/** A decision on a random one of so many keys, and the resident memory of each. */
export function limiterKeys(counts: readonly number[]): KeptCost[] {
  return counts.map((count) => {
    const before = residentBytes()
    const counters = createLimitTable(allocateLimitTable({ maxKeys: 2 * count, workers: 1 }, systemClock), 0, systemClock).open([
      benchLimit,
    ])
    const charge = (key: string): unknown => counters.charge([{ limit: benchLimit.name, key, cost: 1 }])
    for (let i = 0; i < count; i++) charge(`k${i}`)
    const bytesEach = Math.max(0, residentBytes() - before) / count
    const keys = Array.from({ length: asked }, () => `k${Math.floor(Math.random() * count)}`)
    for (const key of keys) charge(key)
    return { count, cpuMicros: cpuOf(() => keys.forEach(charge)) / asked, bytesEach }
  })
}

/**
 * A request with a random one of so many sessions, its cookie read and judged by one worker; what a worker does not keep
 * near it asks the store for, here one in memory. With the heap that each session takes, its record included.
 */
export async function sessions(counts: readonly number[]): Promise<KeptCost[]> {
  const costs: KeptCost[] = []
  for (const count of counts) {
    const world = await identityWorld()
    try {
      const worker = await world.worker()
      const login = await world.login()
      collectGarbage()
      const before = process.memoryUsage().heapUsed
      const cookies: string[] = []
      for (let i = 0; i < count; i++) {
        const account = { ...login.account, subject: `user-${i}` }
        cookies.push(pairOf((await worker.parts.sessions.start({ ...login, account }, worker.exchange())).setCookie))
      }
      collectGarbage()
      const bytesEach = (process.memoryUsage().heapUsed - before) / count
      const drawn = Array.from({ length: asked }, () => ({ cookie: cookies[Math.floor(Math.random() * count)] }))
      const ask = async (): Promise<void> => {
        for (const request of drawn) await worker.ask(request)
      }
      await ask()
      const start = process.cpuUsage()
      await ask()
      const { user, system } = process.cpuUsage(start)
      costs.push({ count, cpuMicros: (user + system) / asked, bytesEach })
    } finally {
      await world.close()
    }
  }
  return costs
}

function cpuOf(run: () => void): number {
  const before = process.cpuUsage()
  run()
  const { user, system } = process.cpuUsage(before)
  return user + system
}

function residentBytes(): number {
  return Number(readFileSync('/proc/self/statm', 'latin1').split(' ')[1]) * 4096
}
