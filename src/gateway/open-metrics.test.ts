import assert from 'node:assert/strict'
import { test } from 'node:test'
import { atOnce } from '../core/in-slices.ts'
import { Exemplars } from './exemplars.ts'
import { MeterTotals } from './meter-totals.ts'
import { RowMeter } from './meter-row.ts'
import { metricsText } from './metrics-text.ts'
import { openMetricsType, wantsOpenMetrics, writingOpenMetrics } from './open-metrics.ts'

async function counted(): Promise<MeterTotals> {
  const totals = new MeterTotals()
  const row = new Float64Array(200)
  const meter = new RowMeter(row, (entries) => totals.announce(0, row, entries))
  meter.counter('velum_things_total', 'Things, "counted".', { kind: 'a"b' }).add(3)
  meter.counter('velum_oddity', 'A counter of another name.').add(1)
  meter.gauge('velum_level', 'A level.').add(-2)
  const seconds = meter.histogram('velum_request_duration_seconds', 'Time.', { route: 'orders' })
  for (const value of [0.0004, 0.02, 40]) seconds.observe(value)
  await Promise.resolve()
  return totals
}

/** What a batch tells of one span of a server. */
const span = (ms: number, traceId: string, route = 'orders'): (string | number)[] => [
  route,
  traceId,
  'b'.repeat(16),
  1_700_000_000_000,
  1_700_000_000_000 + ms,
]

const trace = (letter: string): string => `trace_id="${letter.repeat(32)}",span_id="${'b'.repeat(16)}"`

test('OpenMetrics: families without the suffix of counters, whole bounds as floats, examples, an end', async () => {
  const totals = await counted()
  const exemplars = new Exemplars()
  exemplars.note([...span(20, 'a'.repeat(32)), ...span(22, 'c'.repeat(32))])
  exemplars.note(span(40_000, 'd'.repeat(32)))
  exemplars.note(span(3, 'e'.repeat(32), 'elsewhere'))
  const families = exemplars.put(totals.families())
  const text = atOnce(writingOpenMetrics(families))
  assert.match(
    text,
    /^# TYPE velum_things counter\n# HELP velum_things Things, \\"counted\\"\.\nvelum_things_total\{kind="a\\"b"\} 3$/m,
  )
  assert.match(text, /^# TYPE velum_oddity unknown\n.*\nvelum_oddity 1$/m)
  assert.match(text, /^# TYPE velum_level gauge\n.*\nvelum_level -2$/m)
  assert.deepEqual(
    text.split('\n').filter((line) => line.startsWith('velum_request_duration')),
    [
      'velum_request_duration_seconds_bucket{route="orders",le="0.0005"} 1',
      'velum_request_duration_seconds_bucket{route="orders",le="0.001"} 1',
      'velum_request_duration_seconds_bucket{route="orders",le="0.0025"} 1',
      'velum_request_duration_seconds_bucket{route="orders",le="0.005"} 1',
      'velum_request_duration_seconds_bucket{route="orders",le="0.01"} 1',
      `velum_request_duration_seconds_bucket{route="orders",le="0.025"} 2 # {${trace('c')}} 0.022 1700000000.022`,
      'velum_request_duration_seconds_bucket{route="orders",le="0.05"} 2',
      'velum_request_duration_seconds_bucket{route="orders",le="0.1"} 2',
      'velum_request_duration_seconds_bucket{route="orders",le="0.25"} 2',
      'velum_request_duration_seconds_bucket{route="orders",le="0.5"} 2',
      'velum_request_duration_seconds_bucket{route="orders",le="1.0"} 2',
      'velum_request_duration_seconds_bucket{route="orders",le="2.5"} 2',
      'velum_request_duration_seconds_bucket{route="orders",le="5.0"} 2',
      'velum_request_duration_seconds_bucket{route="orders",le="10.0"} 2',
      'velum_request_duration_seconds_bucket{route="orders",le="30.0"} 2',
      `velum_request_duration_seconds_bucket{route="orders",le="+Inf"} 3 # {${trace('d')}} 40 1700000040.000`,
      'velum_request_duration_seconds_count{route="orders"} 3',
      'velum_request_duration_seconds_sum{route="orders"} 40.0204',
    ],
  )
  assert.ok(text.endsWith('\n# EOF\n') && text.indexOf('# EOF') === text.length - 6)
  assert.equal(metricsText(families), metricsText(totals.families()), 'the text format knows no examples')
})

test('examples are bounded: those of the routes that had one latest stay', async () => {
  const exemplars = new Exemplars()
  for (let i = 0; i < 1500; i++) {
    exemplars.note(span(20, 'a'.repeat(32), 'orders'))
    exemplars.note(span(20, 'a'.repeat(32), `route ${i}`))
  }
  const family = exemplars.put((await counted()).families()).find(({ exemplars: some }) => some !== undefined)!
  assert.equal(family.exemplars!.size, 1000)
  assert.ok(family.exemplars!.has('[["route","orders"]]'))
  assert.ok(!family.exemplars!.has('[["route","route 1"]]'))
})

test('who asks for OpenMetrics gets it, anybody else the text format', () => {
  const prometheus =
    'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1'
  for (const accept of [prometheus, openMetricsType, 'Application/OpenMetrics-Text', 'text/plain, application/openmetrics-text']) {
    assert.equal(wantsOpenMetrics(accept), true, accept)
  }
  for (const accept of [
    '',
    '*/*',
    'application/*',
    'text/plain; version=0.0.4',
    'application/openmetrics-text; version=2.0.0',
    'application/openmetrics-text;q=0',
    'application/openmetrics-text;q=nonsense',
    'text/plain;q=0.9, application/openmetrics-text;q=0.8',
    'application/openmetrics-text-not',
  ]) {
    assert.equal(wantsOpenMetrics(accept), false, accept)
  }
})
