import { z } from 'zod'
import { Cache } from '../cache/cache.ts'
import { CacheRoute } from '../cache/cache-route.ts'
import type { CacheRouteOptions } from '../cache/cache-route.ts'
import { H } from '../core/header-names.ts'
import type { Headers } from '../core/headers.ts'
import { withoutOwnCookies } from '../identity/protected-headers.ts'
import { durationOption, headerNameOption, sizeOption } from './option-schemas.ts'
import { mergeByKey } from './policy-kind.ts'
import type { PolicyKind } from './policy-kind.ts'

/** How a route uses the shared cache; `true` for what the service's own header fields say. */
export type CacheInput =
  | boolean
  | {
      /** How long answers are good that do not say so themselves. Default: those are not stored. */
      readonly ttl?: string | undefined
      /** How long a stale answer is served while it is fetched anew, where the answer does not say. Default: not at all. */
      readonly staleWhileRevalidate?: string | undefined
      /** How long a stale answer stands in for a failure of the service, where the answer does not say. Default: not at all. */
      readonly staleIfError?: string | undefined
      /** Request fields that tell answers apart besides those in `Vary`. */
      readonly vary?: readonly string[] | undefined
      /** Tags that all answers of this route have, for purges. */
      readonly tags?: readonly string[] | undefined
      /** Requests with credentials: past the cache, by the letter of RFC 9111, or with copies of their own. Default: bypass. */
      readonly authorized?: 'bypass' | 'rfc' | 'per-identity' | undefined
      /** Whether a tenth of an answer's age counts where nothing says how long it is good. Default: false. */
      readonly heuristic?: boolean | undefined
      /** Whether `Cache-Control` of clients is obeyed. Default: false. */
      readonly obeyClients?: boolean | undefined
      /** The longest body that is stored. Default: 1mb. */
      readonly max?: string | undefined
      /** How long a request waits for another one that fetches the same. Default: 5s. */
      readonly wait?: string | undefined
    }

export type CacheOptions = CacheRouteOptions | 'off'

const table = z.strictObject({
  ttl: durationOption
    .optional()
    .describe(
      'How long answers are good that do not say so themselves. It never overrules no-store, private, Set-Cookie or a lifetime that the service gives. Default: such answers are not stored.',
    ),
  staleWhileRevalidate: durationOption
    .optional()
    .describe(
      'How long a stale answer is served while it is fetched anew, where the answer itself does not say. Default: not at all.',
    ),
  staleIfError: durationOption
    .optional()
    .describe(
      'How long a stale answer stands in for a failure of the service, where the answer itself does not say. Default: not at all.',
    ),
  vary: z
    .array(headerNameOption)
    .max(8)
    .readonly()
    .optional()
    .describe('Request fields that tell answers apart besides those in Vary.'),
  tags: z
    .array(z.string().min(1).max(128))
    .max(16)
    .readonly()
    .optional()
    .describe('Tags that all answers of this route have, for purges.'),
  authorized: z
    .enum(['bypass', 'rfc', 'per-identity'])
    .optional()
    .describe(
      'Requests with credentials: `bypass` sends them past the cache; `rfc` shares what the service marks as public, s-maxage or must-revalidate (RFC 9111 §3.5); `per-identity` keeps copies for each caller, told apart by all that a service can learn of an identity: subject, tenant, client, scopes, roles, session and claims. What only the service could tell apart is never shared: an Authorization or X-Api-Key that is not the identity itself goes past the cache, and a caller without an identity whose cookies the service sees shares only what is public or has s-maxage. Default: bypass.',
    ),
  heuristic: z
    .boolean()
    .optional()
    .describe(
      'Whether a tenth of the time since Last-Modified counts, a day at most, where nothing says how long an answer is good. Default: false.',
    ),
  obeyClients: z
    .boolean()
    .optional()
    .describe(
      'Whether Cache-Control of clients is obeyed (no-cache, max-age, min-fresh, max-stale, only-if-cached): any client can make the service work then. no-store of a client is always obeyed. Default: false.',
    ),
  max: sizeOption.optional().describe('The longest body that is stored. Default: 1mb.'),
  wait: durationOption.optional().describe('How long a request waits for another one that fetches the same. Default: 5s.'),
})

const options: z.ZodType<CacheOptions, CacheInput> = z.union([z.boolean(), table]).transform((input): CacheOptions => {
  if (input === false) return 'off'
  const own = input === true ? {} : input
  return {
    ttlMs: own.ttl,
    staleWhileRevalidateMs: own.staleWhileRevalidate ?? 0,
    staleIfErrorMs: own.staleIfError ?? 0,
    isHeuristic: own.heuristic ?? false,
    vary: (own.vary ?? []).toSorted(),
    tags: own.tags ?? [],
    authorized: own.authorized ?? 'bypass',
    obeysClients: own.obeyClients ?? false,
    maxBytes: own.max ?? 1024 ** 2,
    waitMs: own.wait ?? 5000,
  }
})

/** The shared cache, as RFC 9111 has it, behind authentication, authorisation and limits. */
export const cache: PolicyKind<CacheOptions, CacheInput> = {
  name: 'cache',
  stage: 'cache',
  doc: 'A shared cache (RFC 9111) for GET and HEAD: what the service allows to be stored is answered from here, by all workers of a node; many requests for the same become one. It stands behind authentication, authorisation and limits, which see every request. Unsafe methods void what is stored of their URL.',
  options,
  merge: (defaults, own) => mergeByKey(defaults, own) as CacheInput,
  build(route, env) {
    if (route === 'off') return undefined
    const { cache: memory } = env.shared
    if (memory === undefined) throw new Error(`${env.source}: there is no memory for a cache`)
    const shared = env.hold.take('cache', () => new Cache(memory, env.worker, env))
    const policy = new CacheRoute(route, {
      cache: shared,
      meter: env.meter,
      route: env.route.name,
      source: env.source,
      shape: env.route.shape ?? env.route.name,
      passesCookies,
    })
    return { policies: [policy], requestEdit: policy.requestEdit }
  },
}

/** Whether cookies remain once the gateway's own are taken out. */
function passesCookies(headers: Headers): boolean {
  const seen = headers.derive()
  withoutOwnCookies(seen, undefined as never)
  return seen.first(H.cookie) !== undefined
}
