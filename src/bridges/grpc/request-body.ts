import { gzipSync } from 'node:zlib'
import type { Chunk, End } from '../../core/body.ts'
import { END, StreamBody } from '../../core/body.ts'
import type { Fault } from '../../core/fault.ts'
import type { MaybePromise } from '../../core/handler.ts'
import { isPromise } from '../../core/handler.ts'
import { framed } from './frames.ts'
import type { MessageSource } from './message-source.ts'

/** Pieces are joined up to this length, so that many small messages are few writes. */
const joinBytes = 16_384

/** The frames of a call's messages as a request body: pulled from the source when the service has room. */
export class RequestBody extends StreamBody {
  readonly #source: MessageSource
  readonly #isCompressed: boolean
  /** A pull of the source that was made while frames could be sent already. */
  #ahead: Promise<Uint8Array | End> | undefined = undefined
  #isOver = false

  constructor(source: MessageSource, isCompressed: boolean) {
    super(undefined)
    this.#source = source
    this.#isCompressed = isCompressed
  }

  trailers(): undefined {
    return undefined
  }

  protected read(): MaybePromise<Chunk | End> {
    if (this.#isOver) return END
    const first = this.#ahead ?? this.#source.pull()
    this.#ahead = undefined
    return isPromise(first) ? first.then((message) => this.#chunk(message)) : this.#chunk(first)
  }

  protected stop(why: Fault): void {
    this.#isOver = true
    this.#source.cancel(why)
  }

  #chunk(first: Uint8Array | End): Chunk | End {
    if (first === END) return this.#ended()
    const frames = [frameOf(first, this.#isCompressed)]
    let length = frames[0].length
    while (length < joinBytes) {
      const next = this.#source.pull()
      if (isPromise(next)) {
        // Kept for the next read; whoever reads it hears of a failure.
        next.catch(() => undefined)
        this.#ahead = next
        break
      }
      if (next === END) {
        this.#isOver = true
        break
      }
      const frame = frameOf(next, this.#isCompressed)
      frames.push(frame)
      length += frame.length
    }
    return frames.length === 1 ? frames[0] : Buffer.concat(frames, length)
  }

  #ended(): End {
    this.#isOver = true
    return END
  }
}

/** One message as it goes to the service. */
export function frameOf(message: Uint8Array, isCompressed: boolean): Buffer {
  return isCompressed && message.length > 0 ? framed(gzipSync(message), 1) : framed(message)
}
