import type { RouteModel } from '../config/model.ts'
import type { Exchange, RouteFacts } from '../core/exchange.ts'
import type { Handler } from '../core/handler.ts'
import { compose, inStageOrder } from '../core/pipeline.ts'
import type { Policy } from '../core/policy.ts'
import type { Problem } from '../core/problem.ts'
import { routeParamNames } from '../routing/path-pattern.ts'
import { preflightMethod } from '../routing/preflight.ts'
import { refusalUnder } from '../routing/read-path.ts'
import type { RouteHit, Router, WrongMethod } from '../routing/router.ts'
import type { RouteMatch } from '../routing/route-match.ts'
import type { CompiledRoute } from './generation.ts'
import type { PolicyOutline } from './request-row.ts'
import { outlinesOf } from './request-row.ts'

/** A route with everything an exchange needs of it. */
export interface ReadyRoute extends RouteFacts, CompiledRoute {
  readonly match: RouteMatch
  readonly answersPreflight: boolean
  readonly handler: Handler
  /** Of its policies, for whoever outlives the Generation. */
  readonly outlines: readonly PolicyOutline[]
  /** Gives an exchange the words of its caller's protocol; absent: it has them already. */
  readonly speak: ((x: Exchange) => void) | undefined
}

/** Puts a route together. `offset` is how many policies stand before routing, at most, on any listener. */
export function readyRoute(
  model: RouteModel,
  index: number,
  policies: readonly Policy[],
  end: Handler,
  offset: number,
  speak?: ReadyRoute['speak'],
): ReadyRoute {
  const ordered = inStageOrder(policies)
  return {
    name: model.name,
    index,
    model,
    match: model.match,
    paramNames: routeParamNames(model.match),
    policies: ordered,
    answersPreflight: ordered.some((policy) => policy.stage === 'cors'),
    handler: compose(ordered, end, offset),
    outlines: outlinesOf(ordered),
    speak,
  }
}

const nothingAllowed: RouteMatch['allow'] = []
/** Nothing answers at this address. */
export const noRoute: Problem = { name: 'no-route' }

/** The route of an exchange, WrongMethod when the method alone failed, undefined when nothing answers there. */
export type FindRoute = (x: Exchange) => RouteHit<ReadyRoute> | WrongMethod | undefined

/** Finds routes, those of CORS preflights by what they ask for. */
export function routeFinder(router: Router<ReadyRoute>): FindRoute {
  return (x) => {
    const asked = preflightMethod(x.method, x.headers)
    if (asked !== undefined) {
      const hit = router.matchPreflight(asked, x.authority, x.path, x.headers, x.query)
      if (hit?.route?.answersPreflight === true) return hit
    }
    return router.match(x.method, x.authority, x.path, x.headers, x.query)
  }
}

/** The refusal of an oddly written path wherever no route says that it takes such paths. */
export function oddityOf(x: Exchange, hit: ReturnType<FindRoute>): Problem | undefined {
  return refusalUnder(x, hit?.route?.match.allow ?? nothingAllowed)
}

/** The Handler that hands an exchange over to its route; 404, 405 and oddly written paths end here. */
export function routing(find: FindRoute): Handler {
  return (x) => {
    const hit = find(x)
    const oddity = oddityOf(x, hit)
    if (oddity !== undefined) return x.renderProblem(oddity, x)
    if (hit === undefined) return x.renderProblem(noRoute, x)
    if (hit.route === undefined) return x.renderProblem(hit.problem, x)
    const { route } = hit
    x.route = route
    x.params = hit.params
    route.speak?.(x)
    return route.handler(x)
  }
}
