import type { Answer } from '../core/answer.ts'
import { grpcCodes, isGrpcType } from '../core/grpc-status.ts'
import { H } from '../core/header-names.ts'
import type { Call } from '../core/service.ts'

const unavailable = String(grpcCodes.unavailable)

/**
 * Whether an answer is gRPC's "unavailable" in its head alone: nothing of a response was sent, so the call may go
 * elsewhere (gRPC A6: a call is committed by response headers; "trailers-only" answers have none).
 */
export function isUnavailable({ status, headers, body }: Answer): boolean {
  return status === 200 && body.size === 0 && headers.first(H.grpcStatus) === unavailable
}

/** Whether a call speaks gRPC. */
export function isGrpcCall({ method, headers }: Call): boolean {
  if (method !== 'POST') return false
  const type = headers.first(H.contentType)
  return type !== undefined && isGrpcType(type)
}

/**
 * How long an answer's `grpc-retry-pushback-ms` asks to wait (gRPC A6): undefined without one, Infinity for a negative
 * or senseless one, which forbids another try.
 */
export function pushbackMs({ headers }: Answer): number | undefined {
  const value = headers.get('grpc-retry-pushback-ms')
  if (value === undefined) return undefined
  return /^\d{1,9}$/.test(value) ? Number(value) : Infinity
}
