import type { Fault } from './fault.ts'
import { Fault as FaultError } from './fault.ts'
import { Gather } from './gather.ts'
import type { MaybePromise } from './handler.ts'
import { isPromise } from './handler.ts'
import type { Headers } from './headers.ts'

/** A piece of a body. It belongs to whoever pulled it: its bytes are never touched again by the source. */
export type Chunk = Buffer
/** The end of a body, complete. A body that breaks off throws a Fault instead: truncation is never an end. */
export const END = null
export type End = null

/**
 * A message's content, pulled: nothing is read from the peer until somebody asks, so back-pressure is the natural
 * state. One reader; a pull is never made while another one is pending.
 */
export interface Body {
  /** Length in bytes when it is known beforehand. */
  readonly size: number | undefined
  /** The whole content, when it arrived with its head. Reading it is as good as pulling. */
  readonly bytes: Buffer | undefined
  pull(): MaybePromise<Chunk | End>
  /** Nobody will read the rest. Harmless after the end. */
  cancel(why: Fault): void
  /** Trailer fields; known only after the end. */
  trailers(): Headers | undefined
  /** For a retry: keeps what is read, up to `maxBytes`. Undefined when it is known to be larger: no retry. */
  replay(maxBytes: number): Replay | undefined
  /**
   * A second reader for a mirror or a cache fill. It sees what the first reader pulls, never slows it, and fails with
   * `fork-lagged` when it falls more than `maxBytes` behind. Must be made before the first pull. `failed` hears at once of
   * a failure that the second reader, who may be waiting for something else, would only meet at its next pull.
   */
  fork(maxBytes: number, failed?: (why: Fault) => void): Body
}

/** A body that can be read again from its start. */
export interface Replay {
  /** The body for the first attempt. */
  readonly first: Body
  /** The body for one more attempt, from the start; undefined when more than the bound was read. Ends the earlier one. */
  again(): Body | undefined
}

/** A body whose bytes are all in hand. */
export class BytesBody implements Body {
  readonly size: number
  readonly bytes: Buffer
  #given = false

  constructor(bytes: Buffer) {
    this.bytes = bytes
    this.size = bytes.length
  }

  pull(): Chunk | End {
    if (this.#given || this.size === 0) return END
    this.#given = true
    return this.bytes
  }

  cancel(): void {
    this.#given = true
  }

  trailers(): undefined {
    return undefined
  }

  replay(maxBytes: number): Replay | undefined {
    if (this.size > maxBytes) return undefined
    return { first: this, again: () => new BytesBody(this.bytes) }
  }

  fork(): Body {
    return new BytesBody(this.bytes)
  }
}

const noBytes = Buffer.alloc(0)

/** No content. Stateless, so one serves all messages. */
export const emptyBody: Body = new BytesBody(noBytes)

/** A body of this text in UTF-8. */
export function textBody(text: string): Body {
  return new BytesBody(Buffer.from(text))
}

/** What a streamed body needs from its wire; `StreamBody` adds forks and replay on top. */
export abstract class StreamBody implements Body {
  readonly size: number | undefined
  readonly bytes = undefined
  #forks: Fork[] | undefined
  #wasForked = false

  constructor(size: number | undefined) {
    this.size = size
    this.#forks = undefined
  }

  /** The next piece, the end, or a thrown (rejected) Fault. */
  protected abstract read(): MaybePromise<Chunk | End>
  /** The reader has gone. */
  protected abstract stop(why: Fault): void
  /** Nobody reads this piece any more: a wire may fill its memory again. */
  protected reuse(_chunk: Chunk): void {}
  abstract trailers(): Headers | undefined

  pull(): MaybePromise<Chunk | End> {
    return this.#forks === undefined ? this.read() : this.#pullForked(this.#forks)
  }

  cancel(why: Fault): void {
    if (this.#forks !== undefined) for (const fork of this.#forks) fork.fail(why)
    this.#forks = undefined
    this.stop(why)
  }

  replay(maxBytes: number): Replay | undefined {
    if (this.size !== undefined && this.size > maxBytes) return undefined
    return new Recording(this, maxBytes)
  }

  fork(maxBytes: number, failed?: (why: Fault) => void): Body {
    const fork = new Fork(this, maxBytes, failed)
    this.#wasForked = true
    ;(this.#forks ??= []).push(fork)
    return fork
  }

  /** See `releaseChunk`. What a fork has seen too is left alone. */
  release(chunk: Chunk): void {
    if (!this.#wasForked) this.reuse(chunk)
  }

  #pullForked(forks: Fork[]): MaybePromise<Chunk | End> {
    const share = (chunk: Chunk | End): Chunk | End => {
      for (const fork of forks) fork.offer(chunk)
      return chunk
    }
    const failed = (thrown: unknown): never => {
      for (const fork of forks) fork.fail(thrown as Fault)
      throw thrown
    }
    let next: MaybePromise<Chunk | End>
    try {
      next = this.read()
    } catch (thrown) {
      return failed(thrown)
    }
    return isPromise(next) ? next.then(share, failed) : share(next)
  }
}

/**
 * Said by the one reader of a body when it has written a pulled piece for good and kept nothing of it. Lets a wire use
 * the memory again, so that a long body does not leave its whole length to the collector. Harmless to leave out.
 */
export function releaseChunk(body: Body, chunk: Chunk): void {
  if (body instanceof StreamBody) body.release(chunk)
}

/** The second reader's side: a bounded queue filled by the first reader's pulls. */
class Fork extends StreamBody {
  readonly #source: Body
  readonly #maxBytes: number
  readonly #failed: ((why: Fault) => void) | undefined
  #queue: Chunk[] = []
  #queued = 0
  #ended = false
  #fault: Fault | undefined
  #waiting: { resolve(chunk: Chunk | End): void; reject(why: Fault): void } | undefined

  constructor(source: Body, maxBytes: number, failed: ((why: Fault) => void) | undefined) {
    super(source.size)
    this.#source = source
    this.#maxBytes = maxBytes
    this.#failed = failed
  }

  offer(chunk: Chunk | End): void {
    if (this.#fault !== undefined || this.#ended) return
    if (chunk === END) this.#ended = true
    const waiting = this.#waiting
    if (waiting !== undefined) {
      this.#waiting = undefined
      waiting.resolve(chunk)
    } else if (chunk !== END) {
      this.#queue.push(chunk)
      this.#queued += chunk.length
      if (this.#queued > this.#maxBytes) this.fail(new FaultError('fork-lagged'))
    }
  }

  fail(why: Fault): void {
    if (this.#fault !== undefined || (this.#ended && this.#waiting === undefined)) return
    this.#fault = why
    this.#queue = []
    const waiting = this.#waiting
    this.#waiting = undefined
    waiting?.reject(why)
    this.#failed?.(why)
  }

  trailers(): Headers | undefined {
    return this.#ended && this.#queue.length === 0 ? this.#source.trailers() : undefined
  }

  protected read(): MaybePromise<Chunk | End> {
    if (this.#fault !== undefined) throw this.#fault
    const chunk = this.#queue.shift()
    if (chunk !== undefined) {
      this.#queued -= chunk.length
      return chunk
    }
    if (this.#ended) return END
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject }
    })
  }

  protected stop(why: Fault): void {
    this.fail(why)
  }
}

/** Keeps what attempts read of a source, so that a later attempt starts from the beginning and then goes on. */
class Recording implements Replay {
  readonly #source: Body
  readonly #maxBytes: number
  /** Pieces from number `#base` on. Past the bound nothing is kept that the current reader has seen. */
  #kept: Chunk[] = []
  #base = 0
  #keptBytes = 0
  #isOver = false
  #ended = false
  #pending: Promise<Chunk | End> | undefined
  readonly first: Body
  #current: RecordedBody

  constructor(source: Body, maxBytes: number) {
    this.#source = source
    this.#maxBytes = maxBytes
    this.#current = new RecordedBody(this, source)
    this.first = this.#current
  }

  again(): Body | undefined {
    if (this.#isOver) return undefined
    this.#current.detach()
    this.#current = new RecordedBody(this, this.#source)
    return this.#current
  }

  /** Piece number `index` of the source; each piece is read from it once, whoever asks. */
  piece(index: number): MaybePromise<Chunk | End> {
    const at = index - this.#base
    if (at < this.#kept.length) {
      const chunk = this.#kept[at]
      if (this.#isOver) {
        this.#kept.splice(0, at + 1)
        this.#base = index + 1
      }
      return chunk
    }
    if (this.#ended) return END
    // An attempt that was given up may have left a pull pending: its piece must not be lost.
    if (this.#pending !== undefined) return this.#pending.then(() => this.piece(index))
    const next = this.#source.pull()
    if (!isPromise(next)) {
      this.#keep(next)
      return this.piece(index)
    }
    const settled = (): void => {
      this.#pending = undefined
    }
    this.#pending = next.then(
      (chunk) => {
        settled()
        this.#keep(chunk)
        return chunk
      },
      (thrown: unknown) => {
        settled()
        throw thrown
      },
    )
    return this.#pending.then(() => this.piece(index))
  }

  #keep(chunk: Chunk | End): void {
    if (chunk === END) {
      this.#ended = true
      return
    }
    this.#kept.push(chunk)
    this.#keptBytes += chunk.length
    if (this.#keptBytes > this.#maxBytes) this.#isOver = true
  }
}

class RecordedBody extends StreamBody {
  readonly #recording: Recording
  readonly #source: Body
  #index = 0
  #detached = false

  constructor(recording: Recording, source: Body) {
    super(source.size)
    this.#recording = recording
    this.#source = source
  }

  detach(): void {
    this.#detached = true
  }

  trailers(): Headers | undefined {
    return this.#source.trailers()
  }

  protected read(): MaybePromise<Chunk | End> {
    if (this.#detached) throw new FaultError('cancelled', 'a later attempt has taken this body over')
    return this.#recording.piece(this.#index++)
  }

  /** Giving up one attempt must not end the source: another attempt may follow. Its owner cancels the source itself. */
  protected stop(): void {
    this.#detached = true
  }
}

/** Reads a body to its end. Throws `body-too-large` past `maxBytes`, having cancelled the rest. */
export async function readAll(body: Body, maxBytes: number): Promise<Buffer> {
  const tooLarge = (): Fault => {
    const fault = new FaultError('body-too-large')
    body.cancel(fault)
    return fault
  }
  if (body.size !== undefined && body.size > maxBytes) throw tooLarge()
  if (body.bytes !== undefined) return body.bytes
  const gather = new Gather()
  for (;;) {
    const next = body.pull()
    const chunk = isPromise(next) ? await next : next
    if (chunk === END) return gather.join()
    gather.add(chunk)
    if (gather.length > maxBytes) throw tooLarge()
  }
}
