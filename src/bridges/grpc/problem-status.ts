import { create, toBinary } from '@bufbuild/protobuf'
import { grpcCodeOf } from '../../core/grpc-status.ts'
import type { Problem } from '../../core/problem.ts'
import { problems } from '../../core/problem.ts'
import { retryInfoType, statusType } from '../descriptors/built-in.ts'
import type { GrpcStatus } from './grpc-status.ts'

/** A refusal or failure of the gateway as a status of gRPC. When to come back stands in a `google.rpc.RetryInfo`. */
export function problemStatus(problem: Problem): GrpcStatus {
  const code = grpcCodeOf(problem.name)
  const message = problem.detail ?? problems[problem.name].title
  const seconds = problem.headers?.pairs.find(([name]) => name === 'retry-after')?.[1]
  if (seconds === undefined || !/^\d+$/.test(seconds)) return { code, message, details: undefined, fault: undefined }
  const value = toBinary(retryInfoType, create(retryInfoType, { retryDelay: { seconds: BigInt(seconds) } }))
  const details = [{ typeUrl: 'type.googleapis.com/google.rpc.RetryInfo', value }]
  const bytes = toBinary(statusType, create(statusType, { code, message, details }))
  return { code, message, details: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length), fault: undefined }
}
