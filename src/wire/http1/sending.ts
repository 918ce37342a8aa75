import type { Answer } from '../../core/answer.ts'
import type { Exchange } from '../../core/exchange.ts'
import type { Fault } from '../../core/fault.ts'
import type { Call } from '../../core/service.ts'
import type { ClientConnection } from './client-connection.ts'

/** One call on its way through a pool: it waits for a connection, or has one until its answer is complete. */
export class Sending {
  readonly call: Call
  readonly x: Exchange
  readonly resolve: (answer: Answer) => void
  readonly reject: (why: Fault) => void
  /** Monotonic milliseconds when it came. */
  readonly since: number
  /** Where it is being carried out. */
  connection: ClientConnection | undefined = undefined
  /** It was sent on a connection that turned out to be stale; there is no second time. */
  isRepeated = false

  // Its place in a WaitingCalls.
  isWaiting = false
  before: Sending | undefined = undefined
  behind: Sending | undefined = undefined

  constructor(call: Call, x: Exchange, since: number, resolve: (answer: Answer) => void, reject: (why: Fault) => void) {
    this.call = call
    this.x = x
    this.since = since
    this.resolve = resolve
    this.reject = reject
  }
}

/** Calls that wait for a connection, first come first served; any of them can leave the line at once. */
export class WaitingCalls {
  length = 0
  first: Sending | undefined = undefined
  #last: Sending | undefined = undefined

  push(sending: Sending): void {
    sending.isWaiting = true
    sending.before = this.#last
    sending.behind = undefined
    if (this.#last === undefined) this.first = sending
    else this.#last.behind = sending
    this.#last = sending
    this.length++
  }

  shift(): Sending | undefined {
    const { first } = this
    if (first !== undefined) this.remove(first)
    return first
  }

  remove(sending: Sending): void {
    if (!sending.isWaiting) return
    sending.isWaiting = false
    if (sending.before === undefined) this.first = sending.behind
    else sending.before.behind = sending.behind
    if (sending.behind === undefined) this.#last = sending.before
    else sending.behind.before = sending.before
    sending.before = sending.behind = undefined
    this.length--
  }
}
