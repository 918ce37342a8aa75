import type { Http2Stream } from 'node:http2'
import type { Chunk, End } from '../../core/body.ts'
import { END, StreamBody } from '../../core/body.ts'
import type { Fault } from '../../core/fault.ts'
import type { MaybePromise } from '../../core/handler.ts'
import type { Headers } from '../../core/headers.ts'
import { receivedFields, trailerSkip } from './field-list.ts'

/** Whose stream it is, as the stream's content sees it. */
export interface ContentOwner {
  /** The reader has nothing left and waits for the peer. */
  contentWanted(): void
  /** The reader is served: no time runs until it waits again. */
  contentServed(): void
  /** Everything has arrived, and nobody waited for it or the one who did is served. */
  contentComplete(): void
  /** Nobody will read the rest. */
  contentAbandoned(why: Fault): void
}

/** Whether the peer has said that a stream is complete. */
export interface EndNote {
  hasCome: boolean
}

/**
 * Notes END_STREAM. The 'end' event does not tell it from a reset without an error (RFC 9113 §8.1), which node:http2 shows
 * as an ordinary end when our own side has ended before: half an answer would pass for a whole one.
 */
export function noteEnd(stream: Http2Stream): EndNote {
  const note = { hasCome: false }
  const push = stream.push.bind(stream)
  stream.push = (chunk: unknown, encoding?: BufferEncoding): boolean => {
    if (chunk === null && !stream.closed) note.hasCome = true
    return push(chunk, encoding)
  }
  return note
}

/** What is held for a slow reader before the stream is paused; the peer's window bounds what comes after. */
const maxHeldBytes = 65_536

/**
 * The content of one HTTP/2 stream, pulled. Nothing is taken from the stream before the first pull and nothing while
 * the reader lags, so that the window of the stream, and with it the peer, waits for the reader.
 */
export class StreamContent extends StreamBody {
  /** Content bytes taken from the stream. */
  received = 0
  /** Everything has arrived, trailers among it. */
  isComplete = false
  readonly #stream: Http2Stream
  readonly #owner: ContentOwner
  readonly #end: EndNote | undefined
  #held: Chunk[] = []
  #heldBytes = 0
  #isFlowing = false
  #isPaused = false
  #isStopped = false
  #fault: Fault | undefined = undefined
  #trailers: Headers | undefined = undefined
  #waiting: { resolve(chunk: Chunk | End): void; reject(why: Fault): void } | undefined = undefined

  constructor(stream: Http2Stream, size: number | undefined, owner: ContentOwner, end?: EndNote) {
    super(size)
    this.#stream = stream
    this.#owner = owner
    this.#end = end
    stream.on('trailers', (_headers: unknown, _flags: number, raw?: readonly string[]) => {
      if (raw !== undefined && raw.length > 0) this.#trailers = receivedFields(raw, 0, trailerSkip)
    })
    stream.on('end', () => this.#ended())
  }

  get fault(): Fault | undefined {
    return this.#fault
  }

  get isWaiting(): boolean {
    return this.#waiting !== undefined
  }

  /** The rest will never come. What has arrived before is still given when `keepsHeld`, then the Fault. */
  fail(why: Fault, keepsHeld = false): void {
    if (this.#fault !== undefined || this.isComplete) return
    this.#fault = why
    if (!keepsHeld) this.#drop()
    const waiting = this.#waiting
    this.#waiting = undefined
    waiting?.reject(why)
  }

  trailers(): Headers | undefined {
    return this.isComplete && this.#held.length === 0 ? this.#trailers : undefined
  }

  protected read(): MaybePromise<Chunk | End> {
    const held = this.#held.shift()
    if (held !== undefined) {
      this.#heldBytes -= held.length
      return held
    }
    if (this.#fault !== undefined) throw this.#fault
    if (this.isComplete) return END
    if (!this.#isFlowing) {
      const first = this.#stream.read() as Chunk | null
      if (first !== null) {
        this.received += first.length
        return first
      }
    }
    const wait = new Promise<Chunk | End>((resolve, reject) => {
      this.#waiting = { resolve, reject }
    })
    this.#owner.contentWanted()
    this.#flow()
    return wait
  }

  protected stop(why: Fault): void {
    if (this.#isStopped) return
    this.#isStopped = true
    const { isComplete } = this
    this.isComplete = false
    this.fail(why)
    this.#fault ??= why
    this.isComplete = isComplete
    this.#drop()
    if (!isComplete) this.#owner.contentAbandoned(why)
  }

  #flow(): void {
    if (!this.#isFlowing) {
      this.#isFlowing = true
      this.#stream.on('data', this.#took)
    } else if (this.#isPaused) {
      this.#isPaused = false
      this.#stream.resume()
    }
  }

  readonly #took = (chunk: Buffer): void => {
    if (this.#isStopped || this.#fault !== undefined) return
    this.received += chunk.length
    const waiting = this.#waiting
    if (waiting !== undefined) {
      this.#waiting = undefined
      this.#owner.contentServed()
      waiting.resolve(chunk)
      return
    }
    this.#held.push(chunk)
    this.#heldBytes += chunk.length
    if (this.#heldBytes < maxHeldBytes || this.#isPaused) return
    this.#isPaused = true
    this.#stream.pause()
  }

  #ended(): void {
    // An aborted stream ends too; its fault has been told before, or is told by 'close'.
    if (this.#fault !== undefined || this.#stream.aborted || this.#stream.rstCode !== 0 || this.#end?.hasCome === false) return
    this.isComplete = true
    const waiting = this.#waiting
    this.#waiting = undefined
    if (waiting !== undefined) {
      this.#owner.contentServed()
      waiting.resolve(END)
    }
    this.#owner.contentComplete()
  }

  #drop(): void {
    this.#held = []
    this.#heldBytes = 0
  }
}
