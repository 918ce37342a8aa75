import type { Body, Chunk, End } from '../core/body.ts'
import { END, StreamBody } from '../core/body.ts'
import { Fault } from '../core/fault.ts'
import type { MaybePromise } from '../core/handler.ts'
import { isPromise } from '../core/handler.ts'
import type { Headers } from '../core/headers.ts'

/** A body of undeclared length that breaks off with `body-too-large` once it passes its bound. */
export class CountedBody extends StreamBody {
  readonly #source: Body
  readonly #maxBytes: number
  #seenBytes = 0

  constructor(source: Body, maxBytes: number) {
    super(undefined)
    this.#source = source
    this.#maxBytes = maxBytes
  }

  trailers(): Headers | undefined {
    return this.#source.trailers()
  }

  protected read(): MaybePromise<Chunk | End> {
    const next = this.#source.pull()
    return isPromise(next) ? next.then(this.#count) : this.#count(next)
  }

  protected stop(why: Fault): void {
    this.#source.cancel(why)
  }

  readonly #count = (chunk: Chunk | End): Chunk | End => {
    if (chunk === END) return END
    this.#seenBytes += chunk.length
    if (this.#seenBytes <= this.#maxBytes) return chunk
    const fault = new Fault('body-too-large', `the body is larger than ${this.#maxBytes} bytes`)
    this.#source.cancel(fault)
    throw fault
  }
}
