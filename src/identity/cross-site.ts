import type { Exchange } from '../core/exchange.ts'
import { H, headerId } from '../core/header-names.ts'

const secFetchSite = headerId('sec-fetch-site')
const secFetchMode = headerId('sec-fetch-mode')
const referer = headerId('referer')

/**
 * Whether a browser sent this on behalf of a page that is not of `origins` or of the host it asks. Browsers say where a
 * request comes from (Fetch Metadata); older ones give Origin or Referer. What says nothing at all is taken for hostile
 * when it could only come from a browser, that is when `hasCookie`.
 */
export function isCrossSite(x: Exchange, origins: readonly string[], hasCookie: boolean): boolean {
  const site = x.headers.single(secFetchSite)
  if (site === 'same-origin') return false
  const origin = x.headers.single(H.origin)
  if (site !== undefined) {
    // `none`: somebody typed the address or opened a bookmark; a page cannot cause that. It is a navigation then.
    if (site === 'none') {
      const mode = x.headers.single(secFetchMode)
      return mode !== undefined && mode !== 'navigate'
    }
    return typeof origin !== 'string' || !isListed(origin, origins)
  }
  if (origin !== undefined) return origin === null || !(isListed(origin, origins) || isOwn(origin, x))
  const from = x.headers.single(referer)
  if (from === undefined) return hasCookie
  const page = from === null ? null : URL.parse(from)
  return page === null || !(isListed(page.origin, origins) || isOwn(page.origin, x))
}

function isListed(origin: string, origins: readonly string[]): boolean {
  return origins.includes(origin)
}

/** Whether an origin is the one that the request itself was sent to. */
function isOwn(origin: string, x: Exchange): boolean {
  return x.authority !== '' && origin.toLowerCase() === `${x.scheme}://${x.authority}`
}
