import type { Headers } from '../core/headers.ts'
import { trimSpace } from '../lib/trim-space.ts'
import type { Directives } from './cache-control.ts'
import { parseCacheControl, parseTargeted } from './cache-control.ts'
import { parseHttpDate } from '../lib/http-date.ts'

/** When an answer was asked for and when its head came, in milliseconds since 1970. */
export interface Timing {
  readonly requestedAt: number
  readonly receivedAt: number
}

/** For how long an answer is good, once stored. All times are milliseconds since 1970. */
export interface Freshness {
  /** When it was made, by its own account and by ours, whichever is earlier: its age counts from here. */
  readonly bornAt: number
  /** Until when it may be used without asking. */
  readonly freshUntil: number
  /** Until when it may be used while it is being asked for anew; equals `freshUntil` where it may not. */
  readonly whileRevalidateUntil: number
  /** Until when it may be used because asking failed. */
  readonly ifErrorUntil: number
  /** No use without validation once stale, whoever asks for it. */
  readonly mustRevalidate: boolean
  /** Validated before every use. */
  readonly noCache: boolean
}

/** What a route says where a service does not. */
export interface FreshnessOptions {
  /** For answers that say nothing of how long they are good; undefined: those are not stored. */
  readonly ttlMs: number | undefined
  readonly staleWhileRevalidateMs: number
  readonly staleIfErrorMs: number
  /** Whether a tenth of the time since `Last-Modified` counts where nothing else is said (RFC 9111 §4.2.2). */
  readonly isHeuristic: boolean
}

/** Statuses that may be stored without being told so (RFC 9110 §15.1), 206 apart. */
const heuristicStatuses: ReadonlySet<number> = new Set([200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501])

const longestHeuristicMs = 24 * 3_600_000

/** The directives that hold for this cache: of the most specific field that says anything (RFC 9213 §2.2). */
export function responseDirectives(headers: Headers): { readonly said: Directives; readonly isTargeted: boolean } {
  const targeted = parseTargeted(headers.get('velum-cache-control')) ?? parseTargeted(headers.get('cdn-cache-control'))
  if (targeted !== undefined) return { said: targeted, isTargeted: true }
  return { said: parseCacheControl(headers.get('cache-control')), isTargeted: false }
}

/**
 * How long the service wants its answer to be used, in milliseconds; undefined when it does not say. What it says
 * wrongly is 0 (RFC 9111 §4.2.1).
 */
export function explicitLifetimeMs(said: Directives, isTargeted: boolean, headers: Headers, now: number): number | undefined {
  if (said.sharedMaxAge !== undefined) return said.sharedMaxAge * 1000
  if (said.maxAge !== undefined) return said.maxAge * 1000
  if (isTargeted) return undefined
  const expires = headers.all('expires')
  if (expires.length === 0) return undefined
  const until = expires.length === 1 ? parseHttpDate(expires[0], now) : undefined
  if (until === undefined) return 0
  return Math.max(0, until - (dateOf(headers, now) ?? now))
}

/** The freshness of an answer; undefined when neither the service nor the route says how long it is good. */
export function freshnessOf(
  status: number,
  headers: Headers,
  timing: Timing,
  { said, isTargeted }: { readonly said: Directives; readonly isTargeted: boolean },
  options: FreshnessOptions,
): Freshness | undefined {
  const now = timing.receivedAt
  let lifetimeMs = explicitLifetimeMs(said, isTargeted, headers, now)
  const isExplicit = lifetimeMs !== undefined
  if (lifetimeMs === undefined && heuristicStatuses.has(status)) {
    lifetimeMs = options.ttlMs ?? (options.isHeuristic ? heuristicMs(headers, now) : undefined)
  }
  // Worth keeping for its validator alone: a 304 is cheaper than the whole (RFC 9111 §3).
  const hasValidator = headers.has('etag') || headers.has('last-modified')
  if (lifetimeMs === undefined) {
    if (!hasValidator || !(said.noCache || said.isPublic)) return undefined
    lifetimeMs = 0
  }
  const bornAt = now - initialAgeMs(headers, timing)
  const freshUntil = said.noCache ? bornAt : bornAt + lifetimeMs
  const mustRevalidate =
    said.mustRevalidate || said.proxyRevalidate || said.noCache || said.sharedMaxAge !== undefined || said.isMalformed
  const staleMs = (own: number | undefined, route: number): number => {
    // RFC 5861 against RFC 9111 §5.2.2.2: what must be validated is never used stale; a service that asks for both
    // with s-maxage gets what it says of staleness itself.
    if (said.mustRevalidate || said.proxyRevalidate || said.noCache) return 0
    if (own !== undefined) return own * 1000
    return said.sharedMaxAge !== undefined && isExplicit ? 0 : route
  }
  return {
    bornAt,
    freshUntil,
    whileRevalidateUntil: freshUntil + staleMs(said.staleWhileRevalidate, options.staleWhileRevalidateMs),
    ifErrorUntil: freshUntil + staleMs(said.staleIfError, options.staleIfErrorMs),
    mustRevalidate,
    noCache: said.noCache,
  }
}

/** The corrected initial age (RFC 9111 §4.2.3), in milliseconds. */
export function initialAgeMs(headers: Headers, { requestedAt, receivedAt }: Timing): number {
  const date = dateOf(headers, receivedAt)
  const apparentMs = date === undefined ? 0 : Math.max(0, receivedAt - date)
  const correctedMs = ageSeconds(headers) * 1000 + Math.max(0, receivedAt - requestedAt)
  // `Date` counts in whole seconds: less than one of them is no age.
  return Math.max(apparentMs < 1000 ? 0 : apparentMs, correctedMs)
}

/** What `Age` says: the first usable number; 0 where there is none. */
function ageSeconds(headers: Headers): number {
  for (const line of headers.all('age')) {
    const first = trimSpace(line.split(',')[0])
    if (/^\d+$/.test(first)) return Math.min(Number(first), 2 ** 31)
  }
  return 0
}

function dateOf(headers: Headers, now: number): number | undefined {
  const lines = headers.all('date')
  return lines.length === 1 ? parseHttpDate(lines[0], now) : undefined
}

function heuristicMs(headers: Headers, now: number): number | undefined {
  const modified = headers.all('last-modified')
  const at = modified.length === 1 ? parseHttpDate(modified[0], now) : undefined
  if (at === undefined) return undefined
  return Math.min(Math.max(0, (dateOf(headers, now) ?? now) - at) / 10, longestHeuristicMs)
}
