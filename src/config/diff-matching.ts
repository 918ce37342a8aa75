import { Headers } from '../core/headers.ts'
import { candidatesOf } from '../routing/candidate.ts'
import type { Candidate } from '../routing/candidate.ts'
import { headerConditions } from '../routing/conditions.ts'
import type { PathPattern } from '../routing/path-pattern.ts'
import { patternShape } from '../routing/path-pattern.ts'
import { createRouter } from '../routing/router.ts'
import type { FieldMatch } from '../routing/route-match.ts'
import type { RouteModel } from './model.ts'

/** Two routes that some request matches both, of which another one takes it now. */
export interface OrderChange {
  readonly first: string
  readonly second: string
  /** The path pattern where they meet. */
  readonly path: string
}

/**
 * The route among `others` that gets requests of the form of `route`, by an example of each way to reach it: the first that
 * is found. Undefined: nothing answers them there.
 */
export function routeTakenFrom(route: RouteModel, others: readonly RouteModel[]): RouteModel | undefined {
  const router = createRouter(others)
  // A name that a condition asks for must be known before the headers that hold it are read.
  headerConditions(route.match.headers)
  const headers = Headers.received(route.match.headers.flatMap(({ name, values }) => [name, values?.[0] ?? 'x']))
  const query = route.match.query.map(parameter).join('&')
  for (const candidate of candidatesOf(route, 0)) {
    const method = candidate.methods[0] ?? 'GET'
    const host = candidate.host.startsWith('*.') ? `x${candidate.host.slice(1)}` : candidate.host
    const found = router.match(method, host, examplePath(candidate.pattern), headers, query === '' ? undefined : query)?.route
    if (found !== undefined) return found
  }
  return undefined
}

function parameter({ name, values }: FieldMatch): string {
  return `${encodeURIComponent(name)}=${encodeURIComponent(values?.[0] ?? 'x')}`
}

/** A path that no other literal is likely to have. */
function examplePath({ segments }: PathPattern): string {
  return `/${segments.map((segment) => (segment.kind === 'literal' ? segment.text : 'velum-example')).join('/')}`
}

/**
 * Pairs of routes that are on both sides with the same conditions, that nothing but their place in the configuration puts
 * in order, and whose order is another now: what matches both goes to the other one.
 */
export function matchOrderChanges(
  before: readonly RouteModel[],
  after: readonly RouteModel[],
  keyOf: (route: RouteModel) => string,
): OrderChange[] {
  const old = groupsOf(before)
  const changes = new Map<string, OrderChange>()
  for (const [shape, group] of groupsOf(after)) {
    const places = new Map((old.get(shape) ?? []).map(({ route }, place) => [keyOf(route), place]))
    for (const [i, first] of group.entries()) {
      for (const second of group.slice(i + 1)) {
        const was = [places.get(keyOf(first.route)), places.get(keyOf(second.route))]
        if (was[0] === undefined || was[1] === undefined || was[0] < was[1]) continue
        if (!haveMethodInCommon(first, second) || first.route === second.route) continue
        const pair = JSON.stringify([keyOf(first.route), keyOf(second.route)])
        changes.set(pair, { first: first.route.name, second: second.route.name, path: first.pattern.source })
      }
    }
  }
  return [...changes.values()]
}

/** Ways to reach routes that only their place in the configuration puts in order. */
function groupsOf(routes: readonly RouteModel[]): Map<string, Candidate<RouteModel>[]> {
  const groups = new Map<string, Candidate<RouteModel>[]>()
  for (const [index, route] of routes.entries()) {
    for (const candidate of candidatesOf(route, index)) {
      const { host, pattern, methods, headers, query } = candidate
      const key = JSON.stringify([host, patternShape(pattern), methods.length === 0, headers?.length ?? 0, query?.length ?? 0])
      const group = groups.get(key)
      if (group === undefined) groups.set(key, [candidate])
      else group.push(candidate)
    }
  }
  return groups
}

function haveMethodInCommon(a: Candidate<RouteModel>, b: Candidate<RouteModel>): boolean {
  return a.methods.length === 0 || b.methods.length === 0 || a.methods.some((method) => b.methods.includes(method))
}
