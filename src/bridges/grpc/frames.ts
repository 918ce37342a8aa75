import type { Fault } from '../../core/fault.ts'
import { Fault as FaultError } from '../../core/fault.ts'
import { Gather } from '../../core/gather.ts'

/** One message behind its five bytes: a flag and its length (gRPC, gRPC-Web and Connect streams alike). */
export function framed(message: Uint8Array, flag = 0): Buffer {
  const frame = Buffer.allocUnsafe(5 + message.length)
  frame[0] = flag
  frame.writeUInt32BE(message.length, 1)
  frame.set(message, 5)
  return frame
}

/** A frame as it stood in the stream. */
export interface Frame {
  readonly flag: number
  /** A view; belongs to whoever took the frame. */
  readonly content: Buffer
}

const noBytes = Buffer.alloc(0)

/**
 * Cuts a stream of bytes into frames. Pieces may be of any size; a frame that announces more than `maxBytes` is found
 * before its content is kept.
 */
export class FrameReader {
  readonly #maxBytes: number
  /** What came after `#current`. */
  readonly #more = new Gather()
  #current: Buffer = noBytes
  #at = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** Whether the stream may end here: between two frames. */
  get isBetween(): boolean {
    return this.#at === this.#current.length && this.#more.length === 0
  }

  add(piece: Buffer): void {
    if (this.isBetween) {
      this.#current = piece
      this.#at = 0
    } else this.#more.add(piece)
  }

  /** The next whole frame; undefined while more bytes are needed. Throws the Fault of one that is too large. */
  next(): Frame | undefined {
    if (this.#left < 5) {
      if (this.#left + this.#more.length < 5) return undefined
      this.#join()
    }
    const flag = this.#current[this.#at]
    const length = this.#current.readUInt32BE(this.#at + 1)
    if (length > this.#maxBytes) throw tooLarge(this.#maxBytes)
    if (this.#left < 5 + length) {
      if (this.#left + this.#more.length < 5 + length) return undefined
      this.#join()
    }
    const start = this.#at + 5
    this.#at = start + length
    return { flag, content: this.#current.subarray(start, this.#at) }
  }

  get #left(): number {
    return this.#current.length - this.#at
  }

  #join(): void {
    this.#current = this.#more.join(this.#current.subarray(this.#at))
    this.#at = 0
  }
}

/** What a message above the bound is answered with, whoever sent it. */
export function tooLarge(maxBytes: number): Fault {
  return new FaultError('body-too-large', `a message is larger than ${maxBytes} bytes`)
}
