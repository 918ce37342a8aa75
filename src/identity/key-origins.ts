import { open } from 'node:fs/promises'
import type { Clock } from '../core/clock.ts'
import { readBoundedBody } from '../lib/bounded-body.ts'
import { isSafeUrl } from '../lib/loopback.ts'
import type { TrustedIssuerSpec } from './identity-spec.ts'
import { KeySetError, maxSetBytes, parseJwkSet } from './jwk-set.ts'
import type { KeyOrigin } from './kept-keys.ts'

export type Fetch = typeof globalThis.fetch

/** What of an issuer says where its keys are. */
export type KeyPlace = Pick<TrustedIssuerSpec, 'name' | 'jwksUri' | 'jwksFile' | 'algorithms'>

const fetchTimeoutMs = 3000
const defaultMaxAgeMs = 600_000
const leastRefreshMs = 60_000
const longestRefreshMs = 6 * 3_600_000

/** Where the keys of an issuer are loaded from: its file, or its URL. */
export function keyOrigin(spec: KeyPlace, fetch: Fetch, clock: Clock): KeyOrigin {
  if (spec.jwksFile !== undefined) return fileOrigin(spec.jwksFile, spec.algorithms)
  if (spec.jwksUri !== undefined) return urlOrigin(spec.jwksUri, spec.algorithms, fetch, clock)
  throw new Error(`identity.trustedIssuers.${spec.name} has neither jwksUri nor jwks`)
}

/** A file is looked at every few seconds: that finds replaced and re-linked files alike, and costs next to nothing. */
function fileOrigin(path: string, algorithms: readonly string[]): KeyOrigin {
  const lookEveryMs = 5000
  return {
    cooldownMs: lookEveryMs,
    longestRetryMs: lookEveryMs,
    async load() {
      const bytes = await readBounded(path)
      return { keys: parseJwkSet(bytes, algorithms), refreshMs: lookEveryMs }
    },
  }
}

async function readBounded(path: string): Promise<Buffer> {
  const file = await open(path, 'r')
  try {
    const buffer = Buffer.alloc(maxSetBytes + 1)
    let length = 0
    while (length < buffer.length) {
      const { bytesRead } = await file.read(buffer, length, buffer.length - length)
      if (bytesRead === 0) break
      length += bytesRead
    }
    return buffer.subarray(0, length)
  } finally {
    await file.close()
  }
}

function urlOrigin(url: string, algorithms: readonly string[], fetch: Fetch, clock: Clock): KeyOrigin {
  if (!isSafeUrl(new URL(url))) {
    throw new Error(`keys are fetched by https, or by http from loopback; not from ${url}`)
  }
  return {
    cooldownMs: 30_000,
    longestRetryMs: 300_000,
    async load() {
      const { bytes, maxAgeMs } = await fetchBounded(url, fetch, clock)
      const refreshMs = Math.min(Math.max(maxAgeMs / 2, leastRefreshMs), longestRefreshMs)
      return { keys: parseJwkSet(bytes, algorithms), refreshMs }
    },
  }
}

/** One GET: no redirects (they could lead anywhere), three seconds in all, and never more bytes than a key set may have. */
async function fetchBounded(url: string, fetch: Fetch, clock: Clock): Promise<{ bytes: Buffer; maxAgeMs: number }> {
  const abort = new AbortController()
  const timer = clock.after(fetchTimeoutMs, () => abort.abort(new KeySetError(`no complete answer within ${fetchTimeoutMs} ms`)))
  try {
    const response = await fetch(url, {
      redirect: 'error',
      signal: abort.signal,
      headers: { accept: 'application/jwk-set+json, application/json' },
    })
    if (response.status !== 200) throw new KeySetError(`the answer has status ${response.status}`)
    const bytes = await readBoundedBody(
      response,
      maxSetBytes,
      () => new KeySetError(`the key set is larger than ${maxSetBytes / 1024} KiB`),
    )
    return { bytes, maxAgeMs: maxAgeOf(response.headers.get('cache-control')) }
  } finally {
    timer.cancel()
    // Ends a body that was left unread; nothing happens when it was read to its end.
    abort.abort()
  }
}

function maxAgeOf(cacheControl: string | null): number {
  const match = /(?:^|[,\s])max-age="?(\d{1,10})/i.exec(cacheControl ?? '')
  return match === null ? defaultMaxAgeMs : Number(match[1]) * 1000
}
