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
import type { SpanBatch, SpanRow } from './span-row.ts'

const model: TelemetryModel = { url: 'http://127.0.0.1:1/v1/traces', sample: 1, secretHeaders: {}, serviceName: 'edge' }
const row: SpanRow = {
  traceId: 'a'.repeat(32),
  spanId: 'b'.repeat(16),
  parentId: undefined,
  hasRemoteParent: false,
  name: 'a',
  kind: 'server',
  beganAt: 1,
  endedAt: 2,
  isError: false,
  attributes: [],
}
/** A batch whose bytes tell its size. */
const batchOf = (count: number, length = count): SpanBatch => ({ count, bytes: new Uint8Array(length), served: [] })
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

async function collector(answer: () => Promise<void>) {
  const { clock, meter, count } = world()
  /** Of each, how many spans were in what went into it. */
  const batches: number[][] = []
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
    createExporter: () => (spans) => {
      batches.push(spans.map(({ length }) => length))
      return answer()
    },
  })
  return { clock, count, batches, traces, take: (batch: SpanBatch) => take!(batch) }
}

test('spans are sent many at a time, at the latest after half a second', async () => {
  const { clock, batches, traces, take, count } = await collector(() => Promise.resolve())
  ;(await traces.prepare(model)).commit()
  take(batchOf(3))
  assert.deepEqual(batches, [])
  clock.advance(500)
  await settled()
  assert.deepEqual(batches, [[3]])
  for (const size of [1000, 1000, 100]) take(batchOf(size))
  await settled()
  assert.deepEqual(batches, [[3], [1000, 1000]], 'a full one does not wait')
  await traces.close()
  assert.deepEqual(batches, [[3], [1000, 1000], [100]], 'the rest goes at the end')
  assert.equal(count('exported_total'), 2103)
})

test('no more is sent at a time than a collector takes', async () => {
  const { clock, batches, traces, take } = await collector(() => Promise.resolve())
  ;(await traces.prepare(model)).commit()
  const half = 2 * 1024 * 1024
  for (let i = 0; i < 3; i++) take(batchOf(1, half))
  for (let i = 0; i < 2; i++) {
    clock.advance(500)
    await settled()
  }
  assert.deepEqual(batches, [[half, half], [half]])
  await traces.close()
})

test('a dead collector costs what was for it, is asked ever more rarely, and holds up nobody', async () => {
  let isDead = true
  const { clock, batches, traces, take, count } = await collector(() =>
    isDead ? Promise.reject(new Error('dead')) : Promise.resolve(),
  )
  ;(await traces.prepare(model)).commit()
  for (const pauseMs of [500, 1000, 2000, 4000]) {
    const before = batches.length
    take(batchOf(1))
    clock.advance(pauseMs - 1)
    await settled()
    assert.equal(batches.length, before)
    clock.advance(1)
    await settled()
    assert.equal(batches.length, before + 1)
  }
  assert.equal(count('dropped_total{reason="collector"}'), 4)
  for (let i = 0; i < 9; i++) take(batchOf(2048))
  assert.equal(count('dropped_total{reason="queue-full"}'), 2048)
  isDead = false
  clock.advance(8000)
  await settled()
  assert.equal(count('exported_total'), 8 * 2048, 'what has waited goes out')
  await traces.close()
})

test('a collector that never answers is given up, and does not keep the gateway from ending', async () => {
  const { clock, batches, traces, take, count } = await collector(() => new Promise(() => {}))
  ;(await traces.prepare(model)).commit()
  take(batchOf(1))
  clock.advance(1000)
  await settled()
  assert.equal(batches.length, 1)
  take(batchOf(5))
  clock.advance(11_000)
  await settled()
  assert.equal(count('dropped_total{reason="collector"}'), 1)
  clock.advance(1000)
  await settled()
  assert.equal(batches.length, 2)
  take(batchOf(7))
  const closed = traces.close()
  await settled()
  clock.advance(2000)
  await closed
  assert.equal(count('dropped_total{reason="stopped"}'), 7)
})

test('spans that nobody wants are counted, not kept; those that wait go to the collector of the next configuration', async () => {
  const { clock, batches, traces, take, count } = await collector(() => Promise.resolve())
  take(batchOf(2))
  assert.equal(count('dropped_total{reason="queue-full"}'), 2)
  ;(await traces.prepare(model)).commit()
  take(batchOf(1))
  ;(await traces.prepare(undefined)).commit()
  clock.advance(1000)
  await settled()
  assert.deepEqual(batches, [[1]])
  await traces.close()
})

test('a worker hands spans over in batches; while main is busy they are dropped and counted', async () => {
  const { clock, meter, count } = world()
  const asked: { length: number; done: () => void; fail: (why: Error) => void }[] = []
  const link = {
    ask: (_topic: string, message: unknown) =>
      new Promise<unknown>((resolve, reject) => {
        asked.push({ length: (message as SpanBatch).count, done: () => resolve(undefined), fail: reject })
      }),
  }
  const sender = new SpanSender({ link, clock, meter })
  sender.add(row)
  assert.equal(asked.length, 0)
  clock.advance(200)
  assert.deepEqual(
    asked.map(({ length }) => length),
    [1],
  )
  for (let i = 0; i < 256 * 9; i++) sender.add(row)
  assert.equal(asked.length, 8, 'so many batches are under way at most')
  await settled()
  assert.equal(count('dropped_total{reason="main-busy"}'), 2 * 256)
  asked[0].done()
  asked[1].fail(new Error('main is gone'))
  await settled()
  assert.equal(count('dropped_total{reason="main-busy"}'), 3 * 256)
  sender.add(row)
  const flushed = sender.flushed()
  assert.equal(asked.length, 9)
  for (const { done } of asked) done()
  await flushed
})
