import type { GatewayModel, ListenerModel } from '../config/model.ts'
import type { Exchange } from '../core/exchange.ts'
import type { Handler } from '../core/handler.ts'
import { atOnce, inSlices } from '../core/in-slices.ts'
import { compose, finish } from '../core/pipeline.ts'
import type { Outcome, Policy } from '../core/policy.ts'
import type { Problem } from '../core/problem.ts'
import { samePlain } from '../lib/same-plain.ts'
import type { Router } from '../routing/router.ts'
import { routerOf } from '../routing/router.ts'
import type { Served } from '../wire/server-wire.ts'
import { answeringChallenges, usesAcme } from './acme/answer-challenges.ts'
import { redirectingToHttps } from './compile-action.ts'
import type { ReadyRoute } from './compile-routes.ts'
import { routeFinder, routing } from './compile-routes.ts'
import { createExplain } from './explain.ts'
import type { Generation } from './generation.ts'
import { Ground } from './ground.ts'
import type { Guard } from './guard.ts'
import { HeldRoute } from './held-route.ts'
import { createObserve, RouteMeters } from './observe.ts'
import { withPolicies } from './policy-modules.ts'
import { Waiting } from './waiting.ts'
import type { GenerationEnv } from './worker.ts'

/**
 * Makes a Generation of a checked configuration: everything that can be computed or can fail happens here, and what
 * is not configured leaves nothing on the request path. Throws with a message for the operator, having let go of all it took.
 */
export function compileGeneration(model: GatewayModel, env: GenerationEnv): Generation {
  return atOnce(compiling(model, env, Ground.open(model, env), undefined))
}

/**
 * The same in slices between which requests are served: thousands of routes take a while. What is the same in `before` (a
 * Generation that is not closed meanwhile) is taken over as it is; the models tell by being the same objects.
 */
export async function compileInSlices(model: GatewayModel, env: GenerationEnv, before?: Generation): Promise<Generation> {
  const makings = before === undefined ? undefined : makingsOf.get(before)
  const ground = makings?.ground.carries(model) === true ? makings.ground : Ground.open(model, await withPolicies(model, env))
  return inSlices(compiling(model, env, ground, makings), env.clock)
}

/** What a Generation was put together from, for the one that comes after it. */
interface Makings {
  readonly ground: Ground
  readonly routes: readonly HeldRoute[]
  readonly router: Router<ReadyRoute>
}

const makingsOf = new WeakMap<Generation, Makings>()

/** One new route a step. `env` is that of this Generation; whatever it shares with the one before has been made with another. */
function* compiling(
  model: GatewayModel,
  env: GenerationEnv,
  ground: Ground,
  before: Makings | undefined,
): Generator<void, Generation, void> {
  const { parts } = ground
  const held: HeldRoute[] = []
  const close = (): void => {
    for (const route of held) route.release()
    ground.release()
    env.requests?.settle()
  }
  ground.take()
  try {
    const ready = new Waiting()
    ready.push(parts.ready)
    const meters = RouteMeters.in(env.meter)
    const known = before?.ground === ground ? before.routes : []
    for (const [index, route] of model.routes.entries()) {
      const same = known[index]?.route.model === route ? known[index] : undefined
      const one = same ?? new HeldRoute(route, index, parts, ready)
      one.take()
      held.push(one)
      if (same !== undefined) continue
      meters.open(route.name)
      yield
    }
    const routes = held.map(({ route }) => route)
    const isSameTable = before !== undefined && (yield* haveSameMatches(routes, before.routes))
    const matching = isSameTable ? before.router.over(routes) : yield* routerOf(routes)
    const find = routeFinder(matching)
    const { identity, edges, offset, guard } = parts
    const router = identity.before(routing(find))

    const served = new Map<string, Served>()
    for (const listener of model.listeners) {
      const edge = edges.get(listener.name)!
      const inner = listener.redirectPort === undefined ? router : redirectingToHttps(listener.redirectPort)
      const bounded = edge.length === 0 ? inner : compose(edge, inner)
      served.set(
        listener.name,
        createObserve({
          listener: listener.name,
          handler: guarded(guard, env.isMisdirected, challenged(model, listener, env, bounded)),
          finish: finishing(edge, offset, env),
          meters,
          meter: env.meter,
          accessLog: env.accessLog,
          requests: env.requests?.recorder(model.hash, edge, offset),
          traces: parts.env.traces,
          log: env.log,
        }),
      )
    }
    const generation: Generation = {
      hash: model.hash,
      routes: matching.routes,
      explain: createExplain({
        model,
        clock: env.clock,
        guard,
        isMisdirected: env.isMisdirected,
        edges,
        dispatch: identity.dispatch,
        find,
      }),
      served: (listener) => served.get(listener),
      ready: ready.all,
      close,
    }
    makingsOf.set(generation, { ground, routes: held, router: matching })
    return generation
  } catch (thrown) {
    close()
    throw thrown
  }
}

/** Whether requests are told apart in the same way: then one table serves both. */
function* haveSameMatches(routes: readonly ReadyRoute[], before: readonly HeldRoute[]): Generator<void, boolean, void> {
  if (routes.length !== before.length) return false
  for (const [i, { match }] of routes.entries()) {
    const { match: earlier } = before[i].route
    if (match === earlier) continue
    if (!samePlain(match, earlier)) return false
    yield
  }
  return true
}

/** Authorities ask by plain HTTP, and of a gateway that orders certificates alone. */
function challenged(model: GatewayModel, { tls }: ListenerModel, { challenges }: GenerationEnv, next: Handler): Handler {
  if (challenges === undefined || tls !== undefined || !usesAcme(model)) return next
  return answeringChallenges(challenges, next)
}

const misdirected: Problem = { name: 'misdirected' }

/** What every exchange meets first; one that does not pass is answered here. */
function guarded(guard: Guard, isMisdirected: (x: Exchange) => boolean, next: Handler): Handler {
  return (x) => {
    const problem = guard(x) ?? (isMisdirected(x) ? misdirected : undefined)
    return problem === undefined ? next(x) : x.renderProblem(problem, x)
  }
}

/** Tells the policies that an exchange met, before and after routing, how it ended. */
function finishing(edge: readonly Policy[], offset: number, env: GenerationEnv): (x: Exchange, outcome: Outcome) => void {
  const failed = (thrown: unknown, policy: Policy): void => {
    env.log.error('a policy failed at the end of an exchange', { policy: policy.name, source: policy.source, error: thrown })
  }
  return (x, outcome) => {
    const route = x.route as ReadyRoute | undefined
    if (route !== undefined) finish(route.policies, x, outcome, failed, offset)
    if (edge.length > 0) finish(edge, x, outcome, failed)
  }
}
