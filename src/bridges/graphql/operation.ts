import { reflect } from '@bufbuild/protobuf/reflect'
import type { Registry } from '@bufbuild/protobuf'
import type { End } from '../../core/body.ts'
import { END, StreamBody } from '../../core/body.ts'
import type { Exchange } from '../../core/exchange.ts'
import { Fault, faultFrom } from '../../core/fault.ts'
import { isPromise } from '../../core/handler.ts'
import type { Call, Service } from '../../core/service.ts'
import type { GrpcMethod } from '../descriptors/descriptors.ts'
import { callDeadline, grpcTimeoutAt } from '../grpc/call-deadline.ts'
import type { GrpcAnswer, GrpcCallEnv } from '../grpc/grpc-call.ts'
import { startGrpcCall, unaryEnd } from '../grpc/grpc-call.ts'
import type { MessageSource } from '../grpc/message-source.ts'
import { toMetadata } from '../grpc/metadata.ts'
import type { Json } from '../json/json-text.ts'
import type { MessageCodec } from '../json/message-codec.ts'
import { joinedCacheControl } from './cache-hint.ts'
import { callError, faultError, requestError } from './errors.ts'
import { inputJson } from './input-json.ts'
import { messageShape } from './shapes.ts'

/** A method as fields call it; compiled with the schema. */
export interface MethodCall {
  readonly method: GrpcMethod
  readonly isQuery: boolean
  readonly input: MessageCodec
  readonly output: MessageCodec
  /** What GraphQL makes of an answer. */
  readonly read: (message: unknown) => unknown
  readonly registry: Registry
}

/** The answers to one operation are as large as so many of the largest messages at most. */
const maxHeldMessages = 4

/** One operation in execution: the context of its resolvers. Its calls are made for the exchange that brought it. */
export class Operation {
  readonly #call: Call
  readonly #x: Exchange
  readonly #upstream: Service
  readonly #env: GrpcCallEnv
  readonly #ownsExchange: boolean
  readonly #asked = new Map<string, Promise<unknown>>()
  readonly #cacheControls: (string | undefined)[] = []
  readonly #open = new Set<GrpcAnswer>()
  #cancelled: Fault | undefined = undefined
  #heldBytes = 0

  /** `ownsExchange`: nothing else is done for it, so that it may be left with the operation. */
  constructor(call: Call, x: Exchange, upstream: Service, env: GrpcCallEnv, ownsExchange = false) {
    this.#call = call
    this.#x = x
    this.#upstream = upstream
    this.#env = env
    this.#ownsExchange = ownsExchange
  }

  /** The answer to a method with one. The same query with the same input is asked once for each operation. */
  call(method: MethodCall, input: unknown): Promise<unknown> {
    const messages = messagesOf(method, input)
    if (!method.isQuery || !(messages instanceof Uint8Array)) return this.#answer(method, messages)
    const key = `${method.method.path} ${Buffer.from(messages.buffer, messages.byteOffset, messages.length).toString('latin1')}`
    let answer = this.#asked.get(key)
    if (answer === undefined) {
      answer = this.#answer(method, messages)
      this.#asked.set(key, answer)
    }
    return answer
  }

  /** The answers of a method that streams them, as they are taken. */
  async subscribe(method: MethodCall, input: unknown): Promise<AsyncIterable<unknown>> {
    const answer = await this.#start(method, messagesOf(method, input))
    const { status } = answer
    if (status !== undefined && status.code !== 0) throw callError(status, method.registry)
    return this.#answers(method, answer)
  }

  /** The exchange that its calls are made for. */
  get exchange(): Exchange {
    return this.#x
  }

  /** How long the answers so far may be kept, when all of them may. */
  get cacheControl(): string | undefined {
    return joinedCacheControl(this.#cacheControls)
  }

  /** Ends all calls at once. */
  cancel(why: Fault): void {
    this.#cancelled ??= why
    for (const answer of this.#open) answer.cancel(why)
    this.#open.clear()
    // Calls that have no answer yet hear of it by their exchange.
    if (this.#ownsExchange) this.#x.leave(why)
  }

  async #answer(method: MethodCall, messages: Uint8Array | MessageSource): Promise<unknown> {
    const answer = await this.#start(method, messages)
    const { message, status, metadata } = await unaryEnd(answer)
    this.#open.delete(answer)
    this.#cacheControls.push(metadata.get('cache-control'))
    if (message === undefined) throw callError(status, method.registry)
    // All of them are held until the last has come.
    this.#heldBytes += message.length
    if (this.#heldBytes > this.#env.maxMessageBytes * maxHeldMessages)
      throw requestError('RESOURCE_EXHAUSTED', 'The answers to this operation are too large together.')
    return valueOf(method, message)
  }

  async *#answers(method: MethodCall, answer: GrpcAnswer): AsyncGenerator<unknown, void, void> {
    try {
      for (;;) {
        const pulled = answer.pull()
        const next = isPromise(pulled) ? await pulled : pulled
        if (next === END) break
        yield valueOf(method, next)
      }
      const status = answer.status!
      if (status.code !== 0) throw callError(status, method.registry)
    } finally {
      this.#open.delete(answer)
      answer.cancel(new Fault('cancelled', 'nobody subscribes any more'))
    }
  }

  async #start({ method, isQuery }: MethodCall, messages: Uint8Array | MessageSource): Promise<GrpcAnswer> {
    if (this.#cancelled !== undefined) throw faultError(this.#cancelled)
    const call = this.#call
    const x = this.#x
    const request = {
      path: method.path,
      metadata: toMetadata(call.headers),
      messages,
      deadlineAt: callDeadline(call, method, grpcTimeoutAt(x)),
    }
    try {
      const upstream = isQuery || method.streamsOut ? this.#upstream : once(this.#upstream)
      const answer = await startGrpcCall(upstream, call, x, request, this.#env)
      if (this.#cancelled === undefined) this.#open.add(answer)
      else answer.cancel(this.#cancelled)
      return answer
    } catch (thrown) {
      const fault = faultFrom(thrown)
      // The answer is 200 all the same: the log shall know better.
      x.fault ??= fault
      throw faultError(fault)
    }
  }
}

function valueOf(method: MethodCall, bytes: Uint8Array): unknown {
  try {
    const message = method.output.fromBytes(bytes)
    return method.read(reflect(method.output.desc, message, false))
  } catch (thrown) {
    throw faultError(faultFrom(thrown))
  }
}

/** The input of a field as the messages of its call. */
function messagesOf(method: MethodCall, input: unknown): Uint8Array | MessageSource {
  try {
    if (!method.method.streamsIn) return bytesOf(method, input)
    return new ListSource((input as unknown[]).map((one) => bytesOf(method, one)))
  } catch (thrown) {
    throw faultError(faultFrom(thrown))
  }
}

function bytesOf({ input: codec }: MethodCall, value: unknown): Uint8Array {
  // What nothing is said of is the empty message.
  if (value === undefined || value === null) return noBytes
  const isObject = messageShape(codec.desc).kind === 'object'
  const json = isObject ? inputJson(codec.desc, value as Record<string, unknown>) : (value as Json)
  return codec.bytesOf(codec.fromJson(json))
}

const noBytes = new Uint8Array()

class ListSource implements MessageSource {
  readonly #messages: readonly Uint8Array[]
  #next = 0

  constructor(messages: readonly Uint8Array[]) {
    this.#messages = messages
  }

  pull(): Uint8Array | End {
    return this.#next < this.#messages.length ? this.#messages[this.#next++] : END
  }

  cancel(): void {
    this.#next = this.#messages.length
  }
}

/** A service that gets each call once: a mutation is never sent again, whatever the service's retries say. */
function once(upstream: Service): Service {
  return (call, x) => upstream({ ...call, body: new SentOnce(call.body) }, x)
}

class SentOnce extends StreamBody {
  readonly #body: Call['body']

  constructor(body: Call['body']) {
    super(body.size)
    this.#body = body
  }

  trailers(): undefined {
    return undefined
  }

  override replay(): undefined {
    return undefined
  }

  protected read(): ReturnType<Call['body']['pull']> {
    return this.#body.pull()
  }

  protected stop(why: Fault): void {
    this.#body.cancel(why)
  }
}
