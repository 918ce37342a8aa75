import type { Answer } from '../../core/answer.ts'
import type { Exchange } from '../../core/exchange.ts'
import type { MaybePromise } from '../../core/handler.ts'
import type { Problem } from '../../core/problem.ts'
import type { Call, Service } from '../../core/service.ts'
import type { Bridge, BridgeEnv } from '../bridge.ts'
import type { Descriptors } from '../descriptors/descriptors.ts'
import { knownDescriptors, planned } from '../descriptors/live-descriptors.ts'
import { compileRules } from '../grpc-json/rules.ts'
import type { JsonOptions } from '../json/message-codec.ts'
import { methodCodecs } from '../json/method-codecs.ts'
import { acceptWebSocket } from '../web-socket/accept-web-socket.ts'
import { handshakeProblem, isWebSocket, offeredProtocols } from '../web-socket/handshake.ts'
import { calledMethod } from './called-method.ts'
import { jsonForm, protoForm } from './form.ts'
import { WebSocketCall } from './web-socket-call.ts'

const jsonProtocol = 'velum.grpc.json.v1'
const protoProtocol = 'velum.grpc.proto.v1'
const noMethod: Problem = { name: 'no-route', detail: 'There is no such method.' }
const noProtocol: Problem = { name: 'malformed', detail: `The subprotocol must be ${jsonProtocol} or ${protoProtocol}.` }

/**
 * WebSocket: one connection is one call of a method of any kind, its frames are the messages. `velum.grpc.json.v1`, which
 * also stands for a client that offers no subprotocol, has JSON in text frames, `velum.grpc.proto.v1` binary ones. Whatever
 * can be refused is refused before the 101.
 */
export function createWebsocketBridge(env: BridgeEnv, options: JsonOptions): Bridge {
  return new WebsocketBridge(env, options)
}

class WebsocketBridge implements Bridge {
  readonly #env: BridgeEnv
  readonly #ignoresUnknown: boolean
  readonly #rules: (descriptors: Descriptors) => ReturnType<typeof compileRules>
  readonly #codecs: ReturnType<typeof methodCodecs>

  constructor(env: BridgeEnv, options: JsonOptions) {
    this.#env = env
    this.#ignoresUnknown = options.unknownFields === 'ignore'
    this.#rules = planned((descriptors) => compileRules(descriptors, options))
    this.#codecs = methodCodecs(options)
  }

  claims(call: Call): boolean {
    return isWebSocket(call)
  }

  answer(call: Call, x: Exchange, upstream: Service): MaybePromise<Answer> {
    const env = this.#env
    const descriptors = knownDescriptors(env.descriptors)
    const called = calledMethod(call.target, descriptors, this.#rules(descriptors).tree, this.#ignoresUnknown)
    if (called === undefined) return x.renderProblem(noMethod, x)
    const wrong = handshakeProblem(call)
    if (wrong !== undefined) return x.renderProblem(wrong, x)
    const offered = offeredProtocols(call)
    const protocol = offered.find((name) => name === jsonProtocol || name === protoProtocol)
    if (protocol === undefined && offered.length > 0) return x.renderProblem(noProtocol, x)
    const form = protocol === protoProtocol ? protoForm : jsonForm(this.#codecs(called.method, descriptors))
    const { maxMessageBytes, clock, sweeper } = env
    let running: WebSocketCall | undefined
    return acceptWebSocket(call, {
      protocol,
      maxMessageBytes,
      clock,
      sweeper,
      run(socket, connection) {
        running = new WebSocketCall(socket, connection, { call, x, upstream, called, form, descriptors, env })
      },
      hangUp: (_socket, why) => running?.hangUp(why),
    })
  }
}
