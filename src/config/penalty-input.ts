import type { Duration } from './unit-input.ts'

/** A part of the key that tells a client from its neighbours. */
export type PenaltyPartInput = 'address' | 'subject' | 'tenant' | 'client' | `header:${string}` | `claim:${string}`

/** When a client is boxed, for how long, and what it is told meanwhile. */
export interface PenaltyInput {
  /**
   * How many refusals within a time box a client, counted on each node: 429 of limits, 401 of wrong credentials, 403.
   * Default: it is boxed by hand only.
   */
  readonly after?: `${number} ${'refusal' | 'refusals'} in ${Duration}` | undefined
  /** For how long. */
  readonly for: Duration
  /** Who is boxed; several make one combined key, so that one of many behind an address need not box the others. Default: `['address']`. */
  readonly per?: readonly PenaltyPartInput[] | undefined
  /** 429 with the time of its end in Retry-After, or 403 without. Default: 429. */
  readonly answer?: 429 | 403 | undefined
  /** Boxes and reports, but never refuses. Default: false. */
  readonly shadow?: boolean | undefined
}
