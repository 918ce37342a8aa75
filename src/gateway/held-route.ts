import type { RouteModel } from '../config/model.ts'
import type { Hold } from '../core/lasting.ts'
import { isSentAlong } from '../policies/csrf.ts'
import type { PolicyEnv } from '../policies/policy-kind.ts'
import { bridgesTo } from './bridge-parts.ts'
import { compileAction } from './compile-action.ts'
import { countsPerService, routeLimits, routePolicies, serviceLimits, shapeOf } from './compile-policies.ts'
import type { ReadyRoute } from './compile-routes.ts'
import { readyRoute } from './compile-routes.ts'
import type { GroundParts } from './ground.ts'
import type { Waiting } from './waiting.ts'

/** A compiled route with what it took for itself, held by every Generation that has it. Let go of by the last one. */
export class HeldRoute {
  readonly route: ReadyRoute
  readonly #hold: Hold
  #holders = 0

  /** Throws with a message for the operator, holding nothing. What the route has to wait for is put on `ready`. */
  constructor(model: RouteModel, index: number, parts: GroundParts, ready: Waiting) {
    this.#hold = parts.env.hold.another()
    try {
      this.route = compileRoute(model, index, parts, this.#hold, ready)
    } catch (thrown) {
      this.#hold.close()
      throw thrown
    }
  }

  take(): void {
    this.#holders++
  }

  release(): void {
    if (--this.#holders === 0) this.#hold.close()
  }
}

function compileRoute(route: RouteModel, index: number, parts: GroundParts, hold: Hold, ready: Waiting): ReadyRoute {
  const { env, frame, limitEnv, common, capacity } = parts
  const shape = once(() => shapeOf(route))
  const facts: PolicyEnv['route'] = {
    name: route.name,
    index,
    acceptsSession: isSentAlong(route.auth.any),
    get shape() {
      return shape()
    },
  }
  const { policies, edits } = routePolicies(route, (source) => ({ ...common, hold, source, route: facts }), ready)
  if (parts.callerPenalty !== undefined && route.auth.mode !== 'public') policies.push(parts.callerPenalty)
  const {
    end,
    policies: atService,
    drawn,
    speak,
  } = compileAction(route, {
    clock: env.clock,
    sweeper: env.sweeper,
    meter: env.meter,
    ...parts.action,
    edits,
    random: Math.random,
    bridgesTo: (action, service) => bridgesTo(action, service, { ...env, hold }),
    limitsOf: (service) => serviceLimits(route, service, limitEnv),
    capacityOf: (service) => capacity(route, service),
    asksDrawn: route.limits.some(({ use }) => countsPerService(frame, use)),
    traces: env.traces,
  })
  const all = [...policies, routeLimits(route, drawn, limitEnv), ...atService].filter((policy) => policy !== undefined)
  return readyRoute(route, index, all, end, parts.offset, speak)
}

/** What `make` gives, made when it is first asked for. */
function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined
  return () => (made ??= { value: make() }).value
}
