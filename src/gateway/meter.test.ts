import assert from 'node:assert/strict'
import { test } from 'node:test'
import { beat, beatsOf, metricsBytes, metricsRow, RowMeter, slotsPerRow } from './meter-row.ts'
import type { SeriesEntry } from './meter-row.ts'
import { MeterTotals } from './meter-totals.ts'
import { metricsText } from './metrics-text.ts'

function node(workers: number): { meters: RowMeter[]; rows: Float64Array[]; totals: MeterTotals; settle: () => Promise<void> } {
  const shared = new SharedArrayBuffer(metricsBytes(workers))
  const totals = new MeterTotals()
  const rows = Array.from({ length: workers }, (_, worker) => metricsRow(shared, worker))
  const meters = rows.map((row, worker) => new RowMeter(row, (entries) => totals.announce(worker, row, entries)))
  return { meters, rows, totals, settle: () => Promise.resolve() }
}

test('opening the same name and labels twice yields the same series, whatever the order of the labels', async () => {
  const { meters, totals, settle } = node(1)
  meters[0].counter('velum_a_total', 'A.', { x: '1', y: '2' }).add()
  meters[0].counter('velum_a_total', 'A.', { y: '2', x: '1' }).add(4)
  await settle()
  assert.equal(
    metricsText(totals.families()),
    '# HELP velum_a_total A.\n# TYPE velum_a_total counter\nvelum_a_total{x="1",y="2"} 5\n',
  )
})

test('workers that opened their series in different orders are summed by name and labels', async () => {
  const { meters, totals, settle } = node(2)
  meters[0].counter('velum_a_total', 'A.').add(1)
  meters[0].gauge('velum_b', 'B.').add(5)
  meters[1].gauge('velum_b', 'B.').add(-2)
  meters[1].counter('velum_a_total', 'A.').add(10)
  await settle()
  const text = metricsText(totals.families())
  assert.match(text, /^velum_a_total 11$/m)
  assert.match(text, /^velum_b 3$/m)
})

test('a dead worker keeps its counts and histograms, loses its gauges, and its row starts from zero', async () => {
  const { meters, rows, totals, settle } = node(1)
  beat(rows[0])
  meters[0].counter('velum_a_total', 'A.').add(7)
  meters[0].gauge('velum_b', 'B.').add(5)
  meters[0].histogram('velum_c_seconds', 'C.').observe(0.002)
  await settle()
  totals.fold(0, rows[0])
  assert.equal(beatsOf(rows[0]), 0)
  const reborn = new RowMeter(rows[0], (entries) => totals.announce(0, rows[0], entries))
  reborn.histogram('velum_c_seconds', 'C.').observe(0.002)
  reborn.counter('velum_a_total', 'A.').add(1)
  await settle()
  for (let scrape = 0; scrape < 2; scrape++) {
    const text = metricsText(totals.families())
    assert.match(text, /^velum_a_total 8$/m)
    assert.match(text, /^velum_c_seconds_count 2$/m)
    assert.doesNotMatch(text, /velum_b/)
  }
})

test('a histogram counts a value on a bound into that bucket, and its buckets add up', async () => {
  const { meters, totals, settle } = node(1)
  const spread = meters[0].histogram('velum_size_bytes', 'S.', { route: 'r' })
  for (const value of [0, 256, 257, 16_777_217]) spread.observe(value)
  await settle()
  const text = metricsText(totals.families())
  assert.match(text, /^velum_size_bytes_bucket\{route="r",le="256"\} 2$/m)
  assert.match(text, /^velum_size_bytes_bucket\{route="r",le="1024"\} 3$/m)
  assert.match(text, /^velum_size_bytes_bucket\{route="r",le="16777216"\} 3$/m)
  assert.match(text, /^velum_size_bytes_bucket\{route="r",le="\+Inf"\} 4$/m)
  assert.match(text, /^velum_size_bytes_sum\{route="r"\} 16777730$/m)
  assert.match(text, /^velum_size_bytes_count\{route="r"\} 4$/m)
})

test('what a route never counted is left out, until it counts; what nobody counted of other things is there', async () => {
  const { meters, rows, totals, settle } = node(1)
  const count = meters[0].counter('velum_a_total', 'A.', { route: 'r' })
  const spread = meters[0].histogram('velum_b_seconds', 'B.', { route: 'r' })
  meters[0].gauge('velum_c', 'C.', { route: 'r' })
  meters[0].counter('velum_d_total', 'D.', { listener: 'l' })
  await settle()
  const before = metricsText(totals.families())
  assert.deepEqual(before.match(/^velum_\w+/gm), ['velum_c', 'velum_d_total'])
  count.add()
  spread.observe(0)
  assert.match(metricsText(totals.families()), /^velum_a_total\{route="r"\} 1$/m)
  assert.match(metricsText(totals.families()), /^velum_b_seconds_count\{route="r"\} 1$/m)
  totals.fold(0, rows[0])
  assert.match(metricsText(totals.families()), /^velum_a_total\{route="r"\} 1$/m)
})

test('help and label values are escaped as the format asks', async () => {
  const { meters, totals, settle } = node(1)
  meters[0].counter('velum_a_total', 'back\\slash and\nline "quoted"', { x: 'a"b\\c\nd' }).add()
  await settle()
  assert.equal(
    metricsText(totals.families()),
    '# HELP velum_a_total back\\\\slash and\\nline "quoted"\n# TYPE velum_a_total counter\nvelum_a_total{x="a\\"b\\\\c\\nd"} 1\n',
  )
})

test('names that Prometheus refuses, and one name of two kinds, are errors of the one who opens them', () => {
  const { meters } = node(1)
  assert.throws(() => meters[0].counter('velum-a', 'A.'), /not a metric's name/)
  assert.throws(() => meters[0].counter('velum_a', 'A.', { 'x-y': '1' }), /not a label's name/)
  meters[0].counter('velum_a_total', 'A.')
  assert.throws(() => meters[0].gauge('velum_a_total', 'A.'), /is a counter, not a gauge/)
})

test('a full row counts nothing further, says so once, and harms no neighbour', () => {
  const announced: SeriesEntry[] = []
  let full = 0
  const row = new Float64Array(6)
  const meter = new RowMeter(
    row,
    (entries) => void announced.push(...entries),
    () => full++,
  )
  meter.histogram('velum_a_seconds', 'A.').observe(1)
  meter.histogram('velum_b_seconds', 'B.').observe(1)
  meter.counter('velum_c_total', 'C.').add(3)
  assert.equal(full, 1)
  assert.deepEqual([...row], [0, 4, 0, 3, 0, 0])
})

test('rows do not overlap', () => {
  const shared = new SharedArrayBuffer(metricsBytes(2))
  const first = metricsRow(shared, 0)
  first[slotsPerRow - 1] = 1
  assert.equal(metricsRow(shared, 1)[0], 0)
  assert.equal(first.length, slotsPerRow)
})
