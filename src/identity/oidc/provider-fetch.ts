import type { Clock } from '../../core/clock.ts'
import { readBoundedBody } from '../../lib/bounded-body.ts'
import { isLoopbackHost } from '../../lib/loopback.ts'

export type Fetch = typeof globalThis.fetch

const timeoutMs = 5000
const maxBytes = 256 * 1024
const noContent = new Set([204, 205, 304])

/** A provider could not be reached, or answered beyond our bounds. */
export class ProviderUnreachable extends Error {
  constructor(message: string, options?: { cause: unknown }) {
    super(message, options)
    this.name = 'ProviderUnreachable'
  }
}

/**
 * A fetch for providers: no redirects (they could lead anywhere), five seconds in all, at most 256 KiB, https only
 * unless the issuer itself is on loopback. Rejects with `ProviderUnreachable`; 5xx and 429 are that too.
 */
export function providerFetch(fetch: Fetch, clock: Clock, issuer: string): Fetch {
  const mayBePlain = isLoopbackHost(new URL(issuer).hostname)
  return async (input, init) => {
    const url = new URL(input instanceof Request ? input.url : input)
    if (!isFetchable(url, mayBePlain)) throw new ProviderUnreachable(`${url.origin} is not reached by https`)
    const abort = new AbortController()
    const timer = clock.after(timeoutMs, () => abort.abort(new Error(`no complete answer within ${timeoutMs} ms`)))
    try {
      const response = await fetch(url, { ...init, redirect: 'manual', signal: abort.signal })
      const { status } = response
      if (status === 429 || status >= 500) throw new Error(`the answer has status ${status}`)
      const content = await readBoundedBody(response, maxBytes, () => new Error(`the answer is larger than ${maxBytes / 1024} KiB`))
      return new Response(noContent.has(status) ? null : content, { status, headers: response.headers })
    } catch (thrown) {
      throw new ProviderUnreachable(`${url.origin} cannot be reached: ${causeOf(thrown)}`, { cause: thrown })
    } finally {
      timer.cancel()
      abort.abort()
    }
  }
}

/** Whether an address of a provider's may be asked or sent to. */
export function isFetchable(url: URL, mayBePlain: boolean): boolean {
  return url.protocol === 'https:' || (url.protocol === 'http:' && mayBePlain && isLoopbackHost(url.hostname))
}

function causeOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown)
  return thrown.cause instanceof Error ? thrown.cause.message : thrown.message
}
