import type { Registry } from '@bufbuild/protobuf'
import { Answer } from '../../core/answer.ts'
import { textBody } from '../../core/body.ts'
import { grpcCodes } from '../../core/grpc-status.ts'
import { headerBlock, Headers } from '../../core/headers.ts'
import type { GrpcStatus } from '../grpc/grpc-status.ts'
import { httpStatusOf } from '../grpc/grpc-status.ts'
import { retryAfterSeconds, statusJson } from '../grpc/status-json.ts'

const errorBlock = headerBlock([
  ['content-type', 'application/json'],
  ['cache-control', 'no-store'],
])

/** The answer to a call that the service ended with an error: its status in HTTP's codes and in JSON. */
export function statusAnswer(status: GrpcStatus, registry: Registry, headers = new Headers()): Answer {
  headers.put(errorBlock)
  const seconds = retryAfterSeconds(status)
  if (seconds !== undefined) headers.set('retry-after', String(seconds))
  // A 401 must carry a challenge (RFC 9110 §11.6.1); the service's words are none.
  if (status.code === grpcCodes.unauthenticated && !headers.has('www-authenticate')) headers.set('www-authenticate', 'Bearer')
  return new Answer(httpStatusOf(status.code), headers, textBody(JSON.stringify(statusJson(status, registry))))
}
