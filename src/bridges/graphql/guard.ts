import { BREAK, OperationTypeNode, visit } from 'graphql'
import type { DocumentNode } from 'graphql'
import type { Answer } from '../../core/answer.ts'
import { BytesBody } from '../../core/body.ts'
import type { Exchange } from '../../core/exchange.ts'
import { isPromise } from '../../core/handler.ts'
import type { Problem, ProblemRenderer } from '../../core/problem.ts'
import type { Call, Service } from '../../core/service.ts'
import type { Bridge } from '../bridge.ts'
import { isWebSocket } from '../web-socket/handshake.ts'
import { readAccept } from './accept.ts'
import { costHeader, graphqlProblem, responseAnswer, statusCodes } from './answer.ts'
import type { Refused } from './documents.ts'
import { operationOf, parseDocument } from './documents.ts'
import { requestError } from './errors.ts'
import { formCost } from './form-cost.ts'
import { byPostOnly, readHttp } from './http-request.ts'
import { costError } from './operation-limits.ts'
import type { GraphqlGuardOptions } from './options.ts'
import type { GraphqlRequest } from './request.ts'

const noSocket: Problem = {
  name: 'not-implemented',
  detail: 'Operations are judged one by one here, which those of a WebSocket cannot be.',
}

/**
 * Stands before a service that speaks GraphQL itself: what it is asked is read and judged by its form, and goes on byte for
 * byte. The schema is the service's: of documents that it knows by an id alone nothing can be told, and they pass.
 */
export function createGraphqlGuard(options: GraphqlGuardOptions): Bridge {
  return new GraphqlGuard(options)
}

class GraphqlGuard implements Bridge {
  readonly #options: GraphqlGuardOptions

  constructor(options: GraphqlGuardOptions) {
    this.#options = options
  }

  claims(): boolean {
    return true
  }

  renderer(): ProblemRenderer {
    return render
  }

  async answer(call: Call, x: Exchange, upstream: Service): Promise<Answer> {
    if (isWebSocket(call)) return x.renderProblem(noSocket, x)
    const read = readHttp(call, x, this.#options.limits.bytes)
    const http = isPromise(read) ? await read : read
    if (!('request' in http)) return x.renderProblem(http, x)
    const { request, content } = http
    const judged = request.query === undefined ? unknown : this.#judge(request, request.query)
    if ('errors' in judged) {
      const type = readAccept(x.headers.get('accept'), 'application/json').single ?? 'application/json'
      return responseAnswer({ errors: judged.errors.map((error) => error.toJSON()) }, type, statusCodes[this.#options.statusCodes])
    }
    if (call.method !== 'POST' && judged.type === OperationTypeNode.MUTATION) return x.renderProblem(byPostOnly, x)
    const answer = await upstream(content === undefined ? call : { ...call, body: new BytesBody(content) }, x)
    answer.headers.set(costHeader, String(judged.cost))
    return answer
  }

  #judge({ operationName, variables }: GraphqlRequest, query: string): Judged | Refused {
    const { limits, introspection } = this.#options
    const document = parseDocument(query, limits)
    if ('errors' in document) return document
    if (!introspection && asksForSchema(document)) return { errors: [schemaIsClosed] }
    const operation = operationOf(document, operationName)
    if ('errors' in operation) return operation
    const cost = formCost(document, operation, variables, limits)
    const refused = costError(cost, limits)
    return refused === undefined ? { type: operation.operation, cost } : { errors: [refused] }
  }
}

interface Judged {
  readonly type: OperationTypeNode | undefined
  readonly cost: number
}

const schemaIsClosed = requestError('GRAPHQL_VALIDATION_FAILED', 'The schema is not told here.')

/** A document that only the service knows. */
const unknown: Judged = { type: undefined, cost: 1 }

function asksForSchema(document: DocumentNode): boolean {
  let asks = false
  visit(document, {
    Field({ name: { value } }) {
      if (value !== '__schema' && value !== '__type') return undefined
      asks = true
      return BREAK
    },
  })
  return asks
}

const render: ProblemRenderer = (problem, x) =>
  graphqlProblem(problem, x.id, readAccept(x.headers.get('accept'), 'application/json').single ?? 'application/json')
