import type { Count, Meter } from '../core/meter.ts'

/**
 * What became of a request at the cache, as `Cache-Status` tells it (RFC 9211) and as metrics count it. Keys are never
 * told: they may say who else asks.
 */
export type CacheResult =
  | 'hit'
  | 'stale' // served stale, while or because asking anew
  | 'revalidated'
  | 'collapsed' // another request fetched it
  | 'miss'
  | 'bypass' // not looked up

const cacheResults: readonly CacheResult[] = ['hit', 'stale', 'revalidated', 'collapsed', 'miss', 'bypass']

/** The counts of one route, by result. */
export function countsOf(meter: Meter, route: string): Readonly<Record<CacheResult, Count>> {
  const help = 'Requests at the cache, by what became of them.'
  const counts = cacheResults.map((result) => [result, meter.counter('velum_cache_requests_total', help, { route, result })])
  return Object.fromEntries(counts) as Record<CacheResult, Count>
}

/** Why a request went on to the service. */
export type Forwarded = 'uri-miss' | 'vary-miss' | 'stale' | 'request' | 'bypass' | 'method'

/** The line of a stored answer; `ttl` in whole seconds, negative once stale. */
export function hitLine(ttl: number, detail?: string): string {
  return `Cache-Status: velum; hit; ttl=${ttl}${detail === undefined ? '' : `; detail=${detail}`}\r\n`
}

/** The line of an answer that came from the service. */
export function forwardedLine(why: Forwarded, status: number, more: string): string {
  return `Cache-Status: velum; fwd=${why}; fwd-status=${status}${more}\r\n`
}
