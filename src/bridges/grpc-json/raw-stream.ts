import type { Registry } from '@bufbuild/protobuf'
import { Answer } from '../../core/answer.ts'
import type { Chunk, End } from '../../core/body.ts'
import { END, StreamBody, emptyBody } from '../../core/body.ts'
import { Fault } from '../../core/fault.ts'
import type { MaybePromise } from '../../core/handler.ts'
import { isPromise } from '../../core/handler.ts'
import type { Headers } from '../../core/headers.ts'
import type { GrpcAnswer } from '../grpc/grpc-call.ts'
import type { Binding } from './binding.ts'
import { statusAnswer } from './status-answer.ts'
import { rawContent, setContentType } from './unary-answer.ts'

/** A stream of HttpBody as one answer: the type is the first one's, the bytes are those of all. It waits for the first. */
export async function rawStream(answer: GrpcAnswer, binding: Binding, headers: Headers, registry: Registry): Promise<Answer> {
  const pulled = answer.pull()
  const first = isPromise(pulled) ? await pulled : pulled
  if (first === END) {
    const status = answer.status!
    if (status.fault !== undefined) throw status.fault
    return status.code === 0 ? new Answer(200, headers, emptyBody) : statusAnswer(status, registry, headers)
  }
  const { contentType, data } = rawContent(binding, first)
  setContentType(headers, contentType)
  return new Answer(200, headers, new RawStream(answer, binding, data))
}

class RawStream extends StreamBody {
  readonly #answer: GrpcAnswer
  readonly #binding: Binding
  #first: Buffer | undefined

  constructor(answer: GrpcAnswer, binding: Binding, first: Buffer) {
    super(undefined)
    this.#answer = answer
    this.#binding = binding
    this.#first = first
  }

  trailers(): undefined {
    return undefined
  }

  protected read(): MaybePromise<Chunk | End> {
    const first = this.#first
    this.#first = undefined
    if (first !== undefined && first.length > 0) return first
    // A loop: of messages without bytes there may be thousands at once.
    for (;;) {
      const next = this.#answer.pull()
      if (isPromise(next)) return next.then(this.#took)
      const chunk = this.#chunk(next)
      if (chunk !== undefined) return chunk
    }
  }

  protected stop(why: Fault): void {
    this.#answer.cancel(why)
  }

  readonly #took = (message: Buffer | End): MaybePromise<Chunk | End> => {
    const chunk = this.#chunk(message)
    return chunk === undefined ? this.read() : chunk
  }

  /** Undefined for a message without bytes. */
  #chunk(message: Buffer | End): Chunk | End | undefined {
    if (message === END) {
      const status = this.#answer.status!
      if (status.code === 0) return END
      // Bytes have no place for an error: the answer is broken off.
      throw status.fault ?? new Fault('service-truncated', `the service ended the stream with status ${status.code}`)
    }
    const { data } = rawContent(this.#binding, message)
    return data.length > 0 ? data : undefined
  }
}
