import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ManualClock } from '../core/manual-clock.ts'
import { createResourceGauges } from './resource-gauges.ts'
import type { HeldResources } from './resource-gauges.ts'
import { metricsText } from './metrics-text.ts'
import { RowMeter } from './meter-row.ts'
import { MeterTotals } from './meter-totals.ts'

test('what a thread holds is shown every five seconds, and nothing is left of what it no longer holds', async () => {
  const totals = new MeterTotals()
  const row = new Float64Array(64)
  const clock = new ManualClock()
  let held: HeldResources = { heapBytes: 1000, externalBytes: 50, kinds: ['TCPSocketWrap', 'Timeout', 'TCPSocketWrap'] }
  const meter = new RowMeter(row, (entries) => totals.announce(0, row, entries))
  const gauges = createResourceGauges({ meter, clock, thread: '0', held: () => held })
  const lines = (): string[] => metricsText(totals.families()).match(/^velum.*$/gm)!
  const after = async (ms: number): Promise<string[]> => {
    clock.advance(ms)
    await Promise.resolve()
    return lines()
  }
  assert.deepEqual(await after(5000), [
    'velum_active_resources{kind="TCPSocketWrap",thread="0"} 2',
    'velum_active_resources{kind="Timeout",thread="0"} 1',
    'velum_external_bytes{thread="0"} 50',
    'velum_heap_bytes{thread="0"} 1000',
  ])
  held = { heapBytes: 900, externalBytes: 0, kinds: ['Timeout', 'Timeout'] }
  assert.equal((await after(4999))[3], 'velum_heap_bytes{thread="0"} 1000')
  assert.deepEqual(await after(1), [
    'velum_active_resources{kind="TCPSocketWrap",thread="0"} 0',
    'velum_active_resources{kind="Timeout",thread="0"} 2',
    'velum_external_bytes{thread="0"} 0',
    'velum_heap_bytes{thread="0"} 900',
  ])
  gauges.close()
  held = { heapBytes: 1, externalBytes: 1, kinds: [] }
  assert.equal((await after(60_000))[3], 'velum_heap_bytes{thread="0"} 900')
})

const nothingHeld = (): HeldResources => ({ heapBytes: 0, externalBytes: 0, kinds: [] })

test('how many requests are under way, and how many configurations they belong to', async () => {
  const totals = new MeterTotals()
  const row = new Float64Array(64)
  const clock = new ManualClock()
  const meter = new RowMeter(row, (entries) => totals.announce(0, row, entries))
  let exchanges = { active: 7, retired: 2 }
  createResourceGauges({ meter, clock, thread: '0', held: nothingHeld, exchanges: () => exchanges })
  const seen = (): string[] => metricsText(totals.families()).match(/^velum_(?:exchanges|generations).*$/gm)!
  await Promise.resolve()
  clock.advance(5000)
  assert.deepEqual(seen(), ['velum_exchanges 7', 'velum_generations_retired 2'])
  exchanges = { active: 0, retired: 0 }
  clock.advance(5000)
  assert.deepEqual(seen(), ['velum_exchanges 0', 'velum_generations_retired 0'])
})

test('by itself it reads the thread that it runs in', () => {
  const seen = new Map<string, number>()
  const meter = {
    gauge: (name: string) => ({ add: (n: number) => void seen.set(name, (seen.get(name) ?? 0) + n) }),
    counter: () => assert.fail(),
    histogram: () => assert.fail(),
  }
  const clock = new ManualClock()
  createResourceGauges({ meter, clock, thread: 'main' })
  clock.advance(5000)
  assert.ok(seen.get('velum_heap_bytes')! > 1e6 && seen.get('velum_heap_bytes')! < 1e9)
  assert.ok(seen.has('velum_external_bytes'))
})
