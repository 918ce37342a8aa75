import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ManualClock } from '../core/manual-clock.ts'
import type { SeriesEntry } from '../gateway/meter-row.ts'
import { RowMeter } from '../gateway/meter-row.ts'
import { MeterTotals } from '../gateway/meter-totals.ts'
import { pipelineSteps } from './pipeline-steps.ts'
import { createTraffic } from './traffic.ts'
import { flowBetween, quantile, serviceQuantiles } from './traffic-snapshot.ts'

interface Node {
  readonly meter: RowMeter
  readonly clock: ManualClock
  readonly totals: MeterTotals
}

function node(): Node {
  const totals = new MeterTotals()
  const row = new Float64Array(4096)
  const meter = new RowMeter(row, (entries: readonly SeriesEntry[]) => totals.announce(0, row, entries))
  return { meter, clock: new ManualClock(), totals }
}

/** Requests of a route that ended with this status after these seconds. */
function requests({ meter }: Node, route: string, status: string, count: number, seconds = 0.002): void {
  meter.counter('velum_requests_total', '', { route, status }).add(count)
  for (let i = 0; i < count; i++) meter.histogram('velum_request_duration_seconds', '', { route }).observe(seconds)
}

test('rates and quantiles are of the last seconds, not of all time', async () => {
  const it = node()
  requests(it, 'slow', '2xx', 1000, 4)
  await Promise.resolve()
  const traffic = createTraffic(() => it.totals.families(), it.clock)
  assert.equal(traffic.window().seconds, 0, 'no rate is told from one reading')
  requests(it, 'slow', '2xx', 80)
  requests(it, 'slow', '4xx', 15)
  requests(it, 'slow', '5xx', 5, 0.2)
  await Promise.resolve()
  it.clock.advance(500)
  const { before, after, seconds } = traffic.window()
  assert.equal(seconds, 0.5)
  const flow = flowBetween(before.routes.get('slow'), after.routes.get('slow'), after.bounds, seconds)
  assert.deepEqual([flow.requests, flow.ok, flow.refused, flow.failed], [200, 160, 30, 10])
  assert.ok(flow.p50! > 0.001 && flow.p50! <= 0.0025, `p50 ${flow.p50}`)
  assert.ok(flow.p99! > 0.1 && flow.p99! <= 0.25, `p99 ${flow.p99}`)
  assert.deepEqual(
    traffic.points().map((point) => point.requests),
    [200],
  )
})

test('metrics are read only while somebody looks', async () => {
  const { clock, totals } = node()
  let readings = 0
  const traffic = createTraffic(() => {
    readings++
    return totals.families()
  }, clock)
  traffic.points()
  clock.advance(20_000)
  const watched = readings
  assert.ok(watched >= 9, `${watched} readings`)
  clock.advance(60_000)
  const afterwards = readings
  clock.advance(600_000)
  assert.equal(readings, afterwards, 'nobody looked any more')
  assert.deepEqual(traffic.points(), [], 'and no line is drawn across what nobody saw')
})

test('quantiles lie within their bucket, and at the highest bound above it', () => {
  const bounds = [1, 2, 4]
  assert.equal(quantile(new Float64Array([0, 0, 0, 0]), bounds, 0.5), undefined)
  assert.equal(quantile(new Float64Array([10, 0, 0, 0]), bounds, 0.5), 0.5)
  assert.equal(quantile(new Float64Array([0, 10, 10, 0]), bounds, 0.5), 2)
  assert.equal(quantile(new Float64Array([0, 0, 0, 3]), bounds, 0.99), 4)
})

test('each step of the pipeline sees what the steps before it let pass', async () => {
  const it = node()
  const count = (name: string, labels: Readonly<Record<string, string>>, n: number): void =>
    it.meter.counter(name, '', labels).add(n)
  await Promise.resolve()
  const traffic = createTraffic(() => it.totals.families(), it.clock)
  traffic.window()
  requests(it, 'orders', '2xx', 70)
  requests(it, 'orders', '4xx', 15)
  requests(it, '', '4xx', 15)
  count('velum_refusals_total', { policy: 'penalties', code: 'boxed', label: '' }, 5)
  count('velum_refusals_total', { policy: 'auth', code: 'no-credential', label: '' }, 5)
  count('velum_refusals_total', { policy: 'limits', code: 'over-limit', label: '' }, 10)
  count('velum_cache_requests_total', { route: 'orders', result: 'hit' }, 20)
  count('velum_cache_requests_total', { route: 'orders', result: 'miss' }, 50)
  count('velum_service_requests_total', { service: 'orders', outcome: '2xx' }, 50)
  count('velum_policy_over_budget_total', { policy: 'audit' }, 3)
  await Promise.resolve()
  it.clock.advance(500)
  it.clock.advance(500)
  const { before, after } = traffic.window()
  const stages = { penalties: 'penalty', auth: 'authenticate', limits: 'limit' } as const
  const steps = pipelineSteps(before, after, 1, (policy) => stages[policy as keyof typeof stages])
  const flow = Object.fromEntries(steps.map(({ step, rate, refused }) => [step, [rate, refused]]))
  assert.deepEqual(flow, {
    client: [0, 0],
    tls: [0, 0],
    guard: [100, 5],
    route: [95, 10],
    auth: [85, 5],
    limits: [80, 10],
    shape: [70, 0],
    cache: [70, 0],
    services: [50, 0],
  })
  assert.deepEqual(steps.find(({ step }) => step === 'shape')?.notes, { 'over-budget:audit': 3 })
  assert.deepEqual(steps.find(({ step }) => step === 'limits')?.reasons, [
    { policy: 'limits', code: 'over-limit', rate: 10, total: 10 },
  ])
})

test('of each service, how long its tries took in the last seconds', async () => {
  const it = node()
  const tries = (service: string, count: number, seconds: number): void => {
    for (let i = 0; i < count; i++) it.meter.histogram('velum_service_request_duration_seconds', '', { service }).observe(seconds)
  }
  requests(it, 'orders', '2xx', 1)
  tries('orders', 1000, 4)
  await Promise.resolve()
  const traffic = createTraffic(() => it.totals.families(), it.clock)
  traffic.window()
  tries('orders', 99, 0.002)
  tries('orders', 1, 0.2)
  tries('other', 10, 4)
  await Promise.resolve()
  it.clock.advance(500)
  const { before, after } = traffic.window()
  const { p50 = 0, p99 = 0 } = serviceQuantiles(before, after, 'orders')
  assert.ok(p50 > 0.001 && p50 <= 0.0025 && p99 <= 0.25, `${p50} ${p99}`)
  assert.ok(serviceQuantiles(before, after, 'other').p50! > 2.5)
  assert.deepEqual(serviceQuantiles(before, after, 'nobody'), { p50: undefined, p90: undefined, p99: undefined })
})
