import type { Directives } from './cache-control.ts'
import { noDirectives } from './cache-control.ts'
import type { Freshness } from './freshness.ts'

/** How a stored answer may be used: `revalidating` while it is being asked for anew, `asked` not because the client wants newer. */
export type Usability = 'fresh' | 'revalidating' | 'stale' | 'asked'

/** Whether a stored answer may be used now (RFC 9111 §4.2), given what the client's directives ask for. */
export function usabilityOf(freshness: Freshness, isPurged: boolean, asked: Directives, now: number): Usability {
  const isFresh = now < freshness.freshUntil && !isPurged
  if (asked !== noDirectives) {
    const ageMs = now - freshness.bornAt
    if (asked.noCache) return 'asked'
    if (asked.maxAge !== undefined && ageMs > asked.maxAge * 1000) return 'asked'
    if (asked.minFresh !== undefined && freshness.freshUntil - now < asked.minFresh * 1000) return 'asked'
    // A client's patience never beats the service's wish to be asked.
    const mayBeStale = !isFresh && !isPurged && !freshness.mustRevalidate && asked.maxStale !== undefined
    if (mayBeStale && now - freshness.freshUntil <= asked.maxStale * 1000) return 'fresh'
  }
  if (isFresh) return 'fresh'
  return !freshness.noCache && isWithin(freshness.whileRevalidateUntil, freshness, now) ? 'revalidating' : 'stale'
}

/** Whether a stale answer may stand in for a failure now. */
export function isForErrors(freshness: Freshness, now: number): boolean {
  return isWithin(freshness.ifErrorUntil, freshness, now)
}

/** Whether a window for stale answers exists and is open; one may be needed before the answer's own time is over. */
function isWithin(until: number, { freshUntil }: Freshness, now: number): boolean {
  return until > freshUntil && now < until
}
