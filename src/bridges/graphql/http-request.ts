import { readAll } from '../../core/body.ts'
import type { MaybePromise } from '../../core/handler.ts'
import { H } from '../../core/header-names.ts'
import { headerBlock } from '../../core/headers.ts'
import type { Exchange } from '../../core/exchange.ts'
import type { Problem } from '../../core/problem.ts'
import type { Call } from '../../core/service.ts'
import { isJsonRequest } from './accept.ts'
import { isForgeable } from './preflight.ts'
import type { GraphqlRequest } from './request.ts'
import { readGot, readPosted } from './request.ts'

/** A request of GraphQL over HTTP. */
export interface HttpRequest {
  readonly request: GraphqlRequest
  /** The content of a POST, as it came. */
  readonly content: Buffer | undefined
}

const notJson: Problem = { name: 'unsupported-type', detail: 'The content must be application/json in UTF-8.' }
const compressed: Problem = { name: 'unsupported-type', detail: 'The content must not be compressed.' }
const noQuery: Problem = { name: 'malformed', detail: 'There is no query.' }
const otherMethod: Problem = {
  name: 'method-not-allowed',
  detail: 'Operations come by POST; all but mutations by GET too.',
  headers: headerBlock([['allow', 'GET, HEAD, POST']]),
}
const forgeable: Problem = {
  name: 'cross-site',
  detail: 'With a credential that browsers send along, a GET needs the header GraphQL-Require-Preflight.',
}

/** Why a mutation by GET is refused. */
export const byPostOnly: Problem = {
  name: 'method-not-allowed',
  detail: 'Mutations come by POST.',
  headers: headerBlock([['allow', 'POST']]),
}

/** Reads a request, or says why it is none. Throws `malformed`, and `body-too-large` for more than `maxBytes`. */
export function readHttp(
  { method, headers, target, body }: Call,
  x: Exchange,
  maxBytes: number,
): MaybePromise<HttpRequest | Problem> {
  if (isForgeable(x)) return forgeable
  if (method === 'GET' || method === 'HEAD') {
    const question = target.indexOf('?')
    return question === -1 ? noQuery : named(readGot(target.slice(question + 1)), undefined)
  }
  if (method !== 'POST') return otherMethod
  if (!isJsonRequest(headers.first(H.contentType))) return notJson
  const encoding = headers.first(H.contentEncoding)
  if (encoding !== undefined && encoding !== 'identity') return compressed
  return readAll(body, maxBytes).then((content) => named(readPosted(content), content))
}

function named(request: GraphqlRequest, content: Buffer | undefined): HttpRequest | Problem {
  return request.query === undefined && request.documentId === undefined ? noQuery : { request, content }
}
