import type { Registry } from '@bufbuild/protobuf'
import { GraphQLError } from 'graphql'
import type { GraphQLFormattedError } from 'graphql'
import type { Fault } from '../../core/fault.ts'
import { grpcCodeOf, grpcCodes } from '../../core/grpc-status.ts'
import type { GrpcCode } from '../../core/grpc-status.ts'
import type { Log } from '../../core/log.ts'
import type { Problem } from '../../core/problem.ts'
import { problems } from '../../core/problem.ts'
import type { GrpcStatus } from '../grpc/grpc-status.ts'
import { statusOfFault } from '../grpc/grpc-status.ts'
import { retryAfterSeconds, statusJson } from '../grpc/status-json.ts'

/** By number: `NOT_FOUND` and so on, as `google.rpc.Code` spells them. */
const codeNames: ReadonlyMap<GrpcCode, string> = new Map(
  Object.entries(grpcCodes).map(([name, code]) => [code, name.toUpperCase().replaceAll('-', '_')]),
)

/** A call that ended with an error, as callers see it: the service's own words where they are its own, never ours. */
export function callError(status: GrpcStatus, registry: Registry): GraphQLError {
  const code = codeNames.get(status.code)!
  const retryAfter = retryAfterSeconds(status)
  const { details } = statusJson(status, registry)
  const extensions = { code, ...(details === undefined ? {} : { details }), ...(retryAfter === undefined ? {} : { retryAfter }) }
  return new GraphQLError(status.message === '' ? code : status.message, { extensions })
}

/** The same for a call that failed here. */
export function faultError(fault: Fault): GraphQLError {
  const { code, message } = statusOfFault(fault)
  return new GraphQLError(message, { extensions: { code: codeNames.get(code)! } })
}

/** A refusal or failure of the gateway in the form of GraphQL. */
export function problemError({ name, detail, policy, headers }: Problem, instance: string): GraphQLFormattedError {
  const { title, type } = problems[name]
  const code = name === 'malformed' ? 'INVALID_ARGUMENT' : codeNames.get(grpcCodeOf(name))!
  const seconds = headers?.pairs.find(([header]) => header === 'retry-after')?.[1]
  const extensions = {
    code,
    type,
    ...(policy === undefined ? {} : { policy }),
    ...(instance === '' ? {} : { instance }),
    ...(seconds === undefined ? {} : { retryAfter: Number(seconds) }),
  }
  return { message: detail ?? title, extensions }
}

/** An operation that is refused before anything of it is executed. `code` as GraphQL servers usually have them. */
export function requestError(code: string, message: string, more: Readonly<Record<string, unknown>> = {}): GraphQLError {
  return new GraphQLError(message, { extensions: { code, ...more } })
}

/** Errors of an execution without anything that only the operator should know; what is a bug of ours is logged. */
export function shownErrors(errors: readonly GraphQLError[], log: Log): GraphQLFormattedError[] {
  return errors.map((error) => {
    const { originalError } = error
    const shown = error.toJSON()
    if (originalError === undefined || originalError instanceof GraphQLError) {
      return shown.extensions?.['code'] === undefined
        ? { ...shown, extensions: { ...shown.extensions, code: 'BAD_USER_INPUT' } }
        : shown
    }
    log.error('a field of GraphQL failed here', { error: originalError })
    return { ...shown, message: problems.internal.title, extensions: { code: 'INTERNAL' } }
  })
}
