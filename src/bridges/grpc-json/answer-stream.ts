import type { Chunk, End } from '../../core/body.ts'
import { END, StreamBody } from '../../core/body.ts'
import type { Clock } from '../../core/clock.ts'
import { Fault, faultFrom } from '../../core/fault.ts'
import type { MaybePromise } from '../../core/handler.ts'
import { isPromise } from '../../core/handler.ts'
import type { GrpcAnswer } from '../grpc/grpc-call.ts'
import type { GrpcStatus } from '../grpc/grpc-status.ts'
import { orQuiet } from '../sse/quiet.ts'
import type { StreamForm } from './stream-form.ts'

/** What is written at once of messages that are there already. */
const joinLength = 16_384

export interface AnswerStreamOptions {
  readonly answer: GrpcAnswer
  readonly form: StreamForm
  readonly toText: (message: Buffer) => string
  readonly statusText: (status: GrpcStatus) => string
  readonly clock: Clock
}

/**
 * The messages of a call as text, pulled: the service waits for the client. A call that fails, in whatever way, ends with
 * its status where the form has a place for one; where it has none the answer is broken off. No part passes for the whole.
 */
export class AnswerStream extends StreamBody {
  readonly #options: AnswerStreamOptions
  /** A pull of the answer whose message was not there yet when something else was sent. */
  #ahead: Promise<Buffer | End> | undefined = undefined
  #isFirst = true
  #isOver = false
  #breaks: Fault | undefined = undefined

  constructor(options: AnswerStreamOptions) {
    super(undefined)
    this.#options = options
  }

  trailers(): undefined {
    return undefined
  }

  protected read(): MaybePromise<Chunk | End> {
    if (this.#breaks !== undefined) throw this.#breaks
    if (this.#isOver) return END
    const next = this.#ahead ?? this.#options.answer.pull()
    this.#ahead = undefined
    return isPromise(next) ? this.#later(next) : this.#chunk(next)
  }

  protected stop(why: Fault): void {
    this.#isOver = true
    this.#options.answer.cancel(why)
  }

  #later(next: Promise<Buffer | End>): Promise<Chunk | End> {
    const { form, clock } = this.#options
    if (form.heartbeat === undefined) return next.then((message) => this.#chunk(message))
    const { text, afterMs } = form.heartbeat
    return orQuiet(next, clock, afterMs).then((message) => {
      if (message !== undefined) return this.#chunk(message)
      this.#ahead = next
      return Buffer.from(text)
    })
  }

  #chunk(first: Buffer | End): Chunk | End {
    const { answer, form, toText } = this.#options
    let text = ''
    let next: MaybePromise<Buffer | End> = first
    while (!isPromise(next)) {
      if (next === END) return this.#ended(text)
      let json: string
      try {
        json = toText(next)
      } catch (thrown) {
        const fault = faultFrom(thrown)
        answer.cancel(fault)
        return this.#ended(text)
      }
      text += form.message(json, this.#isFirst)
      this.#isFirst = false
      if (text.length >= joinLength) return Buffer.from(text)
      next = answer.pull()
    }
    this.#ahead = next
    return Buffer.from(text)
  }

  #ended(text: string): Chunk | End {
    const { answer, form, statusText } = this.#options
    const status = answer.status!
    this.#isOver = true
    if (status.code === 0) return chunkOf(text + form.ended(this.#isFirst))
    const last = form.failed(statusText(status))
    if (last !== undefined) return chunkOf(text + last)
    this.#breaks = status.fault ?? new Fault('service-truncated', `the service ended the stream with status ${status.code}`)
    if (text === '') throw this.#breaks
    return Buffer.from(text)
  }
}

function chunkOf(text: string): Chunk | End {
  return text === '' ? END : Buffer.from(text)
}
