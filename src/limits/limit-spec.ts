/** A part of the key that a budget belongs to. */
export type KeyPart =
  | { readonly kind: 'address' | 'subject' | 'tenant' | 'client' | 'route' | 'service' }
  | { readonly kind: 'header' | 'claim'; readonly name: string }

interface LimitCommon {
  readonly name: string
  /** Several parts make one combined key; none: one global key. */
  readonly per: readonly KeyPart[]
  /** What a request without a key part does: share one budget with its like, skip the limit, or be refused. */
  readonly missing: 'shared' | 'skip' | 'refuse'
  readonly shadow: boolean
  /** Allowed fleet-wide overshoot as a fraction of the limit; 0 = exact. */
  readonly tolerance: number
  readonly onStoreFailure: 'local' | 'open' | 'closed'
  /** Header fields that tell callers how they stand; default: the IETF fields alone. */
  readonly fields?: readonly LimitFields[] | undefined
  /** Up to how much later than needed a refused request is told to come back. Default: not at all. */
  readonly retryJitterMs?: number | undefined
}

/**
 * `ratelimit`: RateLimit and RateLimit-Policy (draft 11). `x-ratelimit`: X-RateLimit-Limit, -Remaining and -Reset as
 * seconds to go; `x-ratelimit-epoch`: the same with the reset in seconds since 1970.
 */
export type LimitFields = 'ratelimit' | 'x-ratelimit' | 'x-ratelimit-epoch'

/** A rate as a whole number of units per period. */
export interface Rate {
  readonly units: number
  readonly periodMs: number
}

/** A limit of the configuration after it was checked. */
export type LimitSpec =
  | (LimitCommon & { readonly algorithm: 'token-bucket'; readonly capacity: number; readonly refill: Rate })
  | (LimitCommon & {
      readonly algorithm: 'leaky-bucket'
      readonly capacity: number
      readonly leak: Rate
      readonly mode: 'meter' | 'queue'
    })
  | (LimitCommon & {
      readonly algorithm: 'fixed-window' | 'sliding-log' | 'sliding-window'
      readonly limit: number
      readonly windowMs: number
      /** Of a fixed window: begins at multiples of its length since 1970, not with the first request. Default: false. */
      readonly aligned?: boolean | undefined
    })
  | (LimitCommon & { readonly algorithm: 'concurrency'; readonly limit: number })
  | (LimitCommon & { readonly algorithm: 'quota'; readonly limit: number; readonly period: 'day' | 'month' })
