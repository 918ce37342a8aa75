import { BytesBody, END, StreamBody, emptyBody } from '../../core/body.ts'
import type { Body, Chunk, End, Replay } from '../../core/body.ts'
import type { Fault } from '../../core/fault.ts'
import type { MaybePromise } from '../../core/handler.ts'
import type { Headers } from '../../core/headers.ts'
import { giveBack } from './slabs.ts'

/** The connection's side of an answer's body that is still arriving. */
export interface BodySource {
  /** The reader has nothing left and waits: read from the service, and let the idle time run. */
  wanted(): void
  /** The reader is served: the idle time stands still until it waits again. */
  served(): void
  /** Nobody will read the rest. */
  abandoned(why: Fault): void
}

/** What a body holds for its reader before the connection stops reading from the service. */
export const maxBufferedBytes = 65536

/**
 * The content of an answer, filled by its connection and emptied by its reader. Holds at most `maxBufferedBytes` and
 * one read more. What arrived before a failure is still given, then the Fault is thrown: never an end.
 */
export class ClientBody extends StreamBody {
  #source: BodySource | undefined
  readonly #chunks: Chunk[] = []
  #buffered = 0
  #ended = false
  #fault: Fault | undefined = undefined
  #trailers: Headers | undefined = undefined
  #resolve: ((chunk: Chunk | End) => void) | undefined = undefined
  #reject: ((why: Fault) => void) | undefined = undefined

  constructor(size: number | undefined, source: BodySource) {
    super(size)
    this.#source = source
  }

  /** Takes a piece over. False when the reader lags and the connection should stop reading. */
  offer(chunk: Chunk): boolean {
    const resolve = this.#resolve
    if (resolve !== undefined) {
      this.#resolve = undefined
      this.#source?.served()
      resolve(chunk)
      return true
    }
    this.#chunks.push(chunk)
    this.#buffered += chunk.length
    return this.#buffered < maxBufferedBytes
  }

  /** The content is complete; the connection goes its own way. */
  end(trailers: Headers | undefined): void {
    this.#source = undefined
    this.#ended = true
    this.#trailers = trailers
    const resolve = this.#resolve
    this.#resolve = undefined
    resolve?.(END)
  }

  fail(why: Fault): void {
    if (this.#ended || this.#fault !== undefined) return
    this.#source = undefined
    this.#fault = why
    const reject = this.#reject
    const isWaiting = this.#resolve !== undefined
    this.#resolve = this.#reject = undefined
    if (isWaiting) reject!(why)
  }

  trailers(): Headers | undefined {
    return this.#chunks.length === 0 ? this.#trailers : undefined
  }

  protected read(): MaybePromise<Chunk | End> {
    const chunk = this.#chunks.shift()
    if (chunk !== undefined) {
      this.#buffered -= chunk.length
      return chunk
    }
    if (this.#ended) return END
    if (this.#fault !== undefined) throw this.#fault
    return new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
      this.#source!.wanted()
    })
  }

  protected override reuse(chunk: Chunk): void {
    giveBack(chunk)
  }

  protected stop(why: Fault): void {
    const source = this.#source
    this.fail(why)
    // What was dropped must not look like the end, whoever still asks.
    this.#chunks.length = this.#buffered = 0
    this.#ended = false
    this.#fault ??= why
    source?.abandoned(why)
  }
}

/** No content, but the length that a HEAD or a 304 tells of what it would have been. */
export function describedBody(size: number | undefined): Body {
  return size === undefined ? emptyBody : new DescribedBody(size)
}

class DescribedBody implements Body {
  readonly size: number
  readonly bytes = undefined

  constructor(size: number) {
    this.size = size
  }

  pull(): End {
    return END
  }

  cancel(): void {}

  trailers(): undefined {
    return undefined
  }

  replay(): Replay {
    return { first: this, again: () => this }
  }

  fork(): Body {
    return this
  }
}

/** The body of an answer that switches protocols: it has no content, and giving it up tells `unused`. */
export function tunnelBody(unused: () => void): Body {
  return new TunnelBody(unused)
}

class TunnelBody extends BytesBody {
  readonly #unused: () => void

  constructor(unused: () => void) {
    super(Buffer.alloc(0))
    this.#unused = unused
  }

  override cancel(): void {
    this.#unused()
  }
}
