import type { Duration, Rate } from './unit-input.ts'

/** A part of the key that a budget belongs to. */
export type KeyPartInput =
  | 'address'
  | 'subject'
  | 'tenant'
  | 'client'
  | 'route'
  | 'service'
  | `header:${string}`
  | `claim:${string}`

/**
 * What a request takes: a number, or `reserve` until the field `settle` of the answer tells what it really was. The
 * difference is given back, or goes into debt.
 */
export type CostInput = number | { readonly reserve: number; readonly settle: `response-header:${string}` }

interface LimitCommonInput {
  /** Whose budget it is; several make one combined key. Default: one global budget. */
  readonly per?: readonly KeyPartInput[] | undefined
  /** A request without a key part shares one budget with its like, is not limited, or is refused. Default: `shared`. */
  readonly missing?: 'shared' | 'skip' | 'refuse' | undefined
  /** How much a request takes. Default: 1. */
  readonly cost?: CostInput | undefined
  /** Decides and reports, but never refuses. Default: false. */
  readonly shadow?: boolean | undefined
  /** Allowed overshoot over a fleet, as a fraction of the limit; 0 is exact. Default: 0.05. */
  readonly tolerance?: number | undefined
  /** When the store cannot be reached: each node counts for itself, nothing is limited, or everything refused. Default: `local`. */
  readonly onStoreFailure?: 'local' | 'open' | 'closed' | undefined
  /** Header fields that tell callers how they stand. Default: RateLimit and RateLimit-Policy. */
  readonly fields?: readonly ('ratelimit' | 'x-ratelimit' | 'x-ratelimit-epoch')[] | undefined
  /** Up to so much later than needed, by chance, a refused client is told to come back. Default: not at all. */
  readonly retryJitter?: Duration | undefined
}

/** A budget, told apart by its algorithm. */
export type LimitInput = TokenBucketInput | LeakyBucketInput | FixedWindowInput | SlidingWindowInput | ConcurrencyInput | QuotaInput

/** Holds `capacity`, refilled at `refill`: bursts pass, the average is bounded. */
export interface TokenBucketInput extends LimitCommonInput {
  readonly algorithm: 'token-bucket'
  readonly capacity: number
  readonly refill: Rate
}

/** Leaks at `leak`; what would overflow is refused (`meter`) or waits (`queue`). */
export interface LeakyBucketInput extends LimitCommonInput {
  readonly algorithm: 'leaky-bucket'
  readonly capacity: number
  readonly leak: Rate
  readonly mode?: 'meter' | 'queue' | undefined
}

/** A count that starts again with each window. */
export interface FixedWindowInput extends LimitCommonInput {
  readonly algorithm: 'fixed-window'
  readonly limit: number
  readonly window: Duration
  /** Windows begin at multiples of their length since 1970. Default: false. */
  readonly aligned?: boolean | undefined
}

/** Exact over every span (`sliding-log`, for small limits) or nearly so at constant cost (`sliding-window`). */
export interface SlidingWindowInput extends LimitCommonInput {
  readonly algorithm: 'sliding-log' | 'sliding-window'
  readonly limit: number
  readonly window: Duration
}

/** Bounds how many requests are under way at the same time. */
export interface ConcurrencyInput extends LimitCommonInput {
  readonly algorithm: 'concurrency'
  readonly limit: number
}

/** So many requests per calendar day or month, in UTC. */
export interface QuotaInput extends LimitCommonInput {
  readonly algorithm: 'quota'
  readonly limit: number
  readonly period: 'day' | 'month'
}

/** A limit as a route uses it. */
export interface LimitUseInput<L extends string = string> {
  /** The name of a limit. */
  readonly use: L
  /** How much a request takes. Default: the limit's own cost. */
  readonly cost?: CostInput | undefined
  /** Decides and reports here, but never refuses. */
  readonly shadow?: boolean | undefined
}
