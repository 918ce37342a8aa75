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

export const cacheResults: readonly CacheResult[] = ['hit', 'stale', 'revalidated', 'collapsed', 'miss', 'bypass']

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
