import { OperationTypeNode, validateSchema } from 'graphql'
import type { GraphQLSchema } from 'graphql'
import type { Answer } from '../../core/answer.ts'
import { emptyBody } from '../../core/body.ts'
import { derivedExchange } from '../../core/derived-exchange.ts'
import type { Exchange } from '../../core/exchange.ts'
import { isPromise } from '../../core/handler.ts'
import type { Problem, ProblemRenderer } from '../../core/problem.ts'
import type { Call, Service } from '../../core/service.ts'
import type { Bridge, BridgeEnv } from '../bridge.ts'
import type { Descriptors } from '../descriptors/descriptors.ts'
import { knownDescriptors, planned } from '../descriptors/live-descriptors.ts'
import { acceptWebSocket, closeCodeOf } from '../web-socket/accept-web-socket.ts'
import { handshakeProblem, isWebSocket, offeredProtocols } from '../web-socket/handshake.ts'
import type { Admission } from './admission.ts'
import { admit } from './admission.ts'
import { readAccept } from './accept.ts'
import type { Accepted, ResponseType } from './accept.ts'
import { costHeader, eventAnswer, graphqlProblem, responseAnswer, statusCodes } from './answer.ts'
import type { GraphqlResponse, StatusCodes } from './answer.ts'
import { Documents } from './documents.ts'
import type { Refused } from './documents.ts'
import { shownErrors } from './errors.ts'
import { EventStream } from './event-stream.ts'
import { byPostOnly, readHttp } from './http-request.ts'
import { Operation } from './operation.ts'
import type { GraphqlOptions } from './options.ts'
import type { GraphqlRequest } from './request.ts'
import { executed, oneResponse, responsesTo } from './responses.ts'
import { buildGraphqlSchema } from './schema.ts'
import type { Prepared } from './socket-session.ts'
import { runSocketSession, socketProtocol } from './socket-session.ts'

const notAcceptable: Problem = {
  name: 'not-acceptable',
  detail: 'An answer is application/graphql-response+json or application/json; that to a subscription is text/event-stream.',
}
/** GraphQL over HTTP: a schema of all methods of the service, made of the descriptors as they stand. */
export function createGraphqlBridge(env: BridgeEnv, options: GraphqlOptions): Bridge {
  return new GraphqlBridge(env, options)
}

class GraphqlBridge implements Bridge {
  readonly #env: BridgeEnv
  readonly #options: GraphqlOptions
  readonly #usual: ResponseType
  readonly #codes: StatusCodes
  readonly #built: (descriptors: Descriptors) => { readonly schema: GraphQLSchema; readonly documents: Documents }

  constructor(env: BridgeEnv, options: GraphqlOptions) {
    this.#env = env
    this.#options = options
    this.#usual = options.statusCodes === '2025' ? 'application/json' : 'application/graphql-response+json'
    this.#codes = statusCodes[options.statusCodes]
    this.#built = planned((descriptors) => {
      const { schema } = buildGraphqlSchema(descriptors, options)
      // Its outcome is kept with the schema; otherwise the first request would wait for it.
      validateSchema(schema)
      return { schema, documents: new Documents(schema, options) }
    })
    if (env.descriptors.current !== undefined) this.#built(env.descriptors.current)
  }

  claims(call: Call): boolean {
    if (!this.#options.takesAll && !isGraphqlPath(call.target)) return false
    return !isWebSocket(call) || offeredProtocols(call).includes(socketProtocol)
  }

  renderer(x: Exchange): ProblemRenderer | undefined {
    return this.#options.takesAll || isGraphqlPath(x.path) ? this.#render : undefined
  }

  async answer(call: Call, x: Exchange, upstream: Service): Promise<Answer> {
    x.renderProblem = this.#render
    const descriptors = knownDescriptors(this.#env.descriptors)
    if (isWebSocket(call)) return this.#socket(call, x, upstream)
    const read = readHttp(call, x, this.#options.limits.bytes)
    const http = isPromise(read) ? await read : read
    if (!('request' in http)) return x.renderProblem(http, x)
    const prepared = this.#prepare(new Operation(call, x, upstream, this.#env), descriptors, http.request)
    if ('errors' in prepared) return this.#refuse({ errors: shownErrors(prepared.errors, this.#env.log) }, x)
    if (call.method !== 'POST' && prepared.type === OperationTypeNode.MUTATION) return x.renderProblem(byPostOnly, x)
    const answer = await this.#run(x, prepared)
    answer.headers.set(costHeader, String(prepared.cost))
    return answer
  }

  /** What a request asks for, judged: nothing has been executed yet. */
  #prepare(
    operation: Operation,
    descriptors: Descriptors,
    { query, documentId, operationName, variables }: GraphqlRequest,
  ): Judged | Refused {
    const { schema, documents } = this.#built(descriptors)
    const checked = documents.check({ query, documentId, operationName, variables })
    if ('errors' in checked) return checked
    const hideSuggestions = !this.#options.introspection
    const { document, cost } = checked
    return {
      args: { schema, document, operationName, variableValues: variables, contextValue: operation, hideSuggestions },
      operation,
      cost,
      type: checked.operation.operation,
    }
  }

  /** A connection for any number of operations; each has as long as a request of its own would have. */
  #socket(call: Call, x: Exchange, upstream: Service): Answer {
    const wrong = handshakeProblem(call)
    if (wrong !== undefined) return x.renderProblem(wrong, x)
    const { descriptors, clock, sweeper, log } = this.#env
    const waitMs = call.headBy - clock.monotonic()
    return acceptWebSocket(call, {
      protocol: socketProtocol,
      maxMessageBytes: this.#options.limits.bytes,
      clock,
      sweeper,
      run: (socket) => {
        const prepare = (request: GraphqlRequest): Prepared | Refused => {
          const startedMono = clock.monotonic()
          const own = derivedExchange(x, { body: emptyBody, startedAt: clock.now(), startedMono })
          const headers = call.renew?.(own) ?? call.headers
          const ownCall: Call = { ...call, method: 'POST', headers, upgrade: undefined, headBy: startedMono + waitMs }
          return this.#prepare(new Operation(ownCall, own, upstream, this.#env, true), knownDescriptors(descriptors), request)
        }
        const admitted = ({ operation, cost }: Prepared): Promise<Admission> => admit(operation.exchange, cost, clock, log)
        runSocketSession({ socket, clock, log, prepare, admit: admitted })
      },
      // Clients of graphql-ws come again after 4403, with a fresh credential; 4401 is the end for them.
      hangUp: (socket, why) => socket.close(why === 'caller-over' ? 4403 : closeCodeOf(why)),
    })
  }

  async #run(x: Exchange, { args, operation, type }: Judged): Promise<Answer> {
    const { single, events } = this.#accepted(x)
    const { clock, log } = this.#env
    const isSubscription = type === OperationTypeNode.SUBSCRIPTION
    if (single !== undefined && !isSubscription) {
      const response = await executed(args, log)
      const answer = responseAnswer(response, single, this.#codes)
      const { cacheControl } = operation
      if (response.errors === undefined && cacheControl !== undefined) answer.headers.set('cache-control', cacheControl)
      return answer
    }
    if (!events) return x.renderProblem(notAcceptable, x)
    return eventAnswer(new EventStream(responsesTo(args, operation, isSubscription, log), clock))
  }

  /** Nothing is executed. Those who take events alone are told by one. */
  #refuse(response: GraphqlResponse, x: Exchange): Answer {
    const { single, events } = this.#accepted(x)
    if (single !== undefined) return responseAnswer(response, single, this.#codes)
    if (!events) return x.renderProblem(notAcceptable, x)
    return eventAnswer(new EventStream(oneResponse(response), this.#env.clock))
  }

  readonly #render: ProblemRenderer = (problem, x) => graphqlProblem(problem, x.id, this.#accepted(x).single ?? 'application/json')

  #accepted(x: Exchange): Accepted {
    return readAccept(x.headers.get('accept'), this.#usual)
  }
}

interface Judged extends Prepared {
  readonly type: OperationTypeNode
}

function isGraphqlPath(target: string): boolean {
  const question = target.indexOf('?')
  return (question === -1 ? target : target.slice(0, question)).endsWith('/graphql')
}
