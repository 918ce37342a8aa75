import type { SecureContext } from 'node:tls'
import type { Answer } from '../core/answer.ts'
import type { Clock } from '../core/clock.ts'
import type { Exchange } from '../core/exchange.ts'
import type { Level } from '../core/meter.ts'
import type { Call } from '../core/service.ts'
import type { Sweeper } from '../core/sweeper.ts'

/** Where connections of a pool lead and how they are bounded. */
export interface ClientWireOptions {
  readonly host: string
  readonly port: number
  /** What `host` is an address of: the Host of calls that name none. Absent: `host` itself. */
  readonly name?: string | undefined
  readonly tls: { readonly serverName: string; readonly context?: SecureContext } | undefined
  /** Open connections; further calls queue. */
  readonly maxConnections: number
  /** Calls waiting for a connection; one more is a Fault `overloaded`. */
  readonly maxQueued: number
  readonly connectTimeoutMs: number
  /** From the request being sent to the answer's head. */
  readonly headTimeoutMs: number
  /** Between bytes of an answer's body, and of the request's body once sending has stalled. */
  readonly idleMs: number
  /** A keep-alive connection without a call. */
  readonly keepAliveMs: number
  /** Calls on one connection, and its age, before it is closed. */
  readonly maxCalls: number
  readonly maxAgeMs: number
  readonly maxHeadBytes: number
  readonly maxHeaderCount: number
  readonly clock: Clock
  readonly sweeper: Sweeper
  /**
   * Asked right before a call is sent again because its connection was found stale, when a fresh one stands; false: the
   * call fails with `service-reset` instead. Absent: it may.
   */
  readonly mayRepeat?: (() => boolean) | undefined
  /** Told of every connection opened (+1) and closed (-1). */
  readonly connections?: Level | undefined
}

/**
 * One target's pool. `send` resolves with the final answer's head and its body to be pulled; interim answers are
 * passed to the exchange. A connection found stale before any byte was answered is replaced and the call sent again
 * when nothing of its body was lost. Throws Faults: service-refused, -reset, -nonsense, -timeout, overloaded.
 * Cancelling the answer's body, or the exchange's leaving, ends the connection at once.
 */
export interface ClientWire {
  send(call: Call, x: Exchange): Promise<Answer>
  readonly open: number
  readonly busy: number
  readonly queued: number
  /** Takes no new calls; closes each connection when its call is over. */
  close(): void
}
