import type { Answer } from '../../core/answer.ts'
import type { End } from '../../core/body.ts'
import { BytesBody, END } from '../../core/body.ts'
import type { Clock } from '../../core/clock.ts'
import type { Exchange } from '../../core/exchange.ts'
import { Fault, faultFrom } from '../../core/fault.ts'
import { grpcCodes, grpcTimeoutOf, isGrpcType } from '../../core/grpc-status.ts'
import type { MaybePromise } from '../../core/handler.ts'
import { isPromise } from '../../core/handler.ts'
import { H } from '../../core/header-names.ts'
import { Headers } from '../../core/headers.ts'
import type { Call, Service } from '../../core/service.ts'
import type { Due, Sweeper } from '../../core/sweeper.ts'
import type { Frame } from './frames.ts'
import { FrameReader } from './frames.ts'
import type { GrpcStatus } from './grpc-status.ts'
import { codeOfHttpStatus, nonsense, okStatus, readStatus, statusOfFault } from './grpc-status.ts'
import { gunzipped } from './message-bytes.ts'
import type { MessageSource } from './message-source.ts'
import { G } from './metadata.ts'
import { RequestBody, frameOf } from './request-body.ts'

/** What every gRPC call is made with. */
export interface GrpcCallEnv {
  readonly clock: Clock
  readonly sweeper: Sweeper
  /** Largest message of the service, decompressed; one that is larger ends the call. */
  readonly maxMessageBytes: number
}

/** One call of a method. */
export interface GrpcRequest {
  /** `/package.Service/Method`. */
  readonly path: string
  /** Made by `toMetadata` for this call alone. */
  readonly metadata: Headers
  /** The one message of the call, or as many as are pulled. */
  readonly messages: Uint8Array | MessageSource
  /** Sends messages compressed by gzip. */
  readonly isCompressed?: boolean
  /** Monotonic milliseconds by which the whole call must be over; Infinity for none. It is told to the service. */
  readonly deadlineAt: number
}

/**
 * Calls a method through `upstream` on behalf of `call`, whose authority and deadlines it keeps. Resolves when the
 * service's metadata have arrived. Rejects with the Faults of the service while there is no answer at all; whatever
 * happens later is the status of the answer. The caller's leaving ends the call at once.
 */
export function startGrpcCall(
  upstream: Service,
  call: Call,
  x: Exchange,
  request: GrpcRequest,
  env: GrpcCallEnv,
): MaybePromise<GrpcAnswer> {
  const { path, metadata, messages, isCompressed = false, deadlineAt } = request
  if (deadlineAt !== Infinity) {
    const leftMs = deadlineAt - env.clock.monotonic()
    if (leftMs <= 0) throw new Fault('service-timeout', 'the time for the call has passed')
    metadata.putLines(`grpc-timeout: ${grpcTimeoutOf(leftMs)}\r\n`)
  }
  if (isCompressed) metadata.putLines('grpc-encoding: gzip\r\n')
  const answer = upstream(
    {
      method: 'POST',
      target: path,
      authority: call.authority,
      headers: metadata,
      body:
        messages instanceof Uint8Array ? new BytesBody(frameOf(messages, isCompressed)) : new RequestBody(messages, isCompressed),
      upgrade: undefined,
      headBy: Math.min(call.headBy, deadlineAt),
      isCallersDeadline: call.isCallersDeadline === true || deadlineAt < call.headBy,
    },
    x,
  )
  return isPromise(answer)
    ? answer.then((head) => new GrpcAnswer(head, x, deadlineAt, env))
    : new GrpcAnswer(answer, x, deadlineAt, env)
}

/** What a method answers: metadata, messages to be pulled, and at their end a status. Never throws: see `status`. */
export class GrpcAnswer implements MessageSource, Due {
  dueAt: number
  sweepSlot: number | undefined = undefined
  /** The metadata that began the answer; empty where the head was the whole answer. */
  readonly metadata: Headers
  /** Set as soon as the call is over; a pull has given END by then. */
  status: GrpcStatus | undefined = undefined
  /** The metadata that ended the answer. */
  trailers: Headers = noHeaders
  readonly #answer: Answer
  readonly #x: Exchange
  readonly #env: GrpcCallEnv
  readonly #reader: FrameReader
  readonly #isGzip: boolean

  constructor(answer: Answer, x: Exchange, deadlineAt: number, env: GrpcCallEnv) {
    this.#answer = answer
    this.#x = x
    this.#env = env
    this.#reader = new FrameReader(env.maxMessageBytes)
    this.metadata = answer.headers
    const encoding = answer.headers.first(G.grpcEncoding)
    this.#isGzip = encoding === 'gzip'
    this.dueAt = deadlineAt
    const wrong = this.#judgeHead(answer, encoding)
    if (wrong !== undefined) {
      answer.body.cancel(new Fault('cancelled', 'the answer cannot be used'))
      this.#end(wrong)
    } else if (deadlineAt !== Infinity) env.sweeper.watch(this)
  }

  /** Whether the service had nothing to say but a status, so that no answer has begun yet. */
  get isStatusOnly(): boolean {
    return this.status !== undefined
  }

  /** The next message, or END when the call is over and `status` says how. */
  pull(): MaybePromise<Buffer | End> {
    try {
      // A loop: of a body whose pieces are there already there may be as many as a message has bytes.
      while (this.status === undefined) {
        const frame = this.#reader.next()
        if (frame !== undefined) return this.#message(frame)
        const chunk = this.#answer.body.pull()
        if (isPromise(chunk)) return chunk.then(this.#took, this.#failed)
        if (chunk === END) return this.#ended()
        this.#reader.add(chunk)
      }
      return END
    } catch (thrown) {
      return this.#failed(thrown)
    }
  }

  cancel(why: Fault): void {
    if (this.status !== undefined) return
    this.#answer.body.cancel(why)
    this.#end(statusOfFault(why))
  }

  onDue(): void {
    this.cancel(new Fault('service-timeout', 'the call was not over by its deadline'))
  }

  readonly #took = (chunk: Buffer | End): MaybePromise<Buffer | End> => {
    if (this.status !== undefined) return END
    if (chunk === END) return this.#ended()
    this.#reader.add(chunk)
    return this.pull()
  }

  #ended(): End {
    const trailers = this.#answer.body.trailers()
    if (trailers !== undefined) this.trailers = trailers
    // A status in the head of a body without trailers is what some servers send for "trailers-only".
    const status = trailers === undefined ? readStatus(this.metadata) : (readStatus(trailers) ?? readStatus(this.metadata))
    if (status === undefined) return this.#end(nonsense('an answer has no grpc-status', grpcCodes.unknown))
    if (!this.#reader.isBetween) return this.#end(nonsense('an answer ends inside a message'))
    return this.#end(status)
  }

  readonly #failed = (thrown: unknown): End => {
    if (this.status !== undefined) return END
    const fault = faultFrom(thrown)
    // Of the service's messages only one can be too large here: the caller's are judged before they are sent.
    const status =
      fault.code === 'body-too-large'
        ? nonsense(`${fault.message} (an answer)`, grpcCodes['resource-exhausted'])
        : statusOfFault(fault)
    if (fault.code === 'body-too-large' || fault.code === 'service-nonsense') this.#answer.body.cancel(fault)
    return this.#end(status)
  }

  #message(frame: Frame): MaybePromise<Buffer | End> {
    if (frame.flag === 0) return frame.content
    if (frame.flag !== 1 || !this.#isGzip) throw new Fault('service-nonsense', `a message has the flag ${frame.flag}`)
    const message = gunzipped(frame.content, this.#env.maxMessageBytes, broken)
    return isPromise(message) ? message.catch(this.#failed) : message
  }

  #judgeHead({ status, headers, body }: Answer, encoding: string | undefined): GrpcStatus | undefined {
    const type = headers.first(H.contentType)
    const isGrpc = type !== undefined && isGrpcType(type)
    if (status !== 200 || !isGrpc) {
      const said = isGrpc ? readStatus(headers) : undefined
      if (said !== undefined && said !== okStatus) return said
      // Something in front of the service spoke for it: its status says whether trying again makes sense.
      if (status !== 200) return { ...okStatus, code: codeOfHttpStatus(status), message: `the service answered HTTP ${status}` }
      return nonsense(`the service answered ${type ?? 'without a type'} where gRPC was expected`, grpcCodes.unknown)
    }
    if (encoding !== undefined && encoding !== 'gzip' && encoding !== 'identity') {
      return nonsense('the service compresses in a way that was not offered')
    }
    // Trailers-only: the status stands in the head, and there is nothing else.
    if (body.size !== 0) return undefined
    this.trailers = headers
    return readStatus(headers) ?? nonsense('an answer has no grpc-status', grpcCodes.unknown)
  }

  #end(status: GrpcStatus): End {
    this.status = status
    // Callers are told by a status, which looks like a good end to the wire: the log shall know better.
    const { fault } = status
    if (fault !== undefined && fault.code !== 'cancelled') this.#x.fault ??= fault
    if (this.dueAt !== Infinity) {
      this.dueAt = Infinity
      this.#env.sweeper.unwatch(this)
    }
    return END
  }
}

const noHeaders = new Headers()
const broken = (): Fault => new Fault('service-nonsense', 'a compressed message cannot be read')

/** The end of a call that takes one answer: its message, or a status that says why there is none. */
export interface UnaryEnd {
  readonly message: Buffer | undefined
  readonly status: GrpcStatus
  readonly metadata: Headers
  readonly trailers: Headers
}

/** Takes the one message of an answer and its status. More than one, or none with OK, is the service's nonsense. */
export async function unaryEnd(answer: GrpcAnswer): Promise<UnaryEnd> {
  let message: Buffer | undefined
  for (;;) {
    const pulled = answer.pull()
    const next = isPromise(pulled) ? await pulled : pulled
    if (next === END) break
    if (message !== undefined) {
      const fault = new Fault('service-nonsense', 'a method with one answer gave several')
      answer.cancel(fault)
      message = undefined
      break
    }
    message = next
  }
  const { metadata, trailers } = answer
  const status = answer.status!
  if (status.code !== 0) return { message: undefined, status, metadata, trailers }
  if (message === undefined) return { message, status: nonsense('a method gave no answer and yet OK'), metadata, trailers }
  return { message, status, metadata, trailers }
}
