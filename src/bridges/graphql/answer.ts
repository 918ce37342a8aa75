import type { GraphQLFormattedError } from 'graphql'
import { Answer } from '../../core/answer.ts'
import type { Body } from '../../core/body.ts'
import { textBody } from '../../core/body.ts'
import { Headers, headerBlock } from '../../core/headers.ts'
import type { HeaderBlock } from '../../core/headers.ts'
import type { Problem } from '../../core/problem.ts'
import { problems } from '../../core/problem.ts'
import type { ResponseType } from './accept.ts'
import { problemError } from './errors.ts'

/** A response of GraphQL. */
export interface GraphqlResponse {
  readonly errors?: readonly GraphQLFormattedError[] | undefined
  /** Absent: nothing was executed. */
  readonly data?: unknown
  readonly extensions?: unknown
}

/** Tells what an operation cost, which a limit can take as its own: `cost: { settle: 'response-header:x-graphql-cost' }`. */
export const costHeader = 'x-graphql-cost'

/** How GraphQL over HTTP says in a status what became of a request. */
export interface StatusCodes {
  /** A document that cannot be read, is not valid or asks for too much; variables that do not fit. */
  readonly refused: number
  /** Data with errors. */
  readonly partial: number
}

export const statusCodes: Readonly<Record<'2025' | '2026', StatusCodes>> = {
  '2025': { refused: 400, partial: 200 },
  '2026': { refused: 422, partial: 294 },
}

const fieldsOf = (type: ResponseType): HeaderBlock =>
  headerBlock([
    ['content-type', `${type}; charset=utf-8`],
    ['vary', 'accept'],
  ])
const fields: Readonly<Record<ResponseType, HeaderBlock>> = {
  'application/json': fieldsOf('application/json'),
  'application/graphql-response+json': fieldsOf('application/graphql-response+json'),
}
const notKept = headerBlock([['cache-control', 'no-store']])
const eventFields = headerBlock([
  ['content-type', 'text/event-stream; charset=utf-8'],
  ['cache-control', 'no-store'],
  ['x-accel-buffering', 'no'],
])

/** The answer in one piece. With `application/json` every status is 200: its readers know no other for GraphQL. */
export function responseAnswer(response: GraphqlResponse, type: ResponseType, codes: StatusCodes): Answer {
  const { errors, data } = response
  const status = type === 'application/json' || errors === undefined ? 200 : data === undefined ? codes.refused : codes.partial
  const headers = new Headers()
  headers.put(fields[type])
  if (errors !== undefined) headers.put(notKept)
  return new Answer(status, headers, textBody(JSON.stringify(response)))
}

/** The answer to those who take events. Boxes on the way shall not wait for more of them. */
export function eventAnswer(body: Body): Answer {
  const headers = new Headers()
  headers.put(eventFields)
  return new Answer(200, headers, body)
}

/** A problem as callers of GraphQL read it. Its status is that of HTTP, whatever the media type. */
export function graphqlProblem(problem: Problem, instance: string, type: ResponseType): Answer {
  const headers = new Headers()
  headers.put(fields[type])
  headers.put(notKept)
  if (problem.headers !== undefined) headers.put(problem.headers)
  const response: GraphqlResponse = { errors: [problemError(problem, instance)] }
  return new Answer(problems[problem.name].status, headers, textBody(JSON.stringify(response)))
}
