import type { Answer } from './answer.ts'
import type { Exchange } from './exchange.ts'
import type { Fault } from './fault.ts'
import type { Handler, MaybePromise } from './handler.ts'
import type { Verdict } from './verdict.ts'

/**
 * The safe order, outermost first. A configuration names what it wants; a policy's stage says where it stands, so
 * that nobody can put the cache before the authorisation. Refusals and faults pass back out through `answer-head`
 * and `cors`, which is why a browser can read a 429.
 */
export const stages = [
  'answer-head', // response headers and compression: outside everything, also the cache
  'penalty',
  'address',
  'cors',
  'authenticate',
  'caller-penalty', // who is known by identity only
  'authorise',
  'csrf',
  'limit',
  'shape', // size, type, schema
  'custom',
  'cache',
  'service-limit',
  'bridge',
] as const
export type Stage = (typeof stages)[number]

/**
 * `charge` decides for real. `peek` says what would be decided and charges, mints and sends nothing; it may be
 * asked of every policy, also of those behind one that refuses.
 */
export type DecideMode = 'charge' | 'peek'

/** How an exchange ended. */
export interface Outcome {
  readonly end: 'complete' | 'client-left' | 'service-failed' | 'timeout'
  /** The status that was sent; 0 when no head went out. */
  readonly status: number
  readonly fault: Fault | undefined
  /** Content bytes taken from the client and given to it, without framing. */
  readonly receivedBytes: number
  readonly sentBytes: number
  /** Monotonic milliseconds of the end. */
  readonly endedAt: number
}

/** One concern on the request path, built once per route from its options. Absent parts cost nothing. */
export interface Policy {
  /** Its name in configuration, problems, log and metrics. */
  readonly name: string
  readonly stage: Stage
  /** Where in the configuration it comes from, as a path: `routes[2].limits[0]`. */
  readonly source: string
  /** Passes or refuses. Refusals are returned; a throw is a failure of the policy. */
  decide?(x: Exchange, mode: DecideMode): MaybePromise<Verdict>
  /** The answer's head is known and may still be changed. Runs for every answer behind this policy, refusals too. */
  onHead?(x: Exchange, answer: Answer): void
  /** The exchange is over. Called once for every policy whose `decide` or `wrap` was reached. */
  onDone?(x: Exchange, outcome: Outcome): void
  /** Only for what must stand around the rest: cache, queue, compression. */
  wrap?(next: Handler): Handler
}
