import type { Answer } from './answer.ts'
import type { Body } from './body.ts'
import type { Exchange } from './exchange.ts'
import type { MaybePromise } from './handler.ts'
import type { Headers } from './headers.ts'

/**
 * One request to a service, made anew for each attempt, mirror or bridged request. Its headers are already what the
 * service shall see: forwarding fields set, identity attached, hop-by-hop and protected fields gone. Framing is the wire's.
 */
export interface Call {
  readonly method: string
  /** Path and query in normalised form. */
  readonly target: string
  /** The Host to send; undefined: the target's own. */
  readonly authority: string | undefined
  readonly headers: Headers
  readonly body: Body
  /** The protocol to switch to, when the client offered one and the route lets it pass. */
  readonly upgrade: string | undefined
  /** Monotonic milliseconds by which the answer's head must have come, over all attempts; Infinity for none. */
  readonly headBy: number
  /** Whether `headBy` is the caller's own wish: missing it says nothing about the service. Absent: it is configured. */
  readonly isCallersDeadline?: boolean
  /**
   * Only with `upgrade`: the headers made anew for an exchange derived from this one. A connection outlives the tokens that
   * were minted for its first call, so each later call on it needs its own.
   */
  readonly renew?: (derived: Exchange) => Headers
}

/** What stands behind: answers a Call on behalf of an Exchange. Throws a Fault when there is no answer. */
export type Service = (call: Call, x: Exchange) => MaybePromise<Answer>
