import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { Answer } from '../core/answer.ts'
import type { Clock } from '../core/clock.ts'
import type { Connection, Exchange } from '../core/exchange.ts'
import type { Fault } from '../core/fault.ts'
import type { MaybePromise } from '../core/handler.ts'
import type { Outcome } from '../core/policy.ts'
import type { Sweeper } from '../core/sweeper.ts'
import type { Peer } from './connection-facts.ts'

/** What a server wire hands upwards. The gateway implements it once; every wire calls it in the same way. */
export interface Served {
  /** Answers one valid message. Called when the head is complete; the body may still be on its way. Should not throw. */
  handle(x: Exchange): MaybePromise<Answer>
  /** The exchange is over and everything about it is known. Exactly once per `handle`. */
  done(x: Exchange, outcome: Outcome): void
  /**
   * A message that never became an exchange (malformed, too large, too slow). Counts and logs it, and gives the
   * answer to send before the connection is closed.
   */
  refused(fault: Fault, connection: Connection): Answer
}

/** Bounds and timeouts of connections; see `WireLimits` in the configuration model for their meaning. */
export interface ServerLimits {
  readonly maxHeadBytes: number
  readonly maxHeaderCount: number
  readonly maxTargetBytes: number
  readonly maxRequests: number
  readonly maxConnections: number
  readonly headMs: number
  readonly bodyMs: number
  readonly minBodyRate: number
  readonly idleMs: number
  readonly writeMs: number
}

export interface ServerWireOptions {
  readonly listener: string
  readonly served: Served
  readonly limits: ServerLimits
  readonly clock: Clock
  readonly sweeper: Sweeper
  /** False: HTTP/1.1 only; absent: true. */
  readonly http2?: boolean | undefined
  /** Connections of other wires that count towards `maxConnections`. */
  readonly siblings?: (() => number) | undefined
  /** Takes a plain connection over whose first bytes are HTTP/2's preface; they wait in the socket. Absent: refused. */
  readonly prefaceCame?: ((socket: Socket, peer: Peer) => void) | undefined
}

/** Bytes of accepted connections ↔ Exchanges. Implemented by http1 (ours), by http2, and by the adapter over node:http. */
export interface ServerWire {
  /**
   * Takes an accepted (for TLS: handshaken) socket over. Its errors and its end are the wire's business from here. `peer`
   * is who is at the other end, where that is not whom the socket knows.
   */
  accept(socket: Socket | TLSSocket, peer?: Peer): void
  /** Open connections, and those of them that have an exchange under way. */
  readonly connections: number
  readonly active: number
  /**
   * Stops keep-alive: busy connections close after their answer (`Connection: close`), idle ones after `idleMs` (default 0:
   * now). A request that was on its way while its connection seemed idle is answered within that time instead of being
   * lost. Resolves when no connection is left.
   */
  drain(idleMs?: number): Promise<void>
  /** Closes everything at once. */
  close(): void
}
