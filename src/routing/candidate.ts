import type { Condition } from './conditions.ts'
import { headerConditions, queryConditions } from './conditions.ts'
import type { PathPattern, PatternSegment } from './path-pattern.ts'
import { pathPatternsOf, patternNames, restName, routeParamNames } from './path-pattern.ts'
import type { RouteMatch } from './route-match.ts'

/** Whatever has a `match`: the compiled route of the gateway, a row of a table, a test's plain object. */
export interface Routed {
  readonly match: RouteMatch
}

/** One way to reach a route: one of its hosts with one of its path patterns. */
export interface Candidate<R> {
  readonly route: R
  /** The route's place in the configuration: what decides when nothing else does. */
  readonly index: number
  readonly host: string
  readonly pattern: PathPattern
  /** The methods listed, with HEAD where there is GET; empty: any. */
  readonly methods: readonly string[]
  readonly headers: readonly Condition[] | undefined
  readonly query: readonly Condition[] | undefined
  /** How many parameters the route has, and where among them each caught segment goes; -1 for one without a name. */
  readonly paramCount: number
  readonly slots: readonly number[]
}

/** Every way to reach a route. Throws PatternError, and Error on a header name that cannot be. */
export function candidatesOf<R extends Routed>(route: R, index: number): Candidate<R>[] {
  const { match } = route
  const names = routeParamNames(match)
  const methods = match.methods.includes('GET') ? [...new Set([...match.methods, 'HEAD'])] : match.methods
  const headers = headerConditions(match.headers)
  const query = queryConditions(match.query)
  const candidates: Candidate<R>[] = []
  for (const host of match.hosts.length === 0 ? [''] : match.hosts) {
    for (const pattern of pathPatternsOf(match)) {
      const slots = pattern.segments.flatMap((segment) => {
        if (segment.kind === 'literal') return []
        const name = segment.kind === 'rest' ? restName : segment.name
        return [name === undefined ? -1 : names.indexOf(name)]
      })
      const paramCount = patternNames(pattern).length === 0 ? 0 : names.length
      candidates.push({ route, index, host, pattern, methods, headers, query, paramCount, slots })
    }
  }
  return candidates
}

/**
 * The order in which candidates are tried (CONTRACT "match"): hosts, path segment by segment, methods, number of
 * header conditions, of query conditions; then who lists HEAD itself, then the place in the configuration.
 */
export function compareCandidates(a: Candidate<unknown>, b: Candidate<unknown>): number {
  return (
    compareHosts(a.host, b.host) ||
    comparePatterns(a.pattern.segments, b.pattern.segments) ||
    Number(a.methods.length === 0) - Number(b.methods.length === 0) ||
    (b.headers?.length ?? 0) - (a.headers?.length ?? 0) ||
    (b.query?.length ?? 0) - (a.query?.length ?? 0) ||
    Number(isOnlyForHead(b)) - Number(isOnlyForHead(a)) ||
    a.index - b.index
  )
}

/** Why the first of two routes is tried before the second, in words. They must have a path in common. */
export function whichComesFirst(first: Routed, second: Routed): string {
  const [a] = candidatesOf(first, 0).toSorted(compareCandidates)
  const [b] = candidatesOf(second, 1).toSorted(compareCandidates)
  if (compareHosts(a.host, b.host) !== 0) return `its host ${a.host === '' ? '(any)' : a.host} is more particular`
  if (comparePatterns(a.pattern.segments, b.pattern.segments) !== 0) {
    return `its path ${first.match.paths.join(', ')} is more particular than ${second.match.paths.join(', ')}`
  }
  if ((a.methods.length === 0) !== (b.methods.length === 0)) return 'it names its methods'
  if ((a.headers?.length ?? 0) !== (b.headers?.length ?? 0)) return 'it asks for more headers'
  if ((a.query?.length ?? 0) !== (b.query?.length ?? 0)) return 'it asks for more query parameters'
  return isOnlyForHead(a) === isOnlyForHead(b) ? 'it stands earlier in the configuration' : 'it is for HEAD alone'
}

/** A route for HEAD alone comes before the one that answers HEAD because it answers GET. */
function isOnlyForHead({ methods }: Candidate<unknown>): boolean {
  return methods.includes('HEAD') && !methods.includes('GET')
}

function compareHosts(a: string, b: string): number {
  if (a === b) return 0
  const rank = hostRank(a) - hostRank(b)
  if (rank !== 0) return rank
  // Labels, not letters: of two wildcards that match one name the longer has more of them.
  return b.split('.').length - a.split('.').length || (a < b ? -1 : 1)
}

function hostRank(host: string): number {
  if (host === '') return 2
  return host.startsWith('*.') ? 1 : 0
}

const segmentRank = { literal: 1, one: 2, optional: 3, rest: 4 } as const

/** More particular first. Literals that differ never meet; they are put in a fixed order so that tables read well. */
function comparePatterns(a: readonly PatternSegment[], b: readonly PatternSegment[]): number {
  for (let i = 0; i < a.length || i < b.length; i++) {
    const left = a[i] as PatternSegment | undefined
    const right = b[i] as PatternSegment | undefined
    const rank = (left === undefined ? 0 : segmentRank[left.kind]) - (right === undefined ? 0 : segmentRank[right.kind])
    if (rank !== 0) return rank
    if (left?.kind === 'literal' && right?.kind === 'literal' && left.text !== right.text) return left.text < right.text ? -1 : 1
  }
  return 0
}
