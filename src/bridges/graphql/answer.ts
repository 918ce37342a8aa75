import type { GraphQLFormattedError } from 'graphql'
import { Answer } from '../../core/answer.ts'
import type { Body } from '../../core/body.ts'
import { textBody } from '../../core/body.ts'
import { Headers } from '../../core/headers.ts'
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

/** The answer in one piece. With `application/json` every status is 200: its readers know no other for GraphQL. */
export function responseAnswer(response: GraphqlResponse, type: ResponseType, codes: StatusCodes): Answer {
  const { errors, data } = response
  const status = type === 'application/json' || errors === undefined ? 200 : data === undefined ? codes.refused : codes.partial
  const headers = Headers.from([
    ['content-type', `${type}; charset=utf-8`],
    ['vary', 'accept'],
  ])
  if (errors !== undefined) headers.set('cache-control', 'no-store')
  return new Answer(status, headers, textBody(JSON.stringify(response)))
}

/** The answer to those who take events. Boxes on the way shall not wait for more of them. */
export function eventAnswer(body: Body): Answer {
  const headers = Headers.from([
    ['content-type', 'text/event-stream; charset=utf-8'],
    ['cache-control', 'no-store'],
    ['x-accel-buffering', 'no'],
  ])
  return new Answer(200, headers, body)
}

/** A problem as callers of GraphQL read it. Its status is that of HTTP, whatever the media type. */
export function graphqlProblem(problem: Problem, instance: string, type: ResponseType): Answer {
  const headers = Headers.from([
    ['content-type', `${type}; charset=utf-8`],
    ['vary', 'accept'],
    ['cache-control', 'no-store'],
  ])
  if (problem.headers !== undefined) headers.put(problem.headers)
  const response: GraphqlResponse = { errors: [problemError(problem, instance)] }
  return new Answer(problems[problem.name].status, headers, textBody(JSON.stringify(response)))
}
