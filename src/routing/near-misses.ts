import { nearest } from '../lib/suggest.ts'
import { Headers } from '../core/headers.ts'
import type { Routed } from './candidate.ts'
import { whichComesFirst } from './candidate.ts'
import { headerConditions } from './conditions.ts'
import { parsePathPattern } from './path-pattern.ts'
import type { FieldMatch, RouteMatch } from './route-match.ts'
import { createRouter } from './router.ts'

/** What a route must have to be named in a near miss. */
export interface NamedRoute extends Routed {
  readonly name: string
  /** `routes[3]`. */
  readonly source: string
}

/** A request as routing sees it; `path` in the normal form of `readPath`, `authority` in lower case. */
export interface RoutedRequest {
  readonly method: string
  readonly authority: string
  readonly path: string
  readonly query: string | undefined
  readonly headers: readonly (readonly [name: string, value: string])[]
}

/** The same with its headers ready. */
interface ReadyRequest extends Omit<RoutedRequest, 'headers'> {
  readonly headers: Headers
}

/** A route that a request nearly matched, and everything that kept it from it. */
export interface NearMiss {
  readonly route: string
  readonly source: string
  /** Which conditions did not hold; `precedence`: all did, but another route is more particular. */
  readonly failed: readonly ('host' | 'path' | 'method' | 'header' | 'query' | 'precedence')[]
  readonly why: readonly string[]
}

const mostMisses = 8
const anything: RouteMatch = { paths: ['/**'], methods: [], hosts: [], headers: [], query: [], allow: [] }

/**
 * The routes that a request nearly matched, those that failed by the least first: they have its path and fail by host,
 * method, header or query, or their path differs by one slip. `found` is the route that it has; routes that match as well
 * are named with what puts `found` before them. Meant for people: it tries every route, one condition at a time.
 */
export function nearMisses<R extends NamedRoute>(routes: readonly R[], request: RoutedRequest, found: R | undefined): NearMiss[] {
  // A name that a condition asks for must be known before the headers that hold it are read.
  for (const { match } of routes) headerConditions(match.headers)
  const ready = { ...request, headers: Headers.received(request.headers.flat()) }
  const misses: NearMiss[] = []
  for (const route of routes) {
    if (route === found) continue
    const miss = missOf(route, ready, found)
    if (miss !== undefined) misses.push(miss)
  }
  return misses.sort((a, b) => a.failed.length - b.failed.length).slice(0, mostMisses)
}

function missOf(route: NamedRoute, request: ReadyRequest, found: NamedRoute | undefined): NearMiss | undefined {
  const { match, name, source } = route
  const failed: NearMiss['failed'][number][] = []
  const why: string[] = []
  const fail = (what: (typeof failed)[number], words: string): void => {
    failed.push(what)
    why.push(words)
  }
  if (!holds({ paths: match.paths }, request)) {
    const slip = pathSlip(match.paths, request)
    if (slip === undefined) return undefined
    fail('path', slip)
  }
  if (!holds({ hosts: match.hosts }, request)) {
    fail(
      'host',
      `the host is ${request.authority === '' ? 'missing' : request.authority}, and the route is for ${match.hosts.join(', ')}`,
    )
  }
  if (!holds({ methods: match.methods }, request)) {
    fail('method', `the method is ${request.method}, and the route takes ${match.methods.join(', ')}`)
  }
  for (const field of match.headers) {
    if (holds({ headers: [field] }, request)) continue
    const value = request.headers.get(field.name.toLowerCase())
    fail('header', `it needs the header ${fieldWords(field)}, ${hasWords(value)}`)
  }
  for (const field of match.query) {
    if (!holds({ query: [field] }, request)) fail('query', `it needs the query parameter ${fieldWords(field)}`)
  }
  if (failed.length === 0) {
    if (found === undefined) return undefined
    fail(
      'precedence',
      `it matches too, but ${found.name} comes first: ${whichComesFirst(narrowed(found, request), narrowed(route, request))}`,
    )
  }
  return { route: name, source, failed, why }
}

/** Whether these conditions alone hold, as the router itself sees them. */
function holds(conditions: Partial<RouteMatch>, { method, authority, path, headers, query }: ReadyRequest): boolean {
  const router = createRouter([{ match: { ...anything, ...conditions } }])
  return router.match(method, authority, path, headers, query)?.route !== undefined
}

/** A route with only those of its paths and hosts by which the request matches it. */
function narrowed({ match }: NamedRoute, request: ReadyRequest): Routed {
  const paths = match.paths.filter((path) => holds({ paths: [path] }, request))
  const hosts = match.hosts.filter((host) => holds({ hosts: [host] }, request))
  return { match: { ...match, paths, hosts } }
}

/** What is wrong with a path that is nearly one of these patterns: a slash at its end, its case, or one misspelt segment. */
function pathSlip(patterns: readonly string[], request: ReadyRequest): string | undefined {
  const { path } = request
  const slashed = path.endsWith('/') ? path.slice(0, -1) : `${path}/`
  if (slashed !== '' && holds({ paths: patterns }, { ...request, path: slashed })) {
    return `the path ${path.endsWith('/') ? 'ends with a slash, and' : 'has no slash at its end, but'} ${patterns.join(', ')} ${path.endsWith('/') ? 'has none' : 'has one'}`
  }
  const given = path.split('/').slice(1)
  for (const text of patterns) {
    const { segments } = parsePathPattern(text)
    if (given.length < segments.length && segments.at(-1)?.kind === 'literal') continue
    const odd = segments.flatMap((segment, i) =>
      segment.kind === 'literal' && segment.text !== given[i] ? [{ literal: segment.text, i }] : [],
    )
    if (odd.length !== 1 || given[odd[0].i] === undefined) continue
    const { literal, i } = odd[0]
    const isSlip = literal.toLowerCase() === given[i].toLowerCase() || nearest(given[i], [literal]) !== undefined
    const corrected = `/${given.with(i, literal).join('/')}`
    if (isSlip && holds({ paths: [text] }, { ...request, path: corrected })) {
      return `the path has ${JSON.stringify(given[i])} where ${text} has ${JSON.stringify(literal)}`
    }
  }
  return undefined
}

function fieldWords({ name, values }: FieldMatch): string {
  return values === undefined ? name : `${name}: ${values.join(' or ')}`
}

/** Its value may be a credential: only whether there is one is said. */
function hasWords(value: string | undefined): string {
  return value === undefined ? 'which the request lacks' : 'and the request has another value'
}
