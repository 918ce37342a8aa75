import type { RouteModel } from '../config/model.ts'
import type { Answer } from '../core/answer.ts'
import type { Exchange } from '../core/exchange.ts'
import { Slot } from '../core/exchange.ts'
import type { MaybePromise } from '../core/handler.ts'
import type { DecideMode, Outcome, Policy } from '../core/policy.ts'
import type { Verdict } from '../core/verdict.ts'
import { pass } from '../core/verdict.ts'
import type { Upstream } from './forward.ts'

/** A service that may be drawn, with what it limits and how many requests it gets at one time. */
export interface LimitedUpstream extends Upstream {
  readonly limits: Policy | undefined
  readonly capacity: Policy | undefined
}

type Draw = (x: Exchange, mode?: DecideMode) => LimitedUpstream

/** A draw that gives an exchange the same service each time: whose limits were charged is who gets the call. A peek leaves no trace. */
export function remembering(draw: (x: Exchange) => LimitedUpstream): Draw {
  const drawn = new Slot<LimitedUpstream>()
  return (x, mode) => {
    const before = drawn.get(x)
    if (before !== undefined) return before
    const upstream = draw(x)
    if (mode !== 'peek') drawn.set(x, upstream)
    return upstream
  }
}

const unlimited = pass('not-limited', () => 'the service that was drawn limits nothing')

/** The limits, or the capacity, of whichever service is drawn. `draw` must be a remembering one. */
export function drawnPolicy(route: RouteModel, draw: Draw, kind: 'limits' | 'capacity'): Policy {
  return {
    name: kind === 'limits' ? 'limits' : 'concurrency',
    stage: 'service-limit',
    source: `${route.source}.to`,
    decide: (x: Exchange, mode: DecideMode): MaybePromise<Verdict> => draw(x, mode)[kind]?.decide?.(x, mode) ?? unlimited,
    onHead: (x: Exchange, answer: Answer): void => draw(x)[kind]?.onHead?.(x, answer),
    onDone: (x: Exchange, outcome: Outcome): void => draw(x)[kind]?.onDone?.(x, outcome),
  }
}
