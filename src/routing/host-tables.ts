import type { PathPattern } from './path-pattern.ts'
import type { PathTable } from './path-table.ts'
import { addPattern, newPathTable } from './path-table.ts'

/**
 * The path tables of a request's host, most particular first: the name itself, wildcards from the longest, any host.
 * A cursor (`first`, then `next`), so that the usual request, whose first table answers, costs one look-up.
 */
export class HostTables<L> {
  readonly #exact = new Map<string, PathTable<L>>()
  readonly #wildcards = new Map<string, PathTable<L>>()
  readonly #any: PathTable<L> = newPathTable()
  #hasHosts = false
  /** Labels behind the "*" of the longest wildcard: longer names need not be cut further, however long a client makes them. */
  #longest = 0
  #host = ''
  /** Where the cursor stands: the dot in front of the next wildcard suffix; the host's length when none is left; -1 at the end. */
  #dot = -1

  /** Adds a leaf under a host; '' is any. Leaves of one place keep the order in which they are added. */
  add(host: string, pattern: PathPattern, leaf: L): void {
    addPattern(this.#tableFor(host), pattern, leaf)
    if (host !== '') this.#hasHosts = true
  }

  /** The first table for this authority (lower case, with or without port). */
  first(authority: string): PathTable<L> | undefined {
    if (!this.#hasHosts) {
      this.#dot = -1
      return this.#any
    }
    const host = hostOf(authority)
    this.#host = host
    this.#dot = this.#firstDot(host)
    return this.#exact.get(host) ?? this.next()
  }

  /** The next one, or undefined after the last. */
  next(): PathTable<L> | undefined {
    if (this.#dot === -1) return undefined
    const host = this.#host
    while (this.#dot < host.length) {
      const suffix = host.slice(this.#dot + 1)
      const following = host.indexOf('.', this.#dot + 1)
      this.#dot = following === -1 ? host.length : following
      const table = this.#wildcards.get(suffix)
      if (table !== undefined) return table
    }
    this.#dot = -1
    return this.#any
  }

  /** The dot in front of the longest suffix that a wildcard could have; something must stand before it. */
  #firstDot(host: string): number {
    let dot = host.length
    for (let labels = 0; labels < this.#longest; labels++) {
      const before = host.lastIndexOf('.', dot - 1)
      if (before <= 0) break
      dot = before
    }
    return dot
  }

  #tableFor(host: string): PathTable<L> {
    if (host === '') return this.#any
    const isWildcard = host.startsWith('*.')
    const tables = isWildcard ? this.#wildcards : this.#exact
    const name = isWildcard ? host.slice(2) : host
    if (isWildcard) this.#longest = Math.max(this.#longest, name.split('.').length)
    let table = tables.get(name)
    if (table === undefined) {
      table = newPathTable()
      tables.set(name, table)
    }
    return table
  }
}

/** The host of an authority: without its port, and without the dot that may end a full name. */
export function hostOf(authority: string): string {
  let end = authority.length
  if (authority.charCodeAt(0) === 0x5b) {
    const bracket = authority.indexOf(']')
    if (bracket !== -1) end = bracket + 1
  } else {
    const colon = authority.indexOf(':')
    if (colon !== -1) end = colon
    if (authority.charCodeAt(end - 1) === 0x2e) end--
  }
  return end === authority.length ? authority : authority.slice(0, end)
}
