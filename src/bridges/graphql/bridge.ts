import type { ExecutionArgs, GraphQLSchema } from 'graphql'
import type { Answer } from '../../core/answer.ts'
import { readAll } from '../../core/body.ts'
import type { Exchange } from '../../core/exchange.ts'
import type { MaybePromise } from '../../core/handler.ts'
import { H } from '../../core/header-names.ts'
import { headerBlock } from '../../core/headers.ts'
import type { Problem, ProblemRenderer } from '../../core/problem.ts'
import type { Call, Service } from '../../core/service.ts'
import type { Bridge, BridgeEnv } from '../bridge.ts'
import type { Descriptors } from '../descriptors/descriptors.ts'
import { knownDescriptors, planned } from '../descriptors/live-descriptors.ts'
import { isJsonRequest, readAccept } from './accept.ts'
import type { Accepted, ResponseType } from './accept.ts'
import { eventAnswer, graphqlProblem, responseAnswer, statusCodes } from './answer.ts'
import type { GraphqlResponse, StatusCodes } from './answer.ts'
import { Documents } from './documents.ts'
import { shownErrors } from './errors.ts'
import { EventStream } from './event-stream.ts'
import { Operation } from './operation.ts'
import type { GraphqlOptions } from './options.ts'
import type { GraphqlRequest } from './request.ts'
import { readGot, readPosted } from './request.ts'
import { executed, oneResponse, responsesTo } from './responses.ts'
import { buildGraphqlSchema } from './schema.ts'

const notJson: Problem = { name: 'unsupported-type', detail: 'The content must be application/json in UTF-8.' }
const compressed: Problem = { name: 'unsupported-type', detail: 'The content must not be compressed.' }
const notAcceptable: Problem = {
  name: 'not-acceptable',
  detail: 'An answer is application/graphql-response+json or application/json; that to a subscription is text/event-stream.',
}
const noQuery: Problem = { name: 'malformed', detail: 'There is no query.' }
const otherMethod: Problem = {
  name: 'method-not-allowed',
  detail: 'Operations come by POST; all but mutations by GET too.',
  headers: headerBlock([['allow', 'GET, HEAD, POST']]),
}
const byPostOnly: Problem = {
  name: 'method-not-allowed',
  detail: 'Mutations come by POST.',
  headers: headerBlock([['allow', 'POST']]),
}

/** Tells what an operation cost, which a limit can take as its own: `cost: { settle: 'response-header:x-graphql-cost' }`. */
const costHeader = 'x-graphql-cost'

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
      return { schema, documents: new Documents(schema, options) }
    })
  }

  claims({ target }: Call): boolean {
    return this.#options.takesAll || isGraphqlPath(target)
  }

  renderer(x: Exchange): ProblemRenderer | undefined {
    return this.#options.takesAll || isGraphqlPath(x.path) ? this.#render : undefined
  }

  async answer(call: Call, x: Exchange, upstream: Service): Promise<Answer> {
    x.renderProblem = this.#render
    const descriptors = knownDescriptors(this.#env.descriptors)
    const read = this.#read(call, x)
    const request = 'status' in read ? read : await read
    if ('status' in request) return request
    if (request.query === undefined && request.documentId === undefined) return x.renderProblem(noQuery, x)
    const { schema, documents } = this.#built(descriptors)
    const checked = documents.check(request)
    if ('errors' in checked) return this.#refuse({ errors: shownErrors(checked.errors, this.#env.log) }, x)
    const { document, operation, cost } = checked
    if (call.method !== 'POST' && operation.operation === 'mutation') return x.renderProblem(byPostOnly, x)
    const context = new Operation(call, x, upstream, this.#env)
    const answer = await this.#run(x, context, operation.operation === 'subscription', {
      schema,
      document,
      operationName: request.operationName,
      variableValues: request.variables,
      contextValue: context,
      hideSuggestions: !this.#options.introspection,
    })
    answer.headers.set(costHeader, String(cost))
    return answer
  }

  async #run(x: Exchange, operation: Operation, isSubscription: boolean, args: ExecutionArgs): Promise<Answer> {
    const { single, events } = this.#accepted(x)
    const { clock, log } = this.#env
    if (single !== undefined && !isSubscription) return responseAnswer(await executed(args, log), single, this.#codes)
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

  #read(call: Call, x: Exchange): Answer | MaybePromise<GraphqlRequest> {
    const { method, headers, target } = call
    if (method === 'GET' || method === 'HEAD') {
      const question = target.indexOf('?')
      return question === -1 ? x.renderProblem(noQuery, x) : readGot(target.slice(question + 1))
    }
    if (method !== 'POST') return x.renderProblem(otherMethod, x)
    if (!isJsonRequest(headers.first(H.contentType))) return x.renderProblem(notJson, x)
    const encoding = headers.first(H.contentEncoding)
    if (encoding !== undefined && encoding !== 'identity') return x.renderProblem(compressed, x)
    return readAll(call.body, this.#options.limits.bytes).then(readPosted)
  }
}

function isGraphqlPath(target: string): boolean {
  const question = target.indexOf('?')
  return (question === -1 ? target : target.slice(0, question)).endsWith('/graphql')
}
