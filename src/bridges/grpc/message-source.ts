import type { End } from '../../core/body.ts'
import { END } from '../../core/body.ts'
import type { Fault } from '../../core/fault.ts'
import type { MaybePromise } from '../../core/handler.ts'

/**
 * Messages, pulled one by one, as bytes of Protocol Buffers: what a caller streams to a method, and what a method
 * streams back. A pull is never made while another one is pending. END is a proper end; anything else throws a Fault.
 */
export interface MessageSource {
  pull(): MaybePromise<Uint8Array | End>
  /** Nobody will take the rest. Harmless after the end. */
  cancel(why: Fault): void
}

/** No more room for this many messages' bytes: whoever pushes should stop reading its peer. */
const highWaterBytes = 65_536
/** What a message costs besides its bytes: empty ones must not come without end. */
const messageBytes = 128

/** A source that is filled from outside (a WebSocket, an event), for bridges whose callers push. */
export class MessageQueue implements MessageSource {
  readonly #roomAgain: () => void
  readonly #cancelled: (why: Fault) => void
  #queue: Uint8Array[] = []
  #bytes = 0
  #isEnded = false
  #fault: Fault | undefined = undefined
  #waiting: { resolve(message: Uint8Array | End): void; reject(why: Fault): void } | undefined = undefined

  /** `roomAgain` is called when a full queue has been taken; `cancelled` when the service wants no more. */
  constructor(roomAgain: () => void, cancelled: (why: Fault) => void) {
    this.#roomAgain = roomAgain
    this.#cancelled = cancelled
  }

  /** Takes a message; false when the one who pushes should wait for `roomAgain`. */
  push(message: Uint8Array): boolean {
    if (this.#isEnded || this.#fault !== undefined) return true
    const waiting = this.#waiting
    if (waiting !== undefined) {
      this.#waiting = undefined
      waiting.resolve(message)
      return true
    }
    this.#queue.push(message)
    this.#bytes += message.length + messageBytes
    return this.#bytes < highWaterBytes
  }

  /** No more will come: the half-close. */
  end(): void {
    this.#isEnded = true
    const waiting = this.#waiting
    this.#waiting = undefined
    waiting?.resolve(END)
  }

  /** The caller broke off. */
  fail(why: Fault): void {
    if (this.#isEnded || this.#fault !== undefined) return
    this.#fault = why
    this.#queue = []
    const waiting = this.#waiting
    this.#waiting = undefined
    waiting?.reject(why)
  }

  pull(): MaybePromise<Uint8Array | End> {
    const message = this.#queue.shift()
    if (message !== undefined) {
      const wasFull = this.#bytes >= highWaterBytes
      this.#bytes -= message.length + messageBytes
      if (wasFull && this.#bytes < highWaterBytes) this.#roomAgain()
      return message
    }
    if (this.#fault !== undefined) throw this.#fault
    if (this.#isEnded) return END
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject }
    })
  }

  cancel(why: Fault): void {
    if (this.#fault === undefined && !this.#isEnded) this.#cancelled(why)
    this.#fault ??= why
    this.#queue = []
    this.#waiting?.reject(why)
    this.#waiting = undefined
  }
}
