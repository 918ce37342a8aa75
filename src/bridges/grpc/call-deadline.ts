import type { Exchange } from '../../core/exchange.ts'
import { parseGrpcTimeout } from '../../core/grpc-status.ts'
import { H } from '../../core/header-names.ts'
import type { Call } from '../../core/service.ts'
import type { GrpcMethod } from '../descriptors/descriptors.ts'

/**
 * Monotonic milliseconds by which a call must be over. A method with one answer has the wait for its head; one that
 * streams answers may live for longer, unless the wait is the caller's own wish. `callersAt` is what else the caller said.
 */
export function callDeadline({ headBy, isCallersDeadline }: Call, { streamsOut }: GrpcMethod, callersAt = Infinity): number {
  return streamsOut && isCallersDeadline !== true ? callersAt : Math.min(callersAt, headBy)
}

/** Monotonic milliseconds by which the `grpc-timeout` of a caller, over HTTP/1.1 too, wants the call to be over; Infinity for none. */
export function grpcTimeoutAt(x: Exchange): number {
  const text = x.headers.first(H.grpcTimeout)
  const ms = text === undefined ? undefined : parseGrpcTimeout(text)
  return ms === undefined ? Infinity : x.startedMono + ms
}
