import { Answer } from '../../core/answer.ts'
import type { Chunk, End } from '../../core/body.ts'
import { BytesBody, END, StreamBody } from '../../core/body.ts'
import type { Fault } from '../../core/fault.ts'
import type { MaybePromise } from '../../core/handler.ts'
import { isPromise } from '../../core/handler.ts'
import { Headers } from '../../core/headers.ts'
import type { Problem } from '../../core/problem.ts'
import { framed } from '../grpc/frames.ts'
import type { GrpcAnswer } from '../grpc/grpc-call.ts'
import { fromMetadata } from '../grpc/metadata.ts'
import { problemStatus } from '../grpc/problem-status.ts'
import type { WebForm } from './content-type.ts'
import { trailersFrame } from './trailers-frame.ts'

/** What is written at once of messages that are there already. */
const joinBytes = 16_384

/** The answer to a call: its messages framed, and a frame of trailers that says how it ended, whatever happened. */
export function webAnswer(answer: GrpcAnswer, form: WebForm): Answer {
  const { status, trailers } = answer
  // Of an answer of headers alone these are its trailers; they go into the frame.
  const headers = status === undefined ? fromMetadata(answer.metadata) : new Headers()
  headers.set('content-type', form.type)
  if (status !== undefined) return new Answer(200, headers, new BytesBody(encoded(trailersFrame(status, trailers), form)))
  return new Answer(200, headers, new WebStream(answer, form))
}

/** A problem as callers of gRPC-Web understand it. What HTTP would say in a field stands in the head. */
export function webProblem(problem: Problem, form: WebForm): Answer {
  const headers = new Headers()
  if (problem.headers !== undefined) headers.put(problem.headers)
  headers.set('content-type', form.type)
  return new Answer(200, headers, new BytesBody(encoded(trailersFrame(problemStatus(problem)), form)))
}

function encoded(bytes: Buffer, { isText }: WebForm): Buffer {
  return isText ? Buffer.from(bytes.toString('base64'), 'latin1') : bytes
}

class WebStream extends StreamBody {
  readonly #answer: GrpcAnswer
  readonly #form: WebForm
  #ahead: Promise<Buffer | End> | undefined = undefined
  #isOver = false

  constructor(answer: GrpcAnswer, form: WebForm) {
    super(undefined)
    this.#answer = answer
    this.#form = form
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
      const frame = next === END ? trailersFrame(this.#answer.status!, this.#answer.trailers) : framed(next)
      frames.push(frame)
      length += frame.length
      if (next === END) {
        this.#isOver = true
        break
      }
      if (length >= joinBytes) break
      next = this.#answer.pull()
    }
    return encoded(frames.length === 1 ? frames[0] : Buffer.concat(frames, length), this.#form)
  }
}
