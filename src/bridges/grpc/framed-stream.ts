import type { Chunk, End } from '../../core/body.ts'
import { END, StreamBody } from '../../core/body.ts'
import type { Fault } from '../../core/fault.ts'
import { faultFrom } from '../../core/fault.ts'
import type { MaybePromise } from '../../core/handler.ts'
import { isPromise } from '../../core/handler.ts'
import type { GrpcAnswer } from './grpc-call.ts'
import type { GrpcStatus } from './grpc-status.ts'
import { statusOfFault } from './grpc-status.ts'

/** How a protocol writes the messages of a call and the end of it. */
export interface StreamFrames {
  /** A message as it goes to the caller. What it throws ends the call. */
  message(message: Buffer): Buffer
  /** The frame that says how the call ended. */
  end(status: GrpcStatus): Buffer
  /** Frames as they stand in the answer. */
  encoded(frames: Buffer): Buffer
}

/** What is written at once of messages that are there already. */
const joinBytes = 16_384

/** The messages of a call in frames, pulled: the service waits for the caller. Its last frame says how it ended, whatever happened. */
export class FramedStream extends StreamBody {
  readonly #answer: GrpcAnswer
  readonly #frames: StreamFrames
  #ahead: Promise<Buffer | End> | undefined = undefined
  #isOver = false

  constructor(answer: GrpcAnswer, frames: StreamFrames) {
    super(undefined)
    this.#answer = answer
    this.#frames = frames
  }

  trailers(): undefined {
    return undefined
  }

  protected read(): MaybePromise<Chunk | End> {
    if (this.#isOver) return END
    const next = this.#ahead ?? this.#answer.pull()
    this.#ahead = undefined
    return isPromise(next) ? next.then((message) => this.#chunk(message)) : this.#chunk(next)
  }

  protected stop(why: Fault): void {
    this.#isOver = true
    this.#answer.cancel(why)
  }

  #chunk(first: Buffer | End): Chunk {
    const frames: Buffer[] = []
    let length = 0
    let next: MaybePromise<Buffer | End> = first
    for (;;) {
      if (isPromise(next)) {
        this.#ahead = next
        break
      }
      const frame = next === END ? this.#end(this.#answer.status!) : this.#message(next)
      frames.push(frame)
      length += frame.length
      if (this.#isOver || length >= joinBytes) break
      next = this.#answer.pull()
    }
    return this.#frames.encoded(frames.length === 1 ? frames[0] : Buffer.concat(frames, length))
  }

  #message(message: Buffer): Buffer {
    try {
      return this.#frames.message(message)
    } catch (thrown) {
      const fault = faultFrom(thrown)
      this.#answer.cancel(fault)
      return this.#end(this.#answer.status ?? statusOfFault(fault))
    }
  }

  #end(status: GrpcStatus): Buffer {
    this.#isOver = true
    return this.#frames.end(status)
  }
}
