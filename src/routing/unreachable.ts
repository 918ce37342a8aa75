import { Headers } from '../core/headers.ts'
import type { Candidate, Routed } from './candidate.ts'
import { candidatesOf } from './candidate.ts'
import type { Condition } from './conditions.ts'
import type { PatternSegment } from './path-pattern.ts'
import { readPath } from './read-path.ts'
import { createRouter } from './router.ts'

/** A path pattern of a route that no request can reach. */
export interface Unreachable {
  /** The route's place among those given. */
  readonly index: number
  readonly path: string
  /** Places of the routes that take every request for it; empty when its own `allow` or conditions shut everything out. */
  readonly coveredBy: readonly number[]
  /** What `match.allow` would have to name, when that is the reason. */
  readonly needs: 'encoded-slash' | 'semicolon' | undefined
}

const maxDepth = 24
const maxCombinations = 64

/**
 * Every pattern that no request can reach, found by asking the router itself. For each pattern it is asked the requests
 * that others are least able to take: segments, hosts and methods that nobody names, and no field beyond the
 * conditions. A pattern that loses all of these loses every request.
 */
export function findUnreachable(routes: readonly Routed[]): Unreachable[] {
  const router = createRouter(routes)
  const candidates = routes.flatMap((route, index) => candidatesOf(route, index))
  const fresh = new FreshNames(candidates)
  const places = new Map(routes.map((route, index) => [route, index]))
  const byPattern = Map.groupBy(candidates, ({ index, pattern }) => `${index} ${pattern.source}`)
  const found: Unreachable[] = []
  for (const group of byPattern.values()) {
    const { route, index, pattern } = group[0]
    const needs = neededAllow(group[0])
    if (needs !== undefined) {
      found.push({ index, path: pattern.source, coveredBy: [], needs })
      continue
    }
    const winners = new Set<number>()
    const isReached = group.some((candidate) => {
      for (const { method, host, path, headers, query } of requestsFor(candidate, fresh)) {
        const hit = router.match(method, host, path, headers, query)
        if (hit?.route === route) return true
        if (hit?.route !== undefined) winners.add(places.get(hit.route)!)
      }
      return false
    })
    if (!isReached) found.push({ index, path: pattern.source, coveredBy: [...winners].sort((a, b) => a - b), needs: undefined })
  }
  return found
}

function neededAllow({ pattern, route }: Candidate<Routed>): Unreachable['needs'] {
  for (const segment of pattern.segments) {
    if (segment.kind !== 'literal') continue
    const { hasEncodedSlash, hasSemicolon } = readPath(`/${segment.text}`)
    if (hasEncodedSlash && !route.match.allow.includes('encoded-slash')) return 'encoded-slash'
    if (hasSemicolon && !route.match.allow.includes('semicolon')) return 'semicolon'
  }
  return undefined
}

/** A segment, a label and a method that no route names. */
class FreshNames {
  readonly segment: string
  readonly label: string
  readonly method: string
  /** One segment more than any pattern has. */
  readonly depth: number

  constructor(candidates: readonly Candidate<Routed>[]) {
    const literals = new Set<string>()
    const hosts = new Set<string>()
    const methods = new Set<string>()
    let depth = 0
    for (const { pattern, host, methods: listed } of candidates) {
      for (const segment of pattern.segments) if (segment.kind === 'literal') literals.add(segment.text)
      for (const label of host.split('.')) hosts.add(label)
      for (const method of listed) methods.add(method)
      depth = Math.max(depth, pattern.segments.length)
    }
    this.segment = freshName('x', literals)
    this.label = freshName('x', hosts)
    this.method = freshName('X', methods)
    this.depth = Math.min(depth + 1, maxDepth)
  }
}

function freshName(letter: string, taken: ReadonlySet<string>): string {
  let name = letter
  while (taken.has(name)) name += letter
  return name
}

interface Sample {
  readonly method: string
  readonly host: string
  readonly path: string
  readonly headers: Headers
  readonly query: string | undefined
}

function* requestsFor(candidate: Candidate<Routed>, fresh: FreshNames): Generator<Sample> {
  const host = candidate.host === '' ? fresh.label : candidate.host.replace('*', fresh.label)
  const methods = candidate.methods.length === 0 ? [fresh.method] : candidate.methods
  for (const pairs of combinations(candidate.headers ?? [])) {
    const headers = headersFrom(pairs)
    if (headers === undefined) continue
    for (const parameters of combinations(candidate.query ?? [])) {
      const text = parameters.map(([name, value]) => `${encoded(name)}=${encoded(value)}`).join('&')
      const query = text === '' ? undefined : text
      for (const path of pathsOf(candidate.pattern.segments, fresh)) {
        for (const method of methods) yield { method, host, path, headers, query }
      }
    }
  }
}

/** As a form encodes it. What is no text (a lone surrogate) becomes other text, and so meets nothing. */
function encoded(text: string): string {
  return encodeURIComponent(text.toWellFormed())
}

/** Undefined when a value could stand in no message: then no request meets the conditions. */
function headersFrom(pairs: readonly (readonly [string, string])[]): Headers | undefined {
  try {
    return Headers.from(pairs)
  } catch {
    return undefined
  }
}

/** Every way to meet the conditions with the values that they name, up to a bound. */
function combinations(conditions: readonly Condition[]): [string, string][][] {
  let result: [string, string][][] = [[]]
  for (const { name, values } of conditions) {
    const longer: [string, string][][] = []
    for (const pairs of result) for (const value of values ?? ['x']) longer.push(pairs.concat([[name, value]]))
    result = longer.slice(0, maxCombinations)
  }
  return result
}

function* pathsOf(segments: readonly PatternSegment[], fresh: FreshNames): Generator<string> {
  let path = ''
  for (const segment of segments) {
    if (segment.kind === 'optional') {
      yield path === '' ? '/' : path
      yield `${path}/${fresh.segment}`
      return
    }
    if (segment.kind === 'rest') {
      if (path !== '') yield path
      yield `${path}/`
      for (let i = 0; i < fresh.depth; i++) {
        path += `/${fresh.segment}`
        yield path
        yield `${path}/`
      }
      return
    }
    path += `/${segment.kind === 'literal' ? segment.text : fresh.segment}`
  }
  yield path
}
