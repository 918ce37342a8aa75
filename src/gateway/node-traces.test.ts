import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TelemetryModel } from '../config/model.ts'
import { ManualClock } from '../core/manual-clock.ts'
import { silentLog } from '../core/log.ts'
import { metricsText } from './metrics-text.ts'
import { MeterTotals } from './meter-totals.ts'
import { RowMeter } from './meter-row.ts'
import { NodeTraces } from './node-traces.ts'
import { SpanSender } from './span-sender.ts'
import type { SpanRow } from './span-row.ts'

const model: TelemetryModel = { url: 'http://127.0.0.1:1/v1/traces', sample: 1, secretHeaders: {}, serviceName: 'edge' }
const row = (name: string): SpanRow => ({
  traceId: 'a'.repeat(32),
  spanId: 'b'.repeat(16),
  parentId: undefined,
  hasRemoteParent: false,
  name,
  kind: 'server',
  beganAt: 1,
  endedAt: 2,
  isError: false,
  attributes: [],
})
const rows = (count: number, name = 'a'): SpanRow[] => Array.from({ length: count }, () => row(name))
const settled = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve))

function world() {
  const clock = new ManualClock()
  const totals = new MeterTotals()
  const memory = new Float64Array(200)
  const meter = new RowMeter(memory, (entries) => totals.announce(0, memory, entries))
  const count = (name: string): number => {
    const line = metricsText(totals.families())
      .split('\n')
      .find((text) => text.startsWith(`velum_trace_spans_${name} `))
    return Number(line?.split(' ').at(-1) ?? 0)
  }
  return { clock, meter, count }
}

async function collector(answer: (batch: readonly SpanRow[]) => Promise<void>) {
  const { clock, meter, count } = world()
  const batches: (readonly SpanRow[])[] = []
  let take: ((message: unknown) => unknown) | undefined
  const hub = {
    answer: (_topic: string, handler: (message: unknown) => unknown) => {
      take = handler
      return () => (take = undefined)
    },
  }
  const traces = new NodeTraces(hub, {
    clock,
    log: silentLog,
    meter,
    createExporter: () => (batch) => {
      batches.push(batch)
      return answer(batch)
    },
  })
  return { clock, count, batches, traces, take: (list: readonly SpanRow[]) => take!(list) }
}

test('spans are sent in batches, at the latest after half a second', async () => {
  const { clock, batches, traces, take, count } = await collector(() => Promise.resolve())
  ;(await traces.prepare(model)).commit()
  take(rows(3))
  assert.equal(batches.length, 0)
  clock.advance(500)
  await settled()
  assert.deepEqual(
    batches.map((batch) => batch.length),
    [3],
  )
  take(rows(600))
  await settled()
  assert.deepEqual(
    batches.map((batch) => batch.length),
    [3, 512],
    'a full one does not wait',
  )
  await traces.close()
  assert.deepEqual(
    batches.map((batch) => batch.length),
    [3, 512, 88],
    'the rest goes at the end',
  )
  assert.equal(count('exported_total'), 603)
})

test('a dead collector costs what was for it, is asked ever more rarely, and holds up nobody', async () => {
  let isDead = true
  const { clock, batches, traces, take, count } = await collector(() =>
    isDead ? Promise.reject(new Error('dead')) : Promise.resolve(),
  )
  ;(await traces.prepare(model)).commit()
  for (const pauseMs of [500, 1000, 2000, 4000]) {
    const before = batches.length
    take(rows(1))
    clock.advance(pauseMs - 1)
    await settled()
    assert.equal(batches.length, before)
    clock.advance(1)
    await settled()
    assert.equal(batches.length, before + 1)
  }
  assert.equal(count('dropped_total{reason="collector"}'), 4)
  take(rows(20_000))
  assert.equal(count('dropped_total{reason="queue-full"}'), 20_000 - 16_384)
  isDead = false
  clock.advance(8000)
  await settled()
  assert.equal(count('exported_total'), 16_384, 'what has waited goes out')
  await traces.close()
})

test('a collector that never answers is given up, and does not keep the gateway from ending', async () => {
  const { clock, batches, traces, take, count } = await collector(() => new Promise(() => {}))
  ;(await traces.prepare(model)).commit()
  take(rows(1))
  clock.advance(1000)
  await settled()
  assert.equal(batches.length, 1)
  take(rows(5))
  clock.advance(11_000)
  await settled()
  assert.equal(count('dropped_total{reason="collector"}'), 1)
  clock.advance(1000)
  await settled()
  assert.equal(batches.length, 2)
  take(rows(7))
  const closed = traces.close()
  await settled()
  clock.advance(2000)
  await closed
  assert.equal(count('dropped_total{reason="stopped"}'), 7)
})

test('spans that nobody wants are counted, not kept; those that wait go to the collector of the next configuration', async () => {
  const { clock, batches, traces, take, count } = await collector(() => Promise.resolve())
  take(rows(2))
  assert.equal(count('dropped_total{reason="queue-full"}'), 2)
  ;(await traces.prepare(model)).commit()
  take(rows(1, 'before'))
  ;(await traces.prepare(undefined)).commit()
  clock.advance(1000)
  await settled()
  assert.deepEqual(
    batches.flat().map(({ name }) => name),
    ['before'],
  )
  await traces.close()
})

test('a worker hands spans over in batches; while main is busy they are dropped and counted', async () => {
  const { clock, meter, count } = world()
  const asked: { length: number; done: () => void; fail: (why: Error) => void }[] = []
  const link = {
    ask: (_topic: string, message: unknown) =>
      new Promise<unknown>((resolve, reject) => {
        asked.push({ length: (message as unknown[]).length, done: () => resolve(undefined), fail: reject })
      }),
  }
  const sender = new SpanSender({ link, clock, meter })
  sender.add(row('a'))
  assert.equal(asked.length, 0)
  clock.advance(200)
  assert.deepEqual(
    asked.map(({ length }) => length),
    [1],
  )
  for (let i = 0; i < 256 * 9; i++) sender.add(row('b'))
  assert.equal(asked.length, 8, 'so many batches are under way at most')
  await settled()
  assert.equal(count('dropped_total{reason="main-busy"}'), 2 * 256)
  asked[0].done()
  asked[1].fail(new Error('main is gone'))
  await settled()
  assert.equal(count('dropped_total{reason="main-busy"}'), 3 * 256)
  sender.add(row('c'))
  const flushed = sender.flushed()
  assert.equal(asked.length, 9)
  for (const { done } of asked) done()
  await flushed
})
