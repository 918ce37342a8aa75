/** Main tells workers of breakers on this topic, and answers it with all that are not closed. */
export const breakerTopic = 'services/breaker'
/** Workers tell main that a breaker of theirs opened. */
export const trippedTopic = 'services/tripped'
/** Workers tell main that a half-open breaker let a call through and it went well. */
export const probedTopic = 'services/probed'

/** A breaker's name among all of a node's: that of a target, or with '' as address the service's own. */
export interface BreakerName {
  readonly service: string
  readonly address: string
}

/** What main knows of a breaker. */
export interface BreakerMessage extends BreakerName {
  /** Monotonic milliseconds, the same on all threads; from then on it is half-open. 0: it is closed. */
  readonly openUntil: number
}

/** Why a breaker opened: too large a share of failures or of slow calls, or a probe that failed. */
export type TripReason = 'failures' | 'slow' | 'probe'

export interface TrippedMessage extends BreakerName {
  readonly reason: TripReason
}
