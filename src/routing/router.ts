import type { Headers } from '../core/headers.ts'
import { headerBlock } from '../core/headers.ts'
import { atOnce } from '../core/in-slices.ts'
import type { Problem } from '../core/problem.ts'
import { sorting } from '../lib/sorting.ts'
import type { Candidate, Routed } from './candidate.ts'
import { candidatesOf, compareCandidates } from './candidate.ts'
import { headersHold, queryHolds } from './conditions.ts'
import { HostTables } from './host-tables.ts'
import type { PathNode, PathTable } from './path-table.ts'

/** A request found its route. */
export interface RouteHit<R> {
  readonly route: R
  /** In the order of `routeParamNames`, as they stand in the path; a hole for what this match did without. */
  readonly params: readonly (string | undefined)[]
}

/** Routes exist at this address, but none for the method. Shared; ready to be rendered (405 with Allow). */
export interface WrongMethod {
  readonly route: undefined
  readonly problem: Problem
}

/** A candidate with what matching needs of it. It knows its route by place only, so that a table holds on to no route. */
interface Leaf {
  readonly candidate: Candidate<Routed>
  /** One bit per listed method; `anyMethod` when none is listed. */
  readonly methods: number
}

/** What matching goes by. Several routers may share one: matching is never interrupted, so the cursor of the hosts is free. */
interface Table {
  readonly hosts: HostTables<Leaf>
  /** Places of routes in match order, each where its most particular candidate stands. */
  readonly order: ReadonlySet<number>
  readonly methodBits: ReadonlyMap<string, number>
  readonly wrongMethods: Map<number, WrongMethod>
}

const anyMethod = -1
const nothing: readonly undefined[] = []

/** Makes the router of these routes. Throws PatternError, and Error on conditions that cannot be. */
export function createRouter<R extends Routed>(routes: readonly R[]): Router<R> {
  return atOnce(routerOf(routes))
}

/** The same in steps of some microseconds, for a thread that has requests to serve meanwhile. */
export function* routerOf<R extends Routed>(routes: readonly R[]): Generator<void, Router<R>, void> {
  const candidates: Candidate<Routed>[] = []
  for (const [index, { match }] of routes.entries()) {
    for (const candidate of candidatesOf({ match }, index)) candidates.push(candidate)
    yield
  }
  const hosts = new HostTables<Leaf>()
  const order = new Set<number>()
  const methodBits = new Map<string, number>()
  for (const candidate of yield* sorting(candidates, compareCandidates)) {
    order.add(candidate.index)
    hosts.add(candidate.host, candidate.pattern, { candidate, methods: bitsOf(candidate.methods, methodBits) })
    yield
  }
  return new Router(routes, { hosts, order, methodBits, wrongMethods: new Map() })
}

function bitsOf(methods: readonly string[], methodBits: Map<string, number>): number {
  if (methods.length === 0) return anyMethod
  let bits = 0
  for (const method of methods) {
    let bit = methodBits.get(method)
    if (bit === undefined) {
      if (methodBits.size === 31) throw new Error('routes list more than 31 different methods')
      bit = 1 << methodBits.size
      methodBits.set(method, bit)
    }
    bits |= bit
  }
  return bits
}

/**
 * Finds the route of a request. Exact paths are found by one look-up, patterns by a walk over the path's segments
 * with one look-up each, so the number of routes does not matter. Not reentrant; one worker has one.
 */
export class Router<R extends Routed> {
  readonly #routes: readonly R[]
  readonly #table: Table

  // The request being matched.
  #path = ''
  #method = 0
  #headers: Headers | undefined = undefined
  #query: string | undefined = undefined
  #announced: string | undefined = undefined
  /** Methods of candidates that only the method failed. */
  #others = 0
  /** Where caught segments begin and end. */
  readonly #starts: number[] = []
  readonly #ends: number[] = []
  #steps = 0

  constructor(routes: readonly R[], table: Table) {
    this.#routes = routes
    this.#table = table
  }

  /** The router of other routes with the very same matches in the same order; it shares the table with this one. */
  over<S extends Routed>(routes: readonly S[]): Router<S> {
    return new Router(routes, this.#table)
  }

  /** Routes in match order, each at the place of its most particular candidate. */
  get routes(): R[] {
    return Array.from(this.#table.order, (index) => this.#routes[index])
  }

  /**
   * The route of a request, WrongMethod when the method alone failed, undefined when nothing answers there. `authority`
   * in lower case, with or without port; `path` in the normal form of `readPath`.
   */
  match(
    method: string,
    authority: string,
    path: string,
    headers: Headers,
    query: string | undefined,
  ): RouteHit<R> | WrongMethod | undefined {
    this.#announced = undefined
    return this.#match(method, authority, path, headers, query)
  }

  /**
   * The same for a CORS preflight, by the method it asks for. Header conditions count as met when the preflight
   * announces the header. When the route found has no `cors`, the request is an ordinary OPTIONS: match it as such.
   */
  matchPreflight(
    asked: string,
    authority: string,
    path: string,
    headers: Headers,
    query: string | undefined,
  ): RouteHit<R> | WrongMethod | undefined {
    this.#announced = headers.get('access-control-request-headers') ?? ''
    return this.#match(asked, authority, path, headers, query)
  }

  /** How many nodes and leaves the last match looked at: what it cost, apart from the machine. */
  get steps(): number {
    return this.#steps
  }

  #match(method: string, authority: string, path: string, headers: Headers, query: string | undefined) {
    this.#path = path
    this.#method = this.#table.methodBits.get(method) ?? 0
    this.#headers = headers
    this.#query = query
    this.#others = 0
    this.#steps = 0
    const { hosts } = this.#table
    let table = hosts.first(authority)
    while (table !== undefined) {
      const hit = this.#search(table)
      if (hit !== undefined) return hit
      table = hosts.next()
    }
    return this.#others === 0 ? undefined : this.#wrongMethod(this.#others)
  }

  #search(table: PathTable<Leaf>): RouteHit<R> | undefined {
    this.#steps++
    const leaves = table.exact.get(this.#path)
    const hit = leaves === undefined ? undefined : this.#try(leaves, 0)
    return hit ?? (table.root === undefined ? undefined : this.#walk(table.root, 0, 0))
  }

  /** From `node`, with the path read up to the slash at `at`: the more particular step first, back if it leads nowhere. */
  #walk(node: PathNode<Leaf>, at: number, caught: number): RouteHit<R> | undefined {
    this.#steps++
    const path = this.#path
    let hit: RouteHit<R> | undefined
    if (at === path.length) {
      if (node.ends !== undefined && (hit = this.#try(node.ends, caught)) !== undefined) return hit
      if (node.optional !== undefined && (hit = this.#try(node.optional, caught)) !== undefined) return hit
      return node.rest === undefined ? undefined : this.#catch(node.rest, caught, at, at)
    }
    const slash = path.indexOf('/', at + 1)
    const end = slash === -1 ? path.length : slash
    if (node.literals !== undefined) {
      const next = node.literals.get(path.slice(at + 1, end))
      if (next !== undefined && (hit = this.#walk(next, end, caught)) !== undefined) return hit
    }
    if (end > at + 1) {
      if (node.one !== undefined) {
        this.#starts[caught] = at + 1
        this.#ends[caught] = end
        if ((hit = this.#walk(node.one, end, caught + 1)) !== undefined) return hit
      }
      if (node.optional !== undefined && end === path.length) {
        if ((hit = this.#catch(node.optional, caught, at + 1, end)) !== undefined) return hit
      }
    } else if (path.length === 1 && node.optional !== undefined) {
      // "/{x?}" without its segment is "/": the one path that ends in its only slash.
      if ((hit = this.#try(node.optional, caught)) !== undefined) return hit
    }
    return node.rest === undefined ? undefined : this.#catch(node.rest, caught, at, path.length)
  }

  #catch(leaves: readonly Leaf[], caught: number, start: number, end: number): RouteHit<R> | undefined {
    this.#starts[caught] = start
    this.#ends[caught] = end
    return this.#try(leaves, caught + 1)
  }

  #try(leaves: readonly Leaf[], caught: number): RouteHit<R> | undefined {
    for (let i = 0; i < leaves.length; i++) {
      this.#steps++
      const leaf = leaves[i]
      const { headers, query } = leaf.candidate
      if (headers !== undefined && !headersHold(headers, this.#headers!, this.#announced)) continue
      if (query !== undefined && !queryHolds(query, this.#query)) continue
      if (leaf.methods === anyMethod || (leaf.methods & this.#method) !== 0) return this.#hit(leaf.candidate, caught)
      this.#others |= leaf.methods
    }
    return undefined
  }

  #hit({ index, paramCount, slots }: Candidate<Routed>, caught: number): RouteHit<R> {
    const route = this.#routes[index]
    if (paramCount === 0) return { route, params: nothing }
    const params: (string | undefined)[] = []
    for (let i = 0; i < paramCount; i++) params.push(undefined)
    for (let i = 0; i < caught; i++) if (slots[i] !== -1) params[slots[i]] = this.#path.slice(this.#starts[i], this.#ends[i])
    return { route, params }
  }

  /** One answer per set of methods; the configuration bounds how many there can be. */
  #wrongMethod(bits: number): WrongMethod {
    const { methodBits, wrongMethods } = this.#table
    let wrong = wrongMethods.get(bits)
    if (wrong === undefined) {
      const allow = [...methodBits]
        .flatMap(([method, bit]) => ((bits & bit) === 0 ? [] : [method]))
        .sort()
        .join(', ')
      wrong = { route: undefined, problem: { name: 'method-not-allowed', headers: headerBlock([['allow', allow]]) } }
      wrongMethods.set(bits, wrong)
    }
    return wrong
  }
}
