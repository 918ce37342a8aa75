import type { Headers } from '../core/headers.ts'

/** URLs of which an unsafe request voids what is stored: its own, and those of its origin that the answer names (RFC 9111 §4.4). */
export function voidedBy(answer: Headers, url: string): ReadonlySet<string> {
  const urls = new Set([url])
  for (const name of ['location', 'content-location']) {
    const other = sameOrigin(answer.get(name), url)
    if (other !== undefined) urls.add(other)
  }
  return urls
}

/** The URL that a field of the answer names, when it is of the same scheme, host and port. */
function sameOrigin(value: string | undefined, base: string): string | undefined {
  if (value === undefined || !URL.canParse(value, base)) return undefined
  const url = new URL(value, base)
  const origin = base.slice(0, base.indexOf('/', base.indexOf('://') + 3))
  return url.origin === new URL(base).origin ? `${origin}${url.pathname}${url.search}` : undefined
}
