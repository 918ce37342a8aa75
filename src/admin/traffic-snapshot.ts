import type { Family, SummedSeries } from '../gateway/meter-totals.ts'

/** Per route: its counts by class of status, then the buckets of its histogram. */
export const routeClasses = ['none', '1xx', '2xx', '3xx', '4xx', '5xx'] as const
const classCount = routeClasses.length
const noBounds: readonly number[] = []

/** What was counted until one moment, as far as the overview tells it. */
export interface TrafficSnapshot {
  /** Monotonic milliseconds. */
  readonly at: number
  /** Upper bounds of the durations' buckets in seconds; one bucket more lies above. */
  readonly bounds: readonly number[]
  /** By route, '' for what had none: `routeClasses`, then buckets. */
  readonly routes: ReadonlyMap<string, Float64Array>
  /** All routes together. */
  readonly all: Float64Array
  /** By service, the buckets of how long its tries took until an answer's head. */
  readonly services: ReadonlyMap<string, Float64Array>
  /** Series of the other families, by family and then by their labels' values, joined by a space. */
  readonly series: ReadonlyMap<string, ReadonlyMap<string, number>>
}

/** The families besides those of routes, with the labels whose values name a series; others are summed over. */
const families: Readonly<Record<string, readonly string[]>> = {
  velum_connections: [],
  velum_connections_total: [],
  velum_connections_refused_total: ['reason'],
  velum_tls_handshakes_total: ['resumed'],
  velum_tls_handshake_failures_total: ['reason'],
  velum_refusals_total: ['policy', 'code'],
  velum_faults_total: ['fault'],
  velum_auth_total: ['result'],
  velum_limit_decisions_total: ['decision'],
  velum_cache_requests_total: ['result'],
  velum_policy_over_budget_total: ['policy'],
  velum_service_requests_total: ['service', 'outcome'],
}

/** Takes a snapshot of the metrics. */
export function snapshotOf(all: readonly Family[], at: number): TrafficSnapshot {
  const routes = new Map<string, Float64Array>()
  const series = new Map<string, Map<string, number>>()
  const seconds = all.find(({ name }) => name === 'velum_request_duration_seconds')
  const bounds = seconds?.bounds ?? noBounds
  const width = classCount + bounds.length + 1
  const rowOf = (route: string): Float64Array => {
    let row = routes.get(route)
    if (row === undefined) routes.set(route, (row = new Float64Array(width)))
    return row
  }
  for (const one of seconds?.series.values() ?? []) {
    const row = rowOf(labelOf(one, 'route'))
    for (let i = 0; i <= bounds.length; i++) row[classCount + i] += one.values[i]
  }
  const services = new Map<string, Float64Array>()
  for (const one of all.find(({ name }) => name === 'velum_service_request_duration_seconds')?.series.values() ?? []) {
    const service = labelOf(one, 'service')
    const row = services.get(service) ?? new Float64Array(bounds.length + 1)
    for (let i = 0; i <= bounds.length; i++) row[i] += one.values[i]
    services.set(service, row)
  }
  for (const family of all) {
    if (family.name === 'velum_requests_total') {
      for (const one of family.series.values()) {
        const position = routeClasses.indexOf(labelOf(one, 'status') as (typeof routeClasses)[number])
        rowOf(labelOf(one, 'route'))[position] += one.values[0]
      }
    } else if (Object.hasOwn(families, family.name)) series.set(family.name, summed(family, families[family.name]))
  }
  const sum = new Float64Array(width)
  for (const row of routes.values()) for (let i = 0; i < width; i++) sum[i] += row[i]
  return { at, bounds, routes, all: sum, services, series }
}

function summed(family: Family, labels: readonly string[]): Map<string, number> {
  const sums = new Map<string, number>()
  for (const one of family.series.values()) {
    const key = labels.map((label) => labelOf(one, label)).join(' ')
    sums.set(key, (sums.get(key) ?? 0) + one.values[0])
  }
  return sums
}

function labelOf({ labels }: SummedSeries, name: string): string {
  for (const [label, value] of labels) if (label === name) return value
  return ''
}

/** What happened on a route, or on all of them, between two snapshots. */
export interface Flow {
  /** Exchanges that ended, per second. */
  readonly requests: number
  readonly ok: number
  readonly refused: number
  readonly failed: number
  /** Seconds; undefined where there was nothing. */
  readonly p50: number | undefined
  readonly p90: number | undefined
  readonly p99: number | undefined
}

const still: Flow = { requests: 0, ok: 0, refused: 0, failed: 0, p50: undefined, p90: undefined, p99: undefined }

/** The flow from `before` to `after`, rows of the same route. A row that shrank is of a new life of the node: nothing is told. */
export function flowBetween(
  before: Float64Array | undefined,
  after: Float64Array | undefined,
  bounds: readonly number[],
  seconds: number,
): Flow {
  if (after === undefined || seconds <= 0) return still
  const moved = after.map((value, i) => Math.max(0, value - (before?.[i] ?? 0)))
  let requests = 0
  for (let i = 0; i < classCount; i++) requests += moved[i]
  if (requests === 0) return still
  const buckets = moved.subarray(classCount)
  return {
    requests: requests / seconds,
    ok: (moved[1] + moved[2] + moved[3]) / seconds,
    refused: moved[4] / seconds,
    failed: (moved[0] + moved[5]) / seconds,
    p50: quantile(buckets, bounds, 0.5),
    p90: quantile(buckets, bounds, 0.9),
    p99: quantile(buckets, bounds, 0.99),
  }
}

/** A quantile from counts by bucket, evenly spread within each; the highest bound for what lies above it. */
export function quantile(buckets: Float64Array, bounds: readonly number[], q: number): number | undefined {
  let total = 0
  for (const count of buckets) total += count
  if (total === 0) return undefined
  let left = q * total
  for (let i = 0; i < bounds.length; i++) {
    if (left <= buckets[i]) {
      const low = i === 0 ? 0 : bounds[i - 1]
      return low + ((bounds[i] - low) * left) / buckets[i]
    }
    left -= buckets[i]
  }
  return bounds.at(-1)
}

/** Quantiles of how long a service's tries took between two snapshots; undefined where there were none. */
export function serviceQuantiles(
  before: TrafficSnapshot,
  after: TrafficSnapshot,
  service: string,
): Pick<Flow, 'p50' | 'p90' | 'p99'> {
  const old = before.services.get(service)
  const buckets = (after.services.get(service) ?? new Float64Array(0)).map((value, i) => Math.max(0, value - (old?.[i] ?? 0)))
  const of = (q: number): number | undefined => quantile(buckets, after.bounds, q)
  return { p50: of(0.5), p90: of(0.9), p99: of(0.99) }
}
