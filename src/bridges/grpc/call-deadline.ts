import type { Call } from '../../core/service.ts'
import type { GrpcMethod } from '../descriptors/descriptors.ts'

/**
 * Monotonic milliseconds by which a call must be over. A method with one answer has the wait for its head; one that
 * streams answers may live for longer, unless the wait is the caller's own wish. `callersAt` is what else the caller said.
 */
export function callDeadline({ headBy, isCallersDeadline }: Call, { streamsOut }: GrpcMethod, callersAt = Infinity): number {
  return streamsOut && isCallersDeadline !== true ? callersAt : Math.min(callersAt, headBy)
}
