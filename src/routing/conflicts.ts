import type { Candidate, Routed } from './candidate.ts'
import { candidatesOf } from './candidate.ts'
import type { Condition } from './conditions.ts'
import { patternShape } from './path-pattern.ts'

/** Two routes that could never be told apart: the same requests match both, and nothing puts one before the other. */
export interface Conflict {
  /** Places among the routes given, the earlier one first. */
  readonly first: number
  readonly second: number
  /** The second one's host ('' for any) and path pattern where they meet. */
  readonly host: string
  readonly path: string
  /** The methods that both list; empty: both take any. */
  readonly methods: readonly string[]
}

/**
 * Every pair of routes that could never be told apart: same host, same paths, same conditions, and a method in common.
 * Routes whose conditions differ are no conflict, even if some request meets both: the earlier one takes it. Each pair
 * once. Throws as `createRouter` does.
 */
export function findConflicts(routes: readonly Routed[]): Conflict[] {
  const conflicts: Conflict[] = []
  const seen = new Set<string>()
  const groups = new Map<string, Candidate<Routed>[]>()
  for (const [index, route] of routes.entries()) {
    for (const candidate of candidatesOf(route, index)) {
      const key = JSON.stringify([
        candidate.host,
        patternShape(candidate.pattern),
        keyOf(candidate.headers),
        keyOf(candidate.query),
      ])
      const group = groups.get(key)
      if (group === undefined) {
        groups.set(key, [candidate])
        continue
      }
      for (const other of group) {
        const pair = `${other.index} ${index}`
        if (other.index === index || seen.has(pair)) continue
        const methods = commonMethods(other.route.match.methods, route.match.methods)
        if (methods === undefined) continue
        seen.add(pair)
        conflicts.push({ first: other.index, second: index, host: candidate.host, path: candidate.pattern.source, methods })
      }
      group.push(candidate)
    }
  }
  return conflicts
}

/** Undefined when no method decides between equals; a route that lists methods comes before one that takes any. */
function commonMethods(a: readonly string[], b: readonly string[]): readonly string[] | undefined {
  if (a.length === 0 && b.length === 0) return []
  const common = a.filter((method) => b.includes(method))
  return common.length === 0 ? undefined : common
}

function keyOf(conditions: readonly Condition[] | undefined): string[] {
  return (conditions ?? [])
    .map(({ name, values }) => JSON.stringify([name, values === undefined ? null : values.toSorted()]))
    .toSorted()
}
