import type { GatewayModel, ServiceModel } from '../config/model.ts'
import { Fault } from '../core/fault.ts'
import { problemOf } from '../core/problem.ts'
import { durationText } from '../lib/duration.ts'
import type { NearMiss, RoutedRequest } from '../routing/near-misses.ts'
import { nearMisses } from '../routing/near-misses.ts'
import { isSilence } from '../services/standing.ts'
import { addressOf } from '../services/target-address.ts'
import type { PartialExplanation } from './explain.ts'
import { problemFacts } from './explain.ts'
import type { ExplainedService, ExplainedStep, ExplainQuestion, Explanation } from './explanation.ts'
import type { Gateway } from './gateway.ts'
import { outcomeWords } from './outcome-words.ts'
import { redactQuery } from './redact.ts'

/** What main knows of services. */
export type ServiceStandings = Pick<Gateway, 'targets' | 'standings'>

type Step = Omit<ExplainedStep, 'isReached'>

/**
 * Adds to what a Generation said what is known outside of it: routes that were nearly found, and how the services stand,
 * where somebody knows (`standings` of a running gateway).
 */
export function completeExplanation(
  partial: PartialExplanation,
  question: ExplainQuestion,
  model: GatewayModel,
  standings: ServiceStandings | undefined,
): Explanation {
  const { request, route } = partial
  const services: ExplainedService[] = []
  const asked: Step[] = []
  for (const drawn of partial.services) {
    const spec = model.services.find(({ name }) => name === drawn.name)
    if (spec === undefined || standings === undefined) {
      services.push(drawn)
      continue
    }
    const targets = standings.targets(spec).map((target) => {
      const address = addressOf(target)
      return Object.assign({ address, weight: target.weight }, standings.standings.status(spec.name, address))
    })
    services.push({ ...drawn, targets })
    asked.push(serviceStep(spec, targets, standings))
  }
  const misses = request.path === '' ? [] : missesOf(partial, question, model)
  const own = partial.steps.map((step) => (step.code === 'method-not-allowed' ? wherePermitted(step, misses) : step))
  const steps = [...own, ...asked.map((step) => ({ ...step, isReached: partial.outcome === undefined }))]
  // Of several services one is drawn: only where none of those that can be is of use does the request certainly fail.
  const isLost = asked.length > 0 && asked.every((step, i) => step.decision === 'refuses' || partial.services[i].weight === 0)
  const ended = partial.outcome === undefined ? undefined : steps[partial.steps.indexOf(partial.outcome)]
  const outcome =
    ended ?? (isLost ? steps.find(({ policy, decision }) => policy === 'service' && decision === 'refuses') : undefined)
  const notes = [...partial.notes]
  if (outcome === undefined && !isLost && asked.some(({ decision }) => decision === 'refuses')) {
    notes.push('One of the services that may be drawn cannot take requests.')
  }
  return {
    state: standings === undefined ? 'offline' : 'live',
    ...partial,
    // Explanations are shown to others: what was asked about may hold tokens.
    request: { ...request, query: request.query === undefined ? undefined : redactQuery(request.query) },
    summary: outcomeWords({ outcome, services, steps }),
    route,
    steps,
    services,
    outcome,
    nearMisses: misses,
    notes,
  }
}

/** The methods that an address takes stand with its routes. */
function wherePermitted(step: ExplainedStep, misses: readonly NearMiss[]): ExplainedStep {
  const near = misses.find(({ failed }) => failed.length === 1 && failed[0] === 'method')
  return near === undefined || step.policy !== 'routes' ? step : { ...step, source: `${near.source}.match.methods` }
}

function missesOf({ request, route }: PartialExplanation, question: ExplainQuestion, model: GatewayModel): NearMiss[] {
  const { method, host, path, query } = request
  const asked: RoutedRequest = { method, authority: host, path, query, headers: question.headers }
  const found = model.routes.find(({ source }) => source === route?.source)
  return nearMisses(model.routes, asked, found)
}

/** Whether a service would be sent to, by its breaker and the standing of its targets. */
function serviceStep(
  spec: ServiceModel,
  targets: readonly (NonNullable<ExplainedService['targets']>[number] & { readonly weight: number })[],
  { standings }: ServiceStandings,
): Step {
  const place = { policy: 'service', stage: 'service' } as const
  const source = `services.${spec.name}`
  const breaker = standings.breaker(spec.name)
  if (breaker?.state === 'open') {
    const { forMs, reason } = breaker
    const facts = problemFacts(problemOf(new Fault('breaker-open', 'open', { retryAfterMs: forMs })))
    const words = `The circuit breaker of ${spec.name} is open for another ${inWords(forMs)}: ${reason}.`
    return { ...place, source: `${source}.breaker`, decision: 'refuses', code: 'breaker-open', words, ...facts }
  }
  const used = targets.filter(({ weight }) => weight > 0)
  const out = used.filter(({ state }) => state !== 'in' && state !== 'half-open')
  if (out.length < used.length || used.length === 0) {
    if (used.length === 0) return refusing(place, source, 'no-target', `${spec.name} has no target that could be sent to.`)
    const left = out.length === 0 ? '' : `; left out: ${out.map(targetWords).join(', ')}`
    const words = `${used.length - out.length} of ${used.length} targets of ${spec.name} take requests${left}.`
    return { ...place, source, decision: 'passes', code: 'ready', words }
  }
  const all = out.map(targetWords).join(', ')
  const at = out.some(({ state }) => state === 'down') ? `${source}.health` : source
  if (out.every(({ state, out: why }) => state === 'draining' || (why !== undefined && isSilence(why.reason)))) {
    return refusing(place, at, 'no-target', `No target of ${spec.name} can be reached: ${all}.`)
  }
  const words = `No target of ${spec.name} is in good standing: ${all}. Those that answer at all are tried as a last resort.`
  return { ...place, source: at, decision: 'unknown', code: 'last-resort', words }
}

function refusing(place: Pick<Step, 'policy' | 'stage'>, source: string, code: string, words: string): Step {
  return { ...place, source, decision: 'refuses', code, words, ...problemFacts(problemOf(new Fault('no-target'))) }
}

function targetWords({ address, state, out }: NonNullable<ExplainedService['targets']>[number]): string {
  const why = out === undefined ? '' : ` (${out.reason}${out.forMs === Infinity ? '' : `, for ${inWords(out.forMs)}`})`
  return `${address} is ${state}${why}`
}

/** To the second: nobody reads milliseconds. */
function inWords(ms: number): string {
  return durationText(Math.ceil(ms / 1000) * 1000)
}
