/** Main tells workers of targets on this topic, and answers it with all of them. */
export const standingTopic = 'services/standing'
/** Workers tell main that a target fails. */
export const failedTopic = 'services/failed'
/** Workers tell main that a target answers that was left out. */
export const recoveredTopic = 'services/recovered'
/** Workers tell main how many calls a draining target still has there. */
export const callsTopic = 'services/calls'

/** What main knows of a target. Times are monotonic milliseconds, the same on all threads. */
export interface TargetState {
  readonly service: string
  readonly address: string
  /** By probes. */
  readonly isDown: boolean
  /** By an operator: it gets no new calls and finishes those it has. */
  readonly isDraining: boolean
  /** By how it answered; 0 when it is not ejected. */
  readonly ejectedUntil: number
  /** What it failed with last, or what probes found; '' when it is neither ejected nor down. */
  readonly reason: string
}

/** A worker saw a target fail so often that it should be left out. */
export interface FailedMessage {
  readonly service: string
  readonly address: string
  /** The code of the fault, or the status. */
  readonly reason: string
}

/** A target that was left out answered a call that was sent to it all the same. */
export interface RecoveredMessage {
  readonly service: string
  readonly address: string
}

/** How many calls one worker has under way or waiting for a target that drains; said again and again. */
export interface CallsMessage {
  readonly service: string
  readonly address: string
  readonly calls: number
}

/** The name of a target among all of a node's. */
export function standingKey(service: string, address: string): string {
  return `${service} ${address}`
}
