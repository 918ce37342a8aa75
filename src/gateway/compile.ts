import type { GatewayModel, ListenerModel } from '../config/model.ts'
import type { Exchange } from '../core/exchange.ts'
import type { Handler } from '../core/handler.ts'
import { atOnce, inSlices } from '../core/in-slices.ts'
import type { Closable } from '../core/lasting.ts'
import { compose, finish } from '../core/pipeline.ts'
import type { Outcome, Policy } from '../core/policy.ts'
import type { Problem } from '../core/problem.ts'
import { createIdentity } from '../identity/create-identity.ts'
import { AddressSet, canonicalAddress } from '../lib/address.ts'
import { createFleetCounters } from '../limits/fleet/fleet-counters.ts'
import { createLimitTable } from '../limits/limit-table.ts'
import { isSentAlong } from '../policies/csrf.ts'
import type { PolicyEnv } from '../policies/policy-kind.ts'
import { routerOf } from '../routing/router.ts'
import { createNamedService } from '../services/named-service.ts'
import type { Served } from '../wire/server-wire.ts'
import { answeringChallenges, usesAcme } from './acme/answer-challenges.ts'
import { bridgesTo, descriptorsReady } from './bridge-parts.ts'
import { askingService } from './ask-service.ts'
import type { CompiledService } from './compile-action.ts'
import { compileAction, redirectingToHttps } from './compile-action.ts'
import {
  countsPerService,
  edgePolicies,
  openPenalties,
  routeLimits,
  routePolicies,
  serviceLimits,
  shapeOf,
} from './compile-policies.ts'
import type { ReadyRoute } from './compile-routes.ts'
import { readyRoute, routeFinder, routing } from './compile-routes.ts'
import { createExplain } from './explain.ts'
import type { Generation } from './generation.ts'
import type { Guard } from './guard.ts'
import { createGuard } from './guard.ts'
import { createObserve, RouteMeters } from './observe.ts'
import { withPolicies } from './policy-modules.ts'
import { serviceCapacities } from './service-capacities.ts'
import { Waiting } from './waiting.ts'
import { isFleet, joinFleet } from './worker-fleet.ts'
import type { GenerationEnv } from './worker.ts'

/**
 * Makes a Generation of a checked configuration: everything that can be computed or can fail happens here, and what
 * is not configured leaves nothing on the request path. Throws with a message for the operator, having let go of all it took.
 */
export function compileGeneration(model: GatewayModel, env: GenerationEnv): Generation {
  return atOnce(compiling(model, env))
}

/** The same in slices between which requests are served: thousands of routes take a while. */
export async function compileInSlices(model: GatewayModel, env: GenerationEnv): Promise<Generation> {
  return inSlices(compiling(model, await withPolicies(model, env)), env.clock)
}

/** One route a step. */
function* compiling(model: GatewayModel, env: GenerationEnv): Generator<void, Generation, void> {
  const closables: Closable[] = [env.hold]
  const close = (): void => {
    for (const closable of closables.toReversed()) closable.close()
    env.requests?.settle()
  }
  try {
    const table = env.hold.take('limits', () => createLimitTable(env.shared.limits, env.worker, env.clock))
    const fleet = isFleet(model) ? env.hold.take('fleet', () => joinFleet(model.name, env)) : undefined
    const atEdges = new Set(model.listeners.flatMap(({ edgeLimits }) => edgeLimits.map(({ use }) => use)))
    const counters =
      fleet === undefined
        ? table.open(model.limits)
        : createFleetCounters({
            specs: model.limits,
            isLocal: (limit) => atEdges.has(limit),
            client: fleet.client,
            open: (specs) => table.open(specs),
            meter: env.meter,
          })
    const limitEnv = { ...env, limits: model.limits, counters }

    const services = new Map<string, CompiledService>()
    const ready = new Waiting()
    ready.push(fleet?.ready)
    ready.push(descriptorsReady(model.services, env))
    for (const spec of model.services) {
      const compiled = (env.createService ?? createNamedService)(spec, env)
      closables.push(compiled)
      ready.push(compiled.ready)
      services.set(spec.name, { spec, service: compiled.service })
    }

    const capacity = serviceCapacities(model, table, limitEnv)

    const proxies = new AddressSet(model.trustedProxies)
    const isTrustedProxy = model.trustedProxies.length === 0 ? () => false : (address: string) => proxies.has(address)
    const penalties = openPenalties(model, env, isTrustedProxy)
    ready.push(penalties.ready)
    const early = penalties.early === undefined ? [] : [penalties.early]
    const edges = new Map(
      model.listeners.map(({ name, edgeLimits }) => [name, [...early, ...edgePolicies(name, edgeLimits, limitEnv)]]),
    )
    const offset = Math.max(0, ...[...edges.values()].map((policies) => policies.length))
    const identity = createIdentity(model.identity, env)
    ready.push(identity.ready)
    const { streams, tokenEdit } = identity
    const authenticators = env.recognise?.(identity.authenticators) ?? identity.authenticators
    const { own } = model.identity
    const trustedOrigins = own === undefined ? [] : [own.issuer, ...(own.trustedOrigins ?? [])]
    const hasApiKeys = model.identity.apiKeys.length > 0 || (own !== undefined && takesApiKeys(model))
    const shapes = new Map(model.shapes?.map((shape) => [shape.digest, shape]))
    const routes: ReadyRoute[] = []
    const meters = RouteMeters.in(env.meter)
    const common: Omit<PolicyEnv, 'source' | 'route'> = {
      ...env,
      authenticators,
      shapes,
      streams,
      trustedOrigins,
      askService: (name) => askingService(name, services, tokenEdit),
      loginPath: identity.parts === undefined ? undefined : `${identity.parts.path}/login`,
    }
    for (const [index, route] of model.routes.entries()) {
      const shape = once(() => shapeOf(route))
      const facts: PolicyEnv['route'] = {
        name: route.name,
        index,
        acceptsSession: isSentAlong(route.auth.any),
        get shape() {
          return shape()
        },
      }
      const policyEnv = (source: string): PolicyEnv => ({ ...common, source, route: facts })
      const { policies, edits } = routePolicies(route, policyEnv, ready)
      if (penalties.caller !== undefined && route.auth.mode !== 'public') policies.push(penalties.caller)
      const {
        end,
        policies: atService,
        drawn,
        speak,
      } = compileAction(route, {
        clock: env.clock,
        sweeper: env.sweeper,
        meter: env.meter,
        services,
        edits,
        hasApiKeys,
        tokenEdit,
        random: Math.random,
        bridgesTo: (action, service) => bridgesTo(action, service, env),
        limitsOf: (service) => serviceLimits(route, service, limitEnv),
        capacityOf: (service) => capacity(route, service),
        asksDrawn: route.limits.some(({ use }) => countsPerService(model, use)),
        traces: env.traces,
      })
      const all = [...policies, routeLimits(route, drawn, limitEnv), ...atService].filter((policy) => policy !== undefined)
      routes.push(readyRoute(route, index, all, end, offset, speak))
      meters.open(route.name)
      yield
    }
    const matching = yield* routerOf(routes)
    const find = routeFinder(matching)
    const router = identity.before(routing(find))
    const guard = createGuard({ isTrustedProxy, parseAddress: canonicalAddress, trace: env.traces?.begin })

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
          traces: env.traces,
          log: env.log,
        }),
      )
    }
    return {
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
  } catch (thrown) {
    close()
    throw thrown
  }
}

/** Whether some route knows callers by their API key; then no service may see one. */
function takesApiKeys({ routes }: GatewayModel): boolean {
  return routes.some(({ auth }) => auth.any.includes('api-key'))
}

/** What `make` gives, made when it is first asked for. */
function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined
  return () => (made ??= { value: make() }).value
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
