import type { Writable } from 'node:stream'
import { END, releaseChunk } from '../../core/body.ts'
import type { Body, Chunk, End } from '../../core/body.ts'
import { Fault, faultFrom } from '../../core/fault.ts'
import { isPromise } from '../../core/handler.ts'
import { trailerDrop } from './body-decoder.ts'
import { smallestSlabPiece } from './slabs.ts'

/** What a connection learns of a body that it sends. */
export interface UploadOwner {
  /** All of it was given to the socket. */
  uploaded(): void
  /** The service reads more slowly than we send; `uploadGoesOn` follows when it has caught up. */
  uploadStalled(): void
  uploadGoesOn(): void
  /** The body broke off (its Fault), or did not keep to its size; the message on the wire is incomplete. */
  uploadFailed(why: Fault): void
}

/** A piece handed to the socket at once; a larger one waits in parts for the service to read. */
const maxPieceBytes = 65536

/** Sends one body: the next piece is pulled only when the socket has taken the last one. */
export class Upload {
  isDone = false
  readonly #socket: Writable
  readonly #body: Body
  readonly #isChunked: boolean
  readonly #owner: UploadOwner
  #sent = 0
  #isStopped = false
  /** The part of a large piece that is still to be sent. */
  #rest: Buffer | undefined = undefined
  #isStalled = false
  /** The body's bytes, when they are in hand: then nothing is pulled, so that another attempt finds them untouched. */
  #whole: Buffer | undefined
  /** Large pieces that the socket may still be reading. */
  #unreleased: Chunk[] | undefined = undefined

  constructor(socket: Writable, body: Body, isChunked: boolean, owner: UploadOwner) {
    this.#socket = socket
    this.#body = body
    this.#isChunked = isChunked
    this.#owner = owner
    this.#whole = body.bytes
  }

  /** Begins, after the head was written; also takes up again when the socket has drained. */
  run(): void {
    if (this.#isStopped || this.isDone) return
    for (;;) {
      const rest = this.#rest
      if (rest !== undefined) {
        if (!this.#write(rest)) return
        continue
      }
      let next: Chunk | End | Promise<Chunk | End>
      try {
        next = this.#next()
      } catch (thrown) {
        this.#fail(thrown)
        return
      }
      if (isPromise(next)) {
        next.then(this.#took, this.#fail)
        return
      }
      if (!this.#send(next)) return
    }
  }

  /** The socket has drained. */
  drained(): void {
    if (!this.#isStalled || this.#isStopped) return
    this.#isStalled = false
    this.#release()
    this.#owner.uploadGoesOn()
    this.run()
  }

  /** Sends nothing any more, pulls nothing any more. */
  stop(): void {
    this.#isStopped = true
    this.#rest = this.#whole = undefined
  }

  #next(): Chunk | End | Promise<Chunk | End> {
    if (this.#socket.writableLength === 0) this.#release()
    if (this.#body.bytes === undefined) return this.#body.pull()
    const whole = this.#whole
    this.#whole = undefined
    return whole === undefined ? END : whole
  }

  readonly #took = (chunk: Chunk | End): void => {
    if (!this.#isStopped && this.#send(chunk)) this.run()
  }

  readonly #fail = (thrown: unknown): void => {
    if (this.#isStopped) return
    this.stop()
    this.#owner.uploadFailed(faultFrom(thrown))
  }

  /** False when the next piece must wait or there is none. */
  #send(chunk: Chunk | End): boolean {
    const { size } = this.#body
    if (chunk === END) {
      if (!this.#isChunked && this.#sent !== size) return this.#broken()
      this.#end()
      return false
    }
    // An empty piece would be the last chunk.
    if (chunk.length === 0) return true
    this.#sent += chunk.length
    if (!this.#isChunked && this.#sent > size!) return this.#broken()
    if (chunk.length >= smallestSlabPiece) (this.#unreleased ??= []).push(chunk)
    return this.#write(chunk)
  }

  /** The socket has read all that it was given. */
  #release(): void {
    const pieces = this.#unreleased
    if (pieces === undefined) return
    this.#unreleased = undefined
    for (const piece of pieces) releaseChunk(this.#body, piece)
  }

  #write(chunk: Buffer): boolean {
    const isWhole = chunk.length <= maxPieceBytes
    const piece = isWhole ? chunk : chunk.subarray(0, maxPieceBytes)
    this.#rest = isWhole ? undefined : chunk.subarray(maxPieceBytes)
    const socket = this.#socket
    let hasRoom: boolean
    if (this.#isChunked) {
      socket.cork()
      socket.write(`${piece.length.toString(16)}\r\n`, 'latin1')
      socket.write(piece)
      hasRoom = socket.write('\r\n', 'latin1')
      socket.uncork()
    } else {
      hasRoom = socket.write(piece)
    }
    if (hasRoom) return true
    this.#isStalled = true
    this.#owner.uploadStalled()
    return false
  }

  #end(): void {
    if (this.#isChunked) {
      const trailers = this.#body.trailers()
      this.#socket.write(trailers === undefined ? '0\r\n\r\n' : `0\r\n${trailers.toLines(trailerDrop)}\r\n`, 'latin1')
    }
    this.isDone = true
    this.#owner.uploaded()
  }

  #broken(): false {
    this.#fail(new Fault('internal', 'a request body did not have the size that was announced'))
    return false
  }
}
