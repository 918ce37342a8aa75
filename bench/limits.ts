import { readFileSync } from 'node:fs'
import { systemClock } from '../src/core/clock.ts'
import type { LimitSpec } from '../src/limits/limit-spec.ts'
import type { LocalCounters } from '../src/limits/limit-table.ts'
import { allocateLimitTable, createLimitTable } from '../src/limits/limit-table.ts'
import { limitTableBytes } from '../src/limits/table-memory.ts'
import { noRedis } from '../test/support/redis-server.ts'
import { limitPeers } from './peers/limit-peers.ts'
import type { LimitPeer } from './peers/limit-peers.ts'
import type { BenchOptions } from './run.ts'
import { benchLimit as spec } from './support/bench-limit.ts'
import { collectGarbage } from './support/collect-garbage.ts'
import { fleetRows } from './support/fleet-decisions.ts'
import { limitedProxy } from './support/limited-proxy.ts'
import { median, table } from './support/table.ts'

const keyCount = 100_000
/** So many that what the table needs besides does not show. */
const manyKeys = 1_000_000

/**
 * What a limit's decision costs: in the process beside the memory stores of others, CPU and bytes for each of 100,000 keys;
 * over a Redis on this machine, exact and leased; and what three levels add to a proxied request.
 */
export async function benchLimits(options: BenchOptions): Promise<void> {
  const { isQuick, rounds } = options
  const decisions = isQuick ? 200_000 : 1_000_000
  const keys = Array.from({ length: keyCount }, (_, i) => addressOf(i))
  const drawn = Array.from({ length: decisions }, () => keys[Math.floor(Math.random() * keyCount)])
  const contenders = [ours(), threeLevels(), ...limitPeers(2 * keyCount)]
  const bytes: string[] = []
  for (const { decide } of contenders) {
    const before = heap()
    for (const key of keys) await decide(key)
    bytes.push(`${((heap() - before) / keyCount).toFixed(0)} B`)
  }
  // Ours lies outside the heap, and holds its keys by their hash.
  bytes[0] = `${bytesPerKey().toFixed(0)} B`
  bytes[1] = ''
  const costs: number[][] = contenders.map(() => [])
  for (let round = 0; round < rounds; round++) {
    for (const [i, { decide }] of contenders.entries()) costs[i].push(await cpuOf(drawn, decide))
  }
  const few = keys.slice(0, 1000)
  const near = Array.from({ length: decisions }, (_, i) => few[Math.imul(i, 40_503) & 511])
  const cached: number[] = []
  for (let round = 0; round < rounds; round++) cached.push(await cpuOf(near, contenders[0].decide))
  const rows = contenders.map(({ name }, i) => [name, `${median(costs[i]).toFixed(2)} µs`, bytes[i], i === 0 ? '0.5 µs, 64 B' : ''])
  rows.splice(1, 0, ['  of keys that are in the processor’s cache', `${median(cached).toFixed(2)} µs`, '', ''])
  if (noRedis === false) rows.push(...(await fleetRows(spec, drawn.slice(0, decisions / 5), rounds)))
  const proxied = await limitedProxy(isQuick ? 4 : 10, 1)
  rows.push(
    ['velum, a proxied request without limits', `${proxied.without.toFixed(1)} µs`, '', ''],
    ['velum, a proxied request with three levels', `${proxied.levels.toFixed(1)} µs`, '', ''],
    ['  added (median of the rounds)', `${proxied.added.toFixed(1)} µs`, '', '3 µs'],
  )
  console.log(table(['decision', 'CPU', 'memory per key', 'claimed at most'], rows))
}

function addressOf(i: number): string {
  return `10.${i >>> 16}.${(i >>> 8) & 255}.${i & 255}`
}

function open(maxKeys: number, specs: readonly LimitSpec[]): LocalCounters {
  return createLimitTable(allocateLimitTable({ maxKeys, workers: 1 }, systemClock), 0, systemClock).open(specs)
}

function ours(): LimitPeer {
  const counters = open(2 * keyCount, [spec])
  return { name: 'velum, one level', decide: (key) => counters.charge([{ limit: 'bench', key, cost: 1 }]) }
}

function threeLevels(): LimitPeer {
  const counters = open(4 * keyCount, [spec, { ...spec, name: 'route' }, { ...spec, name: 'all' }])
  return {
    name: 'velum, three levels at once',
    decide: (key) =>
      counters.charge([
        { limit: 'bench', key, cost: 1 },
        { limit: 'route', key: 'orders', cost: 1 },
        { limit: 'all', key: '', cost: 1 },
      ]),
  }
}

/** Resident memory of a table for a million keys that holds as many, for each of them; what is only reserved is not in it. */
function bytesPerKey(): number {
  const before = mappings()
  const counters = open(manyKeys, [spec])
  for (let i = 0; i < manyKeys; i++) counters.charge([{ limit: 'bench', key: addressOf(i), cost: 1 }])
  return grownBytes(before, limitTableBytes({ maxKeys: manyKeys, workers: 1 })) / manyKeys
}

interface Mapping {
  readonly from: number
  readonly to: number
  readonly residentBytes: number
}

function mappings(): Mapping[] {
  const found = readFileSync('/proc/self/smaps', 'latin1').matchAll(/^([\da-f]+)-([\da-f]+) [^]*?^Rss: +(\d+) kB$/gm)
  return Array.from(found, ([, from, to, rss]) => ({
    from: Number.parseInt(from, 16),
    to: Number.parseInt(to, 16),
    residentBytes: Number(rss) * 1024,
  }))
}

/** By how much the one mapping grew that has room for so many bytes; the kernel may have joined it to neighbours of before. */
function grownBytes(before: readonly Mapping[], bytes: number): number {
  let most = Number.NaN
  for (const { from, to, residentBytes } of mappings()) {
    if (to - from < bytes) continue
    const had = before.reduce((sum, was) => (was.from >= from && was.to <= to ? sum + was.residentBytes : sum), 0)
    if (!(residentBytes - had <= most)) most = residentBytes - had
  }
  return most
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

function heap(): number {
  collectGarbage()
  return process.memoryUsage().heapUsed
}
