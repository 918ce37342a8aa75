import type { Answer } from '../../core/answer.ts'
import type { Exchange } from '../../core/exchange.ts'
import type { MaybePromise } from '../../core/handler.ts'
import { isPromise } from '../../core/handler.ts'
import { H } from '../../core/header-names.ts'
import type { Problem, ProblemRenderer } from '../../core/problem.ts'
import type { Call, Service } from '../../core/service.ts'
import type { Bridge, BridgeEnv } from '../bridge.ts'
import type { GrpcMethod } from '../descriptors/descriptors.ts'
import { knownDescriptors } from '../descriptors/live-descriptors.ts'
import { callDeadline, grpcTimeoutAt } from '../grpc/call-deadline.ts'
import { FrameSource, onlyMessage } from '../grpc/frame-source.ts'
import { startGrpcCall } from '../grpc/grpc-call.ts'
import type { MessageSource } from '../grpc/message-source.ts'
import { G, toMetadata } from '../grpc/metadata.ts'
import { methodOfTarget } from '../grpc/method-path.ts'
import { webAnswer, webProblem } from './answer.ts'
import { Base64Body } from './base64-body.ts'
import type { WebForm } from './content-type.ts'
import { webFormOf } from './content-type.ts'

const noMethod: Problem = { name: 'no-route', detail: 'There is no such method.' }
const wrongEncoding: Problem = { name: 'not-implemented', detail: 'Messages may be compressed by gzip only.' }

/**
 * gRPC-Web, binary and text: gRPC over what browsers can do, trailers in a frame of their own. Messages pass as they are;
 * only methods that the descriptors know are called.
 */
export function createGrpcWebBridge(env: BridgeEnv): Bridge {
  return new GrpcWebBridge(env)
}

class GrpcWebBridge implements Bridge {
  readonly #env: BridgeEnv

  constructor(env: BridgeEnv) {
    this.#env = env
  }

  claims({ method, headers }: Call): boolean {
    return method === 'POST' && webFormOf(headers.first(H.contentType)) !== undefined
  }

  renderer(x: Exchange): ProblemRenderer | undefined {
    const form = x.method === 'POST' ? webFormOf(x.headers.first(H.contentType)) : undefined
    return form === undefined ? undefined : (problem) => webProblem(problem, form)
  }

  answer(call: Call, x: Exchange, upstream: Service): MaybePromise<Answer> {
    const { maxMessageBytes } = this.#env
    const form = webFormOf(call.headers.first(H.contentType))!
    const method = methodOfTarget(call.target, knownDescriptors(this.#env.descriptors))
    if (method === undefined) return x.renderProblem(noMethod, x)
    const encoding = call.headers.first(G.grpcEncoding)
    if (encoding !== undefined && encoding !== 'gzip' && encoding !== 'identity') return x.renderProblem(wrongEncoding, x)
    const body = form.isText ? new Base64Body(call.body) : call.body
    const source = new FrameSource(body, maxMessageBytes, encoding === 'gzip')
    if (method.streamsIn) return this.#call(call, x, upstream, method, source, form)
    return onlyMessage(source).then((message) => this.#call(call, x, upstream, method, message, form))
  }

  #call(
    call: Call,
    x: Exchange,
    upstream: Service,
    method: GrpcMethod,
    messages: Uint8Array | MessageSource,
    form: WebForm,
  ): MaybePromise<Answer> {
    const deadlineAt = callDeadline(call, method, grpcTimeoutAt(x))
    const request = { path: method.path, metadata: toMetadata(call.headers), messages, deadlineAt }
    const answer = startGrpcCall(upstream, call, x, request, this.#env)
    return isPromise(answer) ? answer.then((started) => webAnswer(started, form)) : webAnswer(answer, form)
  }
}
