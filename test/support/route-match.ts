import type { RouteMatch } from '../../src/routing/route-match.ts'

/** A match of these paths, with nothing else asked unless `more` says so. */
export function matchOf(paths: readonly string[], more: Partial<Omit<RouteMatch, 'paths'>> = {}): RouteMatch {
  return { paths, methods: [], hosts: [], headers: [], query: [], allow: [], ...more }
}
