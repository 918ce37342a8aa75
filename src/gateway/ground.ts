import type { GatewayModel } from '../config/model.ts'
import { frameOf, hasSameFrame } from '../config/packed-model.ts'
import type { ModelFrame } from '../config/packed-model.ts'
import type { Closable } from '../core/lasting.ts'
import type { Policy } from '../core/policy.ts'
import { createIdentity } from '../identity/create-identity.ts'
import type { GenerationIdentity } from '../identity/create-identity.ts'
import { AddressSet, canonicalAddress } from '../lib/address.ts'
import { createFleetCounters } from '../limits/fleet/fleet-counters.ts'
import { createLimitTable } from '../limits/limit-table.ts'
import type { LimitEnv } from '../policies/limits.ts'
import type { PolicyEnv } from '../policies/policy-kind.ts'
import { createNamedService } from '../services/named-service.ts'
import { trustFiles } from '../services/trust.ts'
import { askingService } from './ask-service.ts'
import { descriptorsReady } from './bridge-parts.ts'
import type { ActionEnv, CompiledService } from './compile-action.ts'
import { edgePolicies, openPenalties } from './compile-policies.ts'
import type { Guard } from './guard.ts'
import { createGuard } from './guard.ts'
import { prioritiesOf, serviceCapacities } from './service-capacities.ts'
import type { Capacity } from './service-capacities.ts'
import { Waiting } from './waiting.ts'
import { isFleet, joinFleet } from './worker-fleet.ts'
import type { GenerationEnv } from './worker.ts'

/** What a ground holds for the routes that stand on it. */
export interface GroundParts {
  readonly env: GenerationEnv
  readonly frame: ModelFrame
  readonly limitEnv: LimitEnv
  /** What policies of all routes are built with. */
  readonly common: Omit<PolicyEnv, 'source' | 'route'>
  readonly identity: GenerationIdentity
  readonly action: Pick<ActionEnv, 'services' | 'hasApiKeys' | 'tokenEdit'>
  readonly capacity: Capacity
  readonly callerPenalty: Policy | undefined
  /** What stands before routing, by listener, and how many policies that are at most. */
  readonly edges: ReadonlyMap<string, readonly Policy[]>
  readonly offset: number
  readonly guard: Guard
  readonly ready: Promise<void>
}

/**
 * All of a Generation but its routes. Generations that follow each other share one while nothing of it is another, so that routes
 * that did not change need not be compiled anew: whatever a compiled route refers to is its own or belongs to its ground. It is
 * closed when the last Generation that took it lets go.
 */
export class Ground {
  readonly parts: GroundParts
  readonly #facts: string
  readonly #close: () => void
  #holders = 0

  private constructor(parts: GroundParts, facts: string, close: () => void) {
    this.parts = parts
    this.#facts = facts
    this.#close = close
  }

  /** Makes it of everything but the routes. Throws with a message for the operator, having let go of all it took. */
  static open(model: GatewayModel, env: GenerationEnv): Ground {
    const closables: Closable[] = [env.hold]
    const close = (): void => {
      for (const closable of closables.toReversed()) closable.close()
    }
    try {
      const facts = factsOf(model)
      return new Ground(openParts(frameOf(model), facts, env, closables), JSON.stringify(facts), close)
    } catch (thrown) {
      close()
      throw thrown
    }
  }

  /** Whether the routes of this model may stand on it. */
  carries(model: GatewayModel): boolean {
    return hasSameFrame(model, this.parts.frame) && this.#facts === JSON.stringify(factsOf(model))
  }

  take(): void {
    this.#holders++
  }

  release(): void {
    if (--this.#holders === 0) this.#close()
  }
}

/** What a ground depends on besides what is said in the frame of its model. */
interface Facts {
  /** Whether some route knows callers by their API key; then no service may see one. */
  readonly hasApiKeys: boolean
  /** By service: of the routes that lead to it, where its capacity is bounded. */
  readonly priorities: ReturnType<typeof prioritiesOf>
  /** What stands in the files that services name: a reload brings renewed ones. */
  readonly files: readonly (string | undefined)[]
}

function factsOf(model: GatewayModel): Facts {
  const { identity, routes, services } = model
  const isAsked = identity.own !== undefined && routes.some(({ auth }) => auth.any.includes('api-key'))
  return {
    hasApiKeys: identity.apiKeys.length > 0 || isAsked,
    priorities: prioritiesOf(model),
    files: services.map(({ tls }) => trustFiles(tls)),
  }
}

function openParts(frame: ModelFrame, facts: Facts, env: GenerationEnv, closables: Closable[]): GroundParts {
  const table = env.hold.take('limits', () => createLimitTable(env.shared.limits, env.worker, env.clock))
  const fleet = isFleet(frame) ? env.hold.take('fleet', () => joinFleet(frame.name, env)) : undefined
  const atEdges = new Set(frame.listeners.flatMap(({ edgeLimits }) => edgeLimits.map(({ use }) => use)))
  const counters =
    fleet === undefined
      ? table.open(frame.limits)
      : createFleetCounters({
          specs: frame.limits,
          isLocal: (limit) => atEdges.has(limit),
          client: fleet.client,
          open: (specs) => table.open(specs),
          meter: env.meter,
        })
  const limitEnv = { ...env, limits: frame.limits, counters }

  const services = new Map<string, CompiledService>()
  const ready = new Waiting()
  ready.push(fleet?.ready)
  ready.push(descriptorsReady(frame.services, env))
  for (const spec of frame.services) {
    const compiled = (env.createService ?? createNamedService)(spec, env)
    closables.push(compiled)
    ready.push(compiled.ready)
    services.set(spec.name, { spec, service: compiled.service })
  }

  const capacity = serviceCapacities(frame.services, facts.priorities, table, limitEnv)

  const proxies = new AddressSet(frame.trustedProxies)
  const isTrustedProxy = frame.trustedProxies.length === 0 ? () => false : (address: string) => proxies.has(address)
  const penalties = openPenalties(frame, env, isTrustedProxy)
  ready.push(penalties.ready)
  const early = penalties.early === undefined ? [] : [penalties.early]
  const edges = new Map(
    frame.listeners.map(({ name, edgeLimits }) => [name, [...early, ...edgePolicies(name, edgeLimits, limitEnv)]]),
  )
  const identity = createIdentity(frame.identity, env)
  ready.push(identity.ready)
  const { streams, tokenEdit } = identity
  const { own } = frame.identity
  return {
    env,
    frame,
    limitEnv,
    common: {
      ...env,
      authenticators: env.recognise?.(identity.authenticators) ?? identity.authenticators,
      shapes: new Map(frame.shapes?.map((shape) => [shape.digest, shape])),
      streams,
      trustedOrigins: own === undefined ? [] : [own.issuer, ...(own.trustedOrigins ?? [])],
      askService: (name) => askingService(name, services, tokenEdit),
      loginPath: identity.parts === undefined ? undefined : `${identity.parts.path}/login`,
    },
    identity,
    action: { services, hasApiKeys: facts.hasApiKeys, tokenEdit },
    capacity,
    callerPenalty: penalties.caller,
    edges,
    offset: Math.max(0, ...[...edges.values()].map((policies) => policies.length)),
    guard: createGuard({ isTrustedProxy, parseAddress: canonicalAddress, trace: env.traces?.begin }),
    ready: ready.all,
  }
}
