import type { Answer } from '../../core/answer.ts'
import type { End } from '../../core/body.ts'
import { END, readAll } from '../../core/body.ts'
import type { Exchange } from '../../core/exchange.ts'
import { Fault } from '../../core/fault.ts'
import type { MaybePromise } from '../../core/handler.ts'
import { isPromise } from '../../core/handler.ts'
import { H } from '../../core/header-names.ts'
import { headerBlock } from '../../core/headers.ts'
import type { Problem, ProblemRenderer } from '../../core/problem.ts'
import type { Call, Service } from '../../core/service.ts'
import type { Bridge, BridgeEnv } from '../bridge.ts'
import type { Descriptors, GrpcMethod } from '../descriptors/descriptors.ts'
import { knownDescriptors } from '../descriptors/live-descriptors.ts'
import { callDeadline } from '../grpc/call-deadline.ts'
import { FrameSource, onlyMessage } from '../grpc/frame-source.ts'
import { tooLarge } from '../grpc/frames.ts'
import type { GrpcAnswer } from '../grpc/grpc-call.ts'
import { startGrpcCall, unaryEnd } from '../grpc/grpc-call.ts'
import { gunzipped } from '../grpc/message-bytes.ts'
import type { MessageSource } from '../grpc/message-source.ts'
import { toMetadata } from '../grpc/metadata.ts'
import { methodOfTarget } from '../grpc/method-path.ts'
import type { JsonOptions } from '../json/message-codec.ts'
import { methodCodecs } from '../json/method-codecs.ts'
import type { Encode } from './answer.ts'
import { connectProblem, streamAnswer, unaryAnswer } from './answer.ts'
import type { ConnectForm } from './content-type.ts'
import { C, connectFormOf } from './content-type.ts'
import { readGetMessage } from './get-message.ts'

const noMethod: Problem = { name: 'no-route', detail: 'There is no such method.' }
const wrongEncoding: Problem = { name: 'not-implemented', detail: 'Messages may be compressed by gzip only.' }
const wrongVersion: Problem = { name: 'malformed', detail: 'The protocol version must be 1.' }
const wrongTimeout: Problem = { name: 'malformed', detail: 'connect-timeout-ms must be a whole number of up to ten digits.' }
const streams: Problem = { name: 'unsupported-type', detail: 'The method streams: application/connect+json or +proto.' }
const streamsNot: Problem = {
  name: 'unsupported-type',
  detail: 'The method does not stream: application/json or application/proto.',
}
const mayChange: Problem = {
  name: 'method-not-allowed',
  detail: 'The method may change something, so that only POST may call it.',
  headers: headerBlock([['allow', 'POST']]),
}

/**
 * The Connect protocol: calls of one message as plain HTTP, by GET where the method has no side effects, and streams in
 * frames. Messages in JSON are translated, others pass as they are; only methods that the descriptors know are called.
 */
export function createConnectBridge(env: BridgeEnv, options: JsonOptions): Bridge {
  return new ConnectBridge(env, options)
}

class ConnectBridge implements Bridge {
  readonly #env: BridgeEnv
  readonly #codecs: ReturnType<typeof methodCodecs>

  constructor(env: BridgeEnv, options: JsonOptions) {
    this.#env = env
    this.#codecs = methodCodecs(options)
  }

  claims({ method, target, headers }: Call): boolean {
    return connectFormOf(method, target, headers, this.#env.descriptors.current) !== undefined
  }

  renderer(x: Exchange): ProblemRenderer | undefined {
    const target = x.query === undefined ? x.path : `${x.path}?${x.query}`
    const form = connectFormOf(x.method, target, x.headers, this.#env.descriptors.current)
    return form === undefined ? undefined : (problem) => connectProblem(problem, form)
  }

  answer(call: Call, x: Exchange, upstream: Service): MaybePromise<Answer> {
    const { descriptors } = this.#env
    const form = connectFormOf(call.method, call.target, call.headers, descriptors.current)!
    // A rewritten path may tell what the caller's own did not.
    x.renderProblem = (problem) => connectProblem(problem, form)
    const known = knownDescriptors(descriptors)
    const method = methodOfTarget(call.target, known)
    const wrong = method === undefined ? noMethod : unfit(call, method, form)
    if (wrong !== undefined) return x.renderProblem(wrong, x)
    const callersMs = timeoutOf(call)
    if (callersMs === undefined) return x.renderProblem(wrongTimeout, x)
    const started: Started = { call, x, upstream, method: method!, form, known, callersAt: x.startedMono + callersMs }
    return form.isStream ? this.#stream(started) : this.#unary(started)
  }

  #stream(started: Started): MaybePromise<Answer> {
    const { call, x, method, form, known } = started
    const encoding = call.headers.first(C.contentEncoding)
    if (!isReadable(encoding)) return x.renderProblem(wrongEncoding, x)
    const frames = new FrameSource(call.body, this.#env.maxMessageBytes, encoding === 'gzip')
    const source = form.isJson ? new JsonSource(frames, (text) => this.#codecs(method, known).input.toBytes(text)) : frames
    const send = (messages: Uint8Array | MessageSource): MaybePromise<Answer> => {
      const answer = this.#call(started, messages)
      const respond = (head: GrpcAnswer): Answer => streamAnswer(head, form, this.#encode(started), known.registry)
      return isPromise(answer) ? answer.then(respond) : respond(answer)
    }
    return method.streamsIn ? send(source) : onlyMessage(source).then(send)
  }

  #unary(started: Started): MaybePromise<Answer> {
    const { call, x, form } = started
    const { maxMessageBytes } = this.#env
    if (form.isGet) {
      const { bytes, encoding, compression } = readGetMessage(call.target.slice(call.target.indexOf('?') + 1))
      if (encoding !== (form.isJson ? 'json' : 'proto') || !isReadable(compression)) return x.renderProblem(wrongEncoding, x)
      if (bytes.length > maxMessageBytes) throw tooLarge(maxMessageBytes)
      return this.#decompressed(started, bytes, compression)
    }
    const encoding = call.headers.first(H.contentEncoding)
    if (!isReadable(encoding)) return x.renderProblem(wrongEncoding, x)
    const { bytes } = call.body
    if (bytes !== undefined && bytes.length <= maxMessageBytes) return this.#decompressed(started, bytes, encoding)
    return readAll(call.body, maxMessageBytes).then((all) => this.#decompressed(started, all, encoding))
  }

  #decompressed(started: Started, bytes: Buffer, encoding: string | undefined): MaybePromise<Answer> {
    if (encoding !== 'gzip' || bytes.length === 0) return this.#whole(started, bytes)
    const plain = gunzipped(bytes, this.#env.maxMessageBytes, notGzip)
    return isPromise(plain) ? plain.then((read) => this.#whole(started, read)) : this.#whole(started, plain)
  }

  #whole(started: Started, content: Buffer): MaybePromise<Answer> {
    const { form, method, known } = started
    const message = form.isJson ? this.#codecs(method, known).input.toBytes(content) : content
    const answer = this.#call(started, message)
    return isPromise(answer) ? answer.then((head) => this.#unaryEnd(started, head)) : this.#unaryEnd(started, answer)
  }

  async #unaryEnd(started: Started, head: GrpcAnswer): Promise<Answer> {
    return unaryAnswer(await unaryEnd(head), started.form, this.#encode(started), started.known.registry)
  }

  #call({ call, x, upstream, method, callersAt }: Started, messages: Uint8Array | MessageSource): MaybePromise<GrpcAnswer> {
    const deadlineAt = callDeadline(call, method, callersAt)
    const request = { path: method.path, metadata: toMetadata(call.headers), messages, deadlineAt }
    return startGrpcCall(upstream, call, x, request, this.#env)
  }

  #encode({ form, method, known }: Started): Encode {
    if (!form.isJson) return asItIs
    const { output } = this.#codecs(method, known)
    return (message) => Buffer.from(output.toText(message))
  }
}

/** A call whose head was found in order. */
interface Started {
  readonly call: Call
  readonly x: Exchange
  readonly upstream: Service
  readonly method: GrpcMethod
  readonly form: ConnectForm
  readonly known: Descriptors
  readonly callersAt: number
}

const asItIs: Encode = (message) => message
const notGzip = (): Fault => new Fault('malformed', 'the content cannot be decompressed')

function unfit({ headers }: Call, method: GrpcMethod, form: ConnectForm): Problem | undefined {
  const version = headers.first(C.protocolVersion)
  if (version !== undefined && version !== '1') return wrongVersion
  if (form.isStream !== (method.streamsIn || method.streamsOut)) return form.isStream ? streamsNot : streams
  return form.isGet && !method.isSideEffectFree ? mayChange : undefined
}

/** The caller's patience in milliseconds, Infinity when it is not said; undefined when it cannot be read. */
function timeoutOf({ headers }: Call): number | undefined {
  const text = headers.first(C.timeout)
  if (text === undefined) return Infinity
  return /^\d{1,10}$/.test(text) ? Number(text) : undefined
}

function isReadable(encoding: string | undefined): boolean {
  return encoding === undefined || encoding === 'identity' || encoding === 'gzip'
}

/** Messages that come as JSON. */
class JsonSource implements MessageSource {
  readonly #texts: FrameSource
  readonly #toBytes: (text: Buffer) => Uint8Array

  constructor(texts: FrameSource, toBytes: (text: Buffer) => Uint8Array) {
    this.#texts = texts
    this.#toBytes = toBytes
  }

  pull(): MaybePromise<Uint8Array | End> {
    const text = this.#texts.pull()
    return isPromise(text) ? text.then(this.#read) : this.#read(text)
  }

  cancel(why: Fault): void {
    this.#texts.cancel(why)
  }

  readonly #read = (text: Buffer | End): Uint8Array | End => (text === END ? END : this.#toBytes(text))
}
