import type { Headers } from '../core/headers.ts'
import type { Directives } from './cache-control.ts'
import { responseDirectives, freshnessOf } from './freshness.ts'
import type { Freshness, FreshnessOptions, Timing } from './freshness.ts'
import { parseVary } from './vary.ts'

/** Why an answer is not kept; ends up in `Cache-Status` and in explanations. */
export type NotStored =
  | 'status' // not a final status that this cache understands
  | 'partial'
  | 'no-store'
  | 'private'
  | 'set-cookie'
  | 'vary-star'
  | 'vary-wide' // varies on more fields than are kept apart
  | 'malformed' // its directives cannot be read
  | 'credentialed' // the request carried credentials and the answer does not say that it may be shared all the same
  | 'cookies' // the same for cookies
  | 'no-freshness'
  | 'size'
  | 'until-close' // whether it came whole cannot be known
  | 'no-room' // no slab was free, or it took so long that a purge since then is over
  | 'stale' // good for no time and without a validator

/** Whom a shared answer may be given to besides callers without credentials and cookies. */
export interface ForWhom {
  readonly credentialed: boolean
  readonly withCookies: boolean
}

/** What may be kept of an answer, or why nothing may. */
export type Storing =
  | { readonly isStored: true; readonly freshness: Freshness; readonly vary: readonly string[]; readonly forWhom: ForWhom }
  | { readonly isStored: false; readonly why: NotStored }

/** What of the request bears on whether its answer may be shared. */
export interface Asked {
  readonly directives: Directives
  /** It carries credentials, and the key does not tell callers apart by them. */
  readonly isCredentialed: boolean
  /** It carries cookies that the service sees, and the key does not tell callers apart by them. */
  readonly hasCookies: boolean
}

/** Final statuses whose meaning this cache knows (RFC 9111 §3). 304 updates what is stored and is never stored itself. */
const understood: ReadonlySet<number> = new Set([
  200, 203, 204, 300, 301, 302, 303, 307, 308, 400, 404, 405, 406, 410, 414, 415, 500, 501, 502, 503, 504,
])

/** Fields told apart by `Vary` for one URL, at most. */
export const mostVaryNames = 8

/** Whether an answer to GET may be kept and shared, and on what terms (RFC 9111 §3, more cautious where that is open). */
export function storingOf(status: number, headers: Headers, timing: Timing, asked: Asked, options: FreshnessOptions): Storing {
  if (status === 206) return no('partial')
  if (!understood.has(status)) return no('status')
  if (asked.directives.noStore || asked.directives.isMalformed) return no('no-store')
  const directives = responseDirectives(headers)
  const { said } = directives
  if (said.isMalformed) return no('malformed')
  if (said.noStore) return no('no-store')
  if (said.isPrivate) return no('private')
  if (headers.has('set-cookie') || headers.has('set-cookie2')) return no('set-cookie')
  // RFC 9111 §3.5; cookies are treated likewise, with the two directives that speak of everyone.
  const forWhom = {
    credentialed: said.isPublic || said.sharedMaxAge !== undefined || said.mustRevalidate,
    withCookies: said.isPublic || said.sharedMaxAge !== undefined,
  }
  if (asked.isCredentialed && !forWhom.credentialed) return no('credentialed')
  if (asked.hasCookies && !forWhom.withCookies) return no('cookies')
  const vary = parseVary(headers.get('vary'))
  if (vary === undefined) return no('vary-star')
  if (vary.length > mostVaryNames) return no('vary-wide')
  const freshness = freshnessOf(status, headers, timing, directives, options)
  if (freshness === undefined) return no('no-freshness')
  const lasts = Math.max(freshness.freshUntil, freshness.whileRevalidateUntil, freshness.ifErrorUntil)
  if (lasts <= timing.receivedAt && !headers.has('etag') && !headers.has('last-modified')) return no('stale')
  return { isStored: true, freshness, vary, forWhom }
}

function no(why: NotStored): Storing {
  return { isStored: false, why }
}
