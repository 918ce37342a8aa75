/**
 * What can go wrong on the way, apart from refusals (which are answers). One closed table: each code has exactly one
 * problem that a client sees (`problem.ts`) and one outcome in the log.
 */
export type FaultCode =
  | 'malformed' // the client's message breaks the protocol
  | 'unfit-message' // well-formed, but not what the called method takes
  | 'head-too-large'
  | 'target-too-long'
  | 'body-too-large'
  | 'expectation-failed' // an Expect that is not 100-continue
  | 'method-not-supported' // CONNECT, for one
  | 'version-not-supported'
  | 'head-timeout'
  | 'body-timeout' // the client sent its body too slowly
  | 'misdirected' // TLS name and Host disagree about whom is asked
  | 'client-left'
  | 'write-timeout' // the client does not read
  | 'no-target' // nothing healthy to send to
  | 'breaker-open' // the service fails too often to be asked
  | 'overloaded' // a bound of ours is reached
  | 'service-refused' // no connection
  | 'service-reset' // the connection broke before the answer's head
  | 'service-truncated' // the connection broke inside the answer's body
  | 'service-nonsense' // the service broke the protocol
  | 'service-timeout'
  | 'store-down'
  | 'fork-lagged' // the second reader of a body was too slow; concerns only that reader
  | 'cancelled' // nobody needs it any more
  | 'internal' // a bug of ours or of a custom policy

/** A failure, thrown. `cause` and `message` are for logs; a client sees only the problem of the code. */
export class Fault extends Error {
  readonly code: FaultCode
  /** Whether the service certainly saw none of the request, so that another attempt is always safe. */
  readonly unsent: boolean
  /** After how many milliseconds another attempt may have better luck, where that is known. */
  readonly retryAfterMs: number | undefined

  constructor(code: FaultCode, message: string = code, options: { cause?: unknown; unsent?: boolean; retryAfterMs?: number } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'Fault'
    this.code = code
    this.unsent = options.unsent ?? false
    this.retryAfterMs = options.retryAfterMs
  }
}

/** Turns anything caught into a Fault; what is not one already is a bug and becomes `internal`. */
export function faultFrom(thrown: unknown): Fault {
  if (thrown instanceof Fault) return thrown
  return new Fault('internal', thrown instanceof Error ? thrown.message : String(thrown), { cause: thrown })
}
