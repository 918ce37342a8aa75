import type { Answer } from '../../core/answer.ts'
import { Answer as HttpAnswer } from '../../core/answer.ts'
import type { End } from '../../core/body.ts'
import { END, readAll } from '../../core/body.ts'
import type { Exchange } from '../../core/exchange.ts'
import { Fault } from '../../core/fault.ts'
import type { MaybePromise } from '../../core/handler.ts'
import { isPromise } from '../../core/handler.ts'
import { H } from '../../core/header-names.ts'
import { headerBlock } from '../../core/headers.ts'
import type { Problem } from '../../core/problem.ts'
import type { Call, Service } from '../../core/service.ts'
import { mediaTypeOf } from '../../lib/media-type.ts'
import type { Bridge, BridgeEnv } from '../bridge.ts'
import type { Descriptors } from '../descriptors/descriptors.ts'
import { knownDescriptors, planned } from '../descriptors/live-descriptors.ts'
import type { GrpcAnswer } from '../grpc/grpc-call.ts'
import { startGrpcCall, unaryEnd } from '../grpc/grpc-call.ts'
import type { GrpcStatus } from '../grpc/grpc-status.ts'
import { fromMetadata, toMetadata } from '../grpc/metadata.ts'
import type { MessageSource } from '../grpc/message-source.ts'
import { callDeadline } from '../grpc/call-deadline.ts'
import { statusJson } from '../grpc/status-json.ts'
import type { JsonOptions } from '../json/message-codec.ts'
import { parseJsonBytes } from '../json/message-codec.ts'
import { AnswerStream } from './answer-stream.ts'
import type { Binding } from './binding.ts'
import { ContentValues } from './content-values.ts'
import { joinedMessage, requestMessage } from './request-message.ts'
import type { RuleHit } from './rule-tree.ts'
import { compileRules } from './rules.ts'
import { statusAnswer } from './status-answer.ts'
import type { StreamForm } from './stream-form.ts'
import { acceptedForm, eventForm } from './stream-form.ts'
import { rawStream } from './raw-stream.ts'
import { messageAnswer } from './unary-answer.ts'

const noRule: Problem = { name: 'no-route' }
const notAcceptable: Problem = {
  name: 'not-acceptable',
  detail: 'A stream is sent as text/event-stream, application/x-ndjson or application/json.',
}
const twoWays: Problem = {
  name: 'not-implemented',
  detail: 'Both sides stream here: call this method over WebSocket, gRPC or Connect.',
}
const notJson: Problem = {
  name: 'unsupported-type',
  detail: 'The content must be application/json; a stream may be application/x-ndjson.',
}

/**
 * REST: requests matched against the `google.api.http` rules of the service, their JSON, query and path made messages,
 * and answers made JSON. Claims whatever no other bridge did.
 */
export function createRestBridge(env: BridgeEnv, options: JsonOptions): Bridge {
  return new RestBridge(env, options)
}

class RestBridge implements Bridge {
  readonly #env: BridgeEnv
  readonly #ignoresUnknown: boolean
  readonly #rules: (descriptors: Descriptors) => ReturnType<typeof compileRules>

  constructor(env: BridgeEnv, options: JsonOptions) {
    this.#env = env
    this.#ignoresUnknown = options.unknownFields === 'ignore'
    this.#rules = planned((descriptors) => compileRules(descriptors, options))
  }

  claims(): boolean {
    return true
  }

  answer(call: Call, x: Exchange, upstream: Service): MaybePromise<Answer> {
    const descriptors = knownDescriptors(this.#env.descriptors)
    const question = call.target.indexOf('?')
    const path = question === -1 ? call.target : call.target.slice(0, question)
    const query = question === -1 ? undefined : call.target.slice(question + 1)
    const hit = this.#rules(descriptors).tree.match(call.method, path)
    if (hit === undefined) return x.renderProblem(noRule, x)
    if ('allowed' in hit) {
      const allow = headerBlock([['allow', hit.allowed.filter((method) => method !== '*').join(', ')]])
      return x.renderProblem({ name: 'method-not-allowed', headers: allow }, x)
    }
    return this.#call(call, x, upstream, hit, query, descriptors)
  }

  #call(
    call: Call,
    x: Exchange,
    upstream: Service,
    hit: RuleHit<Binding>,
    query: string | undefined,
    descriptors: Descriptors,
  ): MaybePromise<Answer> {
    const { method, body, isRawBody } = hit.value
    if (method.streamsIn && method.streamsOut) return x.renderProblem(twoWays, x)
    const form = method.streamsOut ? acceptedForm(call.headers.first(H.accept)) : eventForm
    if (form === undefined) return x.renderProblem(notAcceptable, x)
    const type = call.headers.first(H.contentType)
    if (body !== undefined && !isRawBody && type !== undefined && !isJsonType(type, method.streamsIn))
      return x.renderProblem(notJson, x)
    if (call.headers.first(H.contentEncoding) !== undefined && body !== undefined) {
      return x.renderProblem({ name: 'unsupported-type', detail: 'The content must not be compressed.' }, x)
    }
    const send = (messages: Uint8Array | MessageSource): MaybePromise<Answer> => {
      const deadlineAt = callDeadline(call, method)
      const answer = startGrpcCall(
        upstream,
        call,
        x,
        { path: method.path, metadata: toMetadata(call.headers), messages, deadlineAt },
        this.#env,
      )
      const respond = (started: GrpcAnswer): MaybePromise<Answer> =>
        method.streamsOut ? this.#stream(started, hit.value, form, descriptors) : this.#unary(started, hit.value, descriptors)
      return isPromise(answer) ? answer.then(respond) : respond(answer)
    }
    if (method.streamsIn) return send(this.#source(call, hit, query))
    if (body === undefined) return send(this.#bytes(hit, query, undefined))
    if (call.body.bytes !== undefined && call.body.bytes.length <= this.#env.maxMessageBytes) {
      return send(this.#bytes(hit, query, { bytes: call.body.bytes, type }))
    }
    return readAll(call.body, this.#env.maxMessageBytes).then((bytes) => send(this.#bytes(hit, query, { bytes, type })))
  }

  #bytes(hit: RuleHit<Binding>, query: string | undefined, content: Parameters<typeof requestMessage>[3]): Uint8Array {
    const { value: binding, variables } = hit
    return binding.input.bytesOf(requestMessage(binding, variables, query, content, this.#ignoresUnknown))
  }

  /** The messages of a content that streams: each value for itself, with what path and query say in every one. */
  #source(call: Call, { value: binding, variables }: RuleHit<Binding>, query: string | undefined): MessageSource {
    const values = new ContentValues(call.body, this.#env.maxMessageBytes)
    let number = 0
    const message = (text: Buffer | End): Uint8Array | End => {
      if (text === END) return END
      number++
      try {
        return binding.input.bytesOf(joinedMessage(binding, variables, query, parseJsonBytes(text), this.#ignoresUnknown))
      } catch (thrown) {
        if (!(thrown instanceof Fault)) throw thrown
        throw new Fault(thrown.code, `message ${number}: ${thrown.message}`)
      }
    }
    return {
      pull() {
        const text = values.pull()
        return isPromise(text) ? text.then(message) : message(text)
      },
      cancel: (why) => values.cancel(why),
    }
  }

  async #unary(started: GrpcAnswer, binding: Binding, { registry }: Descriptors): Promise<Answer> {
    const { message, status, metadata } = await unaryEnd(started)
    if (status.fault !== undefined) throw status.fault
    const headers = fromMetadata(metadata)
    return message === undefined ? statusAnswer(status, registry, headers) : messageAnswer(binding, message, headers)
  }

  #stream(started: GrpcAnswer, binding: Binding, form: StreamForm, { registry }: Descriptors): MaybePromise<Answer> {
    const { status } = started
    const headers = fromMetadata(started.metadata)
    if (status?.fault !== undefined) throw status.fault
    if (status !== undefined && status.code !== 0) return statusAnswer(status, registry, headers)
    if (binding.isRawAnswer) return rawStream(started, binding, headers, registry)
    headers.set('content-type', form.type)
    if (form === eventForm) headers.set('cache-control', 'no-cache')
    const statusText = (failed: GrpcStatus): string => JSON.stringify(statusJson(failed, registry))
    const toText = (message: Buffer): string => binding.output.toText(message)
    return new HttpAnswer(200, headers, new AnswerStream({ answer: started, form, toText, statusText, clock: this.#env.clock }))
  }
}

function isJsonType(type: string, isStream: boolean): boolean {
  const media = mediaTypeOf(type)
  if (media === 'application/json' || media.endsWith('+json')) return true
  return isStream && (media === 'application/x-ndjson' || media === 'application/ndjson' || media === 'application/jsonl')
}
