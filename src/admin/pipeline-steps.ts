import type { Stage } from '../core/policy.ts'
import { routeClasses } from './traffic-snapshot.ts'
import type { TrafficSnapshot } from './traffic-snapshot.ts'

/** What was turned away at a step, and by what. */
export interface StepReason {
  readonly policy: string
  readonly code: string
  /** Per second. */
  readonly rate: number
  readonly total: number
}

/** One step on the way of an exchange. */
export interface PipelineStep {
  readonly step: StepName
  /** What reached it, per second; for `client` and `tls`, connections. */
  readonly rate: number
  /** What went no further, per second. */
  readonly refused: number
  readonly reasons: readonly StepReason[]
  /** Further numbers of the step, per second unless they are levels. */
  readonly notes: Readonly<Record<string, number>>
}

const stepNames = ['client', 'tls', 'guard', 'route', 'auth', 'limits', 'shape', 'cache', 'services'] as const
type StepName = (typeof stepNames)[number]

const stepOfStage: Readonly<Record<Stage, StepName>> = {
  'answer-head': 'services',
  penalty: 'guard',
  address: 'guard',
  cors: 'auth',
  authenticate: 'auth',
  'caller-penalty': 'auth',
  authorise: 'auth',
  csrf: 'auth',
  limit: 'limits',
  shape: 'shape',
  custom: 'shape',
  cache: 'cache',
  'service-limit': 'services',
  bridge: 'services',
}

/** The way of exchanges through the gateway between two snapshots, with what each step turned away. */
export function pipelineSteps(
  before: TrafficSnapshot,
  after: TrafficSnapshot,
  seconds: number,
  stageOf: (policy: string) => Stage | undefined,
): PipelineStep[] {
  const perSecond = (family: string, key: string): number => moved(before, after, family, key) / (seconds || 1)
  const all = (family: string): number => keysOf(after, family).reduce((sum, key) => sum + perSecond(family, key), 0)
  const reasons = new Map<StepName, StepReason[]>(stepNames.map((name) => [name, []]))
  const reason = (step: StepName, family: string, key: string, policy: string, code: string): void => {
    const total = after.series.get(family)?.get(key) ?? 0
    if (total > 0) reasons.get(step)!.push({ policy, code, rate: perSecond(family, key), total })
  }
  for (const key of keysOf(after, 'velum_refusals_total')) {
    const at = key.lastIndexOf(' ')
    const policy = key.slice(0, at)
    const stage = stageOf(policy)
    reason(stage === undefined ? 'guard' : stepOfStage[stage], 'velum_refusals_total', key, policy, key.slice(at + 1))
  }
  for (const key of keysOf(after, 'velum_connections_refused_total'))
    reason('client', 'velum_connections_refused_total', key, 'connection', key)
  for (const key of keysOf(after, 'velum_tls_handshake_failures_total'))
    reason('tls', 'velum_tls_handshake_failures_total', key, 'handshake', key)
  for (const key of keysOf(after, 'velum_faults_total')) reason(faultStep(key), 'velum_faults_total', key, 'fault', key)

  const { requests, unrouted } = requestRates(before, after, seconds || 1)
  const tls = all('velum_tls_handshakes_total')
  const cached = ['hit', 'stale', 'revalidated', 'collapsed'].reduce(
    (sum, key) => sum + perSecond('velum_cache_requests_total', key),
    0,
  )
  const steps: PipelineStep[] = []
  let passing = requests
  let unread = 0
  for (const step of stepNames) {
    const here = reasons.get(step)!.toSorted((a, b) => b.rate - a.rate || b.total - a.total)
    let refused = here.reduce((sum, { rate }) => sum + rate, 0)
    let rate = passing
    let notes: Record<string, number> = {}
    if (step === 'client') {
      rate = all('velum_connections_total')
      notes = { open: after.series.get('velum_connections')?.get('') ?? 0 }
    } else if (step === 'tls') {
      rate = tls
      notes = { resumed: perSecond('velum_tls_handshakes_total', 'yes') }
    } else if (step === 'guard') {
      unread = refused
      passing -= refused
    } else if (step === 'route') {
      // What the guard refused had no route either.
      refused = Math.max(0, unrouted - unread)
      passing -= refused
    } else if (step === 'services') {
      notes = { tries: all('velum_service_requests_total') }
    } else {
      if (step === 'cache') {
        notes = { answered: cached }
        passing -= cached
      }
      if (step === 'shape')
        notes = overBudget(keysOf(after, 'velum_policy_over_budget_total'), (key) =>
          perSecond('velum_policy_over_budget_total', key),
        )
      passing -= refused
    }
    passing = Math.max(0, passing)
    steps.push({ step, rate, refused, reasons: here.slice(0, 12), notes })
  }
  return steps
}

/** By name of a custom policy whose calls take longer than they may, how many do. */
function overBudget(policies: readonly string[], rateOf: (policy: string) => number): Record<string, number> {
  const slow = policies.map((policy): [string, number] => [`over-budget:${policy}`, rateOf(policy)])
  return Object.fromEntries(slow.filter(([, rate]) => rate > 0))
}

/** Where a fault ends an exchange: what the client sent wrong shows when it is read, all else in front of services. */
function faultStep(fault: string): StepName {
  return clientFaults.has(fault) ? 'guard' : fault === 'body-too-large' || fault === 'unfit-message' ? 'shape' : 'services'
}

const clientFaults = new Set([
  'malformed',
  'head-too-large',
  'target-too-long',
  'expectation-failed',
  'method-not-supported',
  'version-not-supported',
  'head-timeout',
  'misdirected',
])

function requestRates(
  before: TrafficSnapshot,
  after: TrafficSnapshot,
  seconds: number,
): { readonly requests: number; readonly unrouted: number } {
  return {
    requests: Math.max(0, ended(after.all) - ended(before.all)) / seconds,
    unrouted: Math.max(0, ended(after.routes.get('')) - ended(before.routes.get(''))) / seconds,
  }
}

/** Exchanges of a row that ended, however they did. */
function ended(row: Float64Array | undefined): number {
  let sum = 0
  for (let i = 0; i < routeClasses.length; i++) sum += row?.[i] ?? 0
  return sum
}

/** How much a series grew. */
export function moved(before: TrafficSnapshot, after: TrafficSnapshot, family: string, key: string): number {
  return Math.max(0, (after.series.get(family)?.get(key) ?? 0) - (before.series.get(family)?.get(key) ?? 0))
}

function keysOf(snapshot: TrafficSnapshot, family: string): string[] {
  return [...(snapshot.series.get(family)?.keys() ?? [])]
}
