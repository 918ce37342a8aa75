import type { Clock } from '../core/clock.ts'
import type { Exchange } from '../core/exchange.ts'
import type { MaybePromise } from '../core/handler.ts'
import type { Log } from '../core/log.ts'
import type { Meter } from '../core/meter.ts'
import type { ProblemRenderer } from '../core/problem.ts'
import type { Call, Service } from '../core/service.ts'
import type { Answer } from '../core/answer.ts'
import type { Sweeper } from '../core/sweeper.ts'
import type { LiveDescriptors } from './descriptors/live-descriptors.ts'

/** What a bridge is built with: once per route that has it. Nothing of it is a global. */
export interface BridgeEnv {
  /** The name of the service, for messages of the operator's. */
  readonly service: string
  /** What the service offers; may change while the bridge lives (reflection), so plans are remembered per value. */
  readonly descriptors: LiveDescriptors
  /** Largest single message, decompressed, either way. */
  readonly maxMessageBytes: number
  readonly clock: Clock
  readonly sweeper: Sweeper
  readonly log: Log
  readonly meter: Meter
}

/**
 * Translation between one protocol of the edge and gRPC. It stands between a route's forward and its service: what it
 * is given is the Call that the service would have got (path rewritten, identity attached, hop-by-hop fields gone).
 */
export interface Bridge {
  /** Whether this call speaks the bridge's protocol. Looks at the head only, and asks nobody. */
  claims(call: Call, x: Exchange): boolean
  /** Answers a claimed call by gRPC calls of its own to `upstream`. Throws the Faults of the service, and `unfit-message`. */
  answer(call: Call, x: Exchange, upstream: Service): MaybePromise<Answer>
  /**
   * How callers of this protocol are told of refusals, also those before the bridge is reached; asked when the route is
   * found. Undefined: this exchange does not speak it, or plain problems are right.
   */
  renderer?(x: Exchange): ProblemRenderer | undefined
}
