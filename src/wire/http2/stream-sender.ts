import { constants } from 'node:http2'
import type { Http2Stream } from 'node:http2'
import type { Body, Chunk, End } from '../../core/body.ts'
import { END } from '../../core/body.ts'
import { Fault, faultFrom } from '../../core/fault.ts'
import { isPromise } from '../../core/handler.ts'
import { trailerFields } from './field-list.ts'

/** Who sends, as the sender sees it. */
export interface SenderOwner {
  /** The peer has to take what was sent before more is pulled: its time runs. */
  sendStalled(): void
  sendGoesOn(): void
  /** All of it, trailers among it, was given to the stream. */
  sent(): void
  /** The body broke off, or did not keep to its size. The stream is not ended: what was sent is not the whole. */
  sendFailed(why: Fault): void
}

/** Given to the stream at once; larger pieces go in parts, so that a peer that reads slowly is seen to read. */
const maxPieceBytes = 65_536

/** Sends one body over one stream: the next piece is pulled when the stream has room, which is when the peer has. */
export class StreamSender {
  sentBytes = 0
  /** The trailers were given to node:http2, or there are to be none. */
  trailersSent: boolean
  whenTrailersSent: (() => void) | undefined = undefined
  readonly #stream: Http2Stream
  readonly #body: Body
  readonly #owner: SenderOwner
  /** The stream was opened with `waitForTrailers`. */
  readonly #hasTrailers: boolean
  #rest: Buffer | undefined = undefined
  #isStopped = false

  constructor(stream: Http2Stream, body: Body, hasTrailers: boolean, owner: SenderOwner) {
    this.#stream = stream
    this.#body = body
    this.#owner = owner
    this.#hasTrailers = hasTrailers
    this.trailersSent = !hasTrailers
  }

  /** Begins with what was pulled already. */
  run(first: Chunk | End | Promise<Chunk | End> = this.#pull()): void {
    let next = first
    while (!isPromise(next)) {
      if (!this.#put(next)) return
      next = this.#pull()
    }
    next.then(this.#took, this.#failed)
  }

  /** Sends nothing any more, pulls nothing any more. */
  stop(): void {
    this.#isStopped = true
    this.#rest = undefined
  }

  #pull(): Chunk | End | Promise<Chunk | End> {
    const rest = this.#rest
    if (rest !== undefined) return rest
    if (this.#isStopped) return never
    try {
      return this.#body.pull()
    } catch (thrown) {
      this.#failed(thrown)
      return never
    }
  }

  readonly #took = (chunk: Chunk | End): void => {
    if (!this.#isStopped) this.run(chunk)
  }

  readonly #failed = (thrown: unknown): void => {
    if (this.#isStopped) return
    this.stop()
    this.#owner.sendFailed(faultFrom(thrown))
  }

  /** False when the next piece must wait or there is none. */
  #put(chunk: Chunk | End): boolean {
    if (this.#isStopped || this.#stream.destroyed) return false
    const { size } = this.#body
    if (chunk === END) {
      if (size !== undefined && this.sentBytes !== size)
        this.#failed(new Fault('internal', 'a body is shorter than its announced size'))
      else this.#end()
      return false
    }
    if (chunk.length === 0) return true
    const isRest = this.#rest !== undefined
    if (!isRest && size !== undefined && this.sentBytes + chunk.length > size) {
      this.#failed(new Fault('internal', 'a body is longer than its announced size'))
      return false
    }
    const piece = chunk.length <= maxPieceBytes ? chunk : chunk.subarray(0, maxPieceBytes)
    this.#rest = piece === chunk ? undefined : chunk.subarray(maxPieceBytes)
    this.sentBytes += piece.length
    if (this.#stream.write(piece)) return true
    this.#owner.sendStalled()
    this.#stream.once('drain', this.#drained)
    return false
  }

  readonly #drained = (): void => {
    if (this.#isStopped) return
    this.#owner.sendGoesOn()
    this.run()
  }

  #end(): void {
    this.#isStopped = true
    const stream = this.#stream
    if (this.#hasTrailers) {
      const trailers = trailerFields(this.#body.trailers())
      stream.once('wantTrailers', () => {
        try {
          stream.sendTrailers(trailers ?? {})
          this.trailersSent = true
          this.whenTrailersSent?.()
        } catch {
          // The stream was closed meanwhile; 'close' has told whom it concerns.
        }
      })
    }
    stream.end()
    this.#owner.sent()
  }
}

/** Waited for by nobody: what ends a loop whose end was told elsewhere. */
const never = new Promise<never>(() => {})

/**
 * Resets a stream without an error when what was given to it has been sent: a reset overtakes what still waits in
 * node:http2, whose trailers and writes each take a turn of the event loop.
 */
export function closeWhenSent(stream: Http2Stream, sender: StreamSender | undefined): void {
  if (sender !== undefined && !sender.trailersSent) sender.whenTrailersSent = () => closeWhenSent(stream, sender)
  else if (!stream.writableFinished) stream.once('finish', () => closeWhenSent(stream, sender))
  else setImmediate(() => setImmediate(() => stream.close(constants.NGHTTP2_NO_ERROR)))
}
