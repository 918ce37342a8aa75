import { jsonAnswer } from '../core/answer.ts'
import type { Clock } from '../core/clock.ts'
import { systemClock } from '../core/clock.ts'
import type { Stage } from '../core/policy.ts'
import { httpProblem } from '../core/problem.ts'
import type { Gateway } from '../gateway/gateway.ts'
import type { RouteRow } from '../gateway/route-rows.ts'
import type { Endpoint } from './endpoint.ts'
import { queryOf } from './endpoint.ts'
import { moved, pipelineSteps } from './pipeline-steps.ts'
import { createTraffic } from './traffic.ts'
import type { Traffic } from './traffic.ts'
import { flowBetween, serviceQuantiles } from './traffic-snapshot.ts'
import type { Flow, TrafficSnapshot } from './traffic-snapshot.ts'

/** What of a gateway these addresses tell. */
export type OverviewSource = Pick<Gateway, 'families' | 'routes' | 'model' | 'generation' | 'workers' | 'isReady'>

const mostRoutes = 500
const orders: Readonly<Record<string, (flow: Flow) => number>> = {
  requests: ({ requests }) => requests,
  refused: ({ refused }) => refused,
  failed: ({ failed }) => failed,
  p50: ({ p50 = 0 }) => p50,
  p99: ({ p99 = 0 }) => p99,
}

/**
 * What passes through the gateway now: rates over the last seconds, quantiles of durations, the steps of the pipeline with
 * what each refused, and points of the last minutes. Metrics are read only while somebody asks.
 */
export function overviewEndpoints(gateway: OverviewSource, clock: Clock = systemClock): readonly Endpoint[] {
  const roles = ['admin'] as const
  const traffic = createTraffic(() => gateway.families(), clock)
  const stages = createStages(gateway)
  return [
    {
      method: 'GET',
      path: '/api/overview',
      roles,
      handle: () => jsonAnswer(200, overviewDocument(gateway, traffic, stages)),
    },
    {
      method: 'GET',
      path: '/api/overview/routes',
      roles,
      handle(x) {
        const query = queryOf(x)
        const sort = query.get('sort') ?? 'match'
        const limit = Number(query.get('limit') ?? 200)
        if (sort !== 'match' && sort !== 'name' && !Object.hasOwn(orders, sort))
          return httpProblem(
            { name: 'invalid-argument', detail: '"sort" is match, name, requests, refused, failed, p50 or p99.' },
            x.id,
          )
        if (!Number.isInteger(limit) || limit < 1 || limit > mostRoutes)
          return httpProblem({ name: 'invalid-argument', detail: `"limit" is a number from 1 to ${mostRoutes}.` }, x.id)
        return jsonAnswer(200, routesDocument(gateway.routes, traffic, (query.get('q') ?? '').toLowerCase(), sort, limit))
      },
    },
  ]
}

function overviewDocument(gateway: OverviewSource, traffic: Traffic, stageOf: (policy: string) => Stage | undefined): unknown {
  const { model, generation, workers, isReady } = gateway
  const points = traffic.points()
  const { before, after, seconds } = traffic.window()
  const column = (read: (point: Flow) => number | undefined): (number | null)[] => points.map((point) => rounded(read(point)))
  return {
    name: model.name,
    isReady,
    generation: { number: generation.number, hash: generation.hash, committedAt: new Date(generation.committedAt).toISOString() },
    workers: workers.map(({ number, state, utilization }) => ({ number, state, utilization })),
    routes: gateway.routes.length,
    everyMs: traffic.everyMs,
    /** Over how many seconds rates are measured; 0: none are known yet. */
    windowSeconds: seconds,
    now: flowBetween(before.all, after.all, after.bounds, seconds),
    points: {
      at: points.map(({ at }) => at),
      requests: column(({ requests }) => requests),
      refused: column(({ refused }) => refused),
      failed: column(({ failed }) => failed),
      p50: column(({ p50 }) => p50),
      p90: column(({ p90 }) => p90),
      p99: column(({ p99 }) => p99),
    },
    steps: pipelineSteps(before, after, seconds, stageOf),
    services: Object.fromEntries(model.services.map(({ name }) => [name, serviceFlow(name, before, after, seconds)])),
  }
}

/** Tries at a service per second, by how they ended, and how long they took until an answer's head. */
function serviceFlow(name: string, before: TrafficSnapshot, after: TrafficSnapshot, seconds: number): unknown {
  const outcomes: Record<string, number> = {}
  let rate = 0
  let failed = 0
  for (const key of after.series.get('velum_service_requests_total')?.keys() ?? []) {
    if (!key.startsWith(`${name} `)) continue
    const perSecond = moved(before, after, 'velum_service_requests_total', key) / (seconds || 1)
    if (perSecond === 0) continue
    const outcome = key.slice(name.length + 1)
    outcomes[outcome] = perSecond
    rate += perSecond
    if (!/^[1-4]xx$/.test(outcome)) failed += perSecond
  }
  return { rate, failed, outcomes, ...serviceQuantiles(before, after, name) }
}

function routesDocument(rows: readonly RouteRow[], traffic: Traffic, wanted: string, sort: string, limit: number): unknown {
  const { before, after, seconds } = traffic.window()
  const found = rows
    .filter((row) => wanted === '' || textOf(row).includes(wanted))
    .map((row) => ({ row, flow: flowBetween(before.routes.get(row.name), after.routes.get(row.name), after.bounds, seconds) }))
  if (sort === 'name') found.sort((a, b) => (a.row.name < b.row.name ? -1 : 1))
  else if (sort !== 'match') found.sort((a, b) => orders[sort](b.flow) - orders[sort](a.flow))
  return {
    total: rows.length,
    found: found.length,
    windowSeconds: seconds,
    routes: found.slice(0, limit).map(({ row, flow }) => Object.assign({ flow }, row)),
  }
}

function textOf({ name, hosts, paths, methods, to, source, policies }: RouteRow): string {
  return [name, ...hosts, ...paths, ...methods, to, source, ...policies.map((policy) => policy.name)].join('\n').toLowerCase()
}

/** At which stage policies stand, by name: of routes as they are now. */
function createStages(gateway: OverviewSource): (policy: string) => Stage | undefined {
  let routes: readonly RouteRow[] | undefined
  let stages = new Map<string, Stage>()
  return (policy) => {
    if (routes !== gateway.routes) {
      routes = gateway.routes
      stages = new Map(routes.flatMap(({ policies }) => policies.map(({ name, stage }) => [name, stage as Stage])))
    }
    return stages.get(policy)
  }
}

function rounded(value: number | undefined): number | null {
  return value === undefined ? null : Math.round(value * 1e6) / 1e6
}
