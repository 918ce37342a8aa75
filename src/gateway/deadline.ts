import type { Exchange } from '../core/exchange.ts'
import { grpcTimeoutOf, parseGrpcTimeout } from '../core/grpc-status.ts'
import { H } from '../core/header-names.ts'
import type { Headers } from '../core/headers.ts'

/*
 * How long a caller is willing to wait: `grpc-timeout` of anyone, since it can only shorten what the configuration
 * allows, and `x-request-timeout` (whole milliseconds) of trusted proxies, which answer for it. What is left is told to
 * the service. The timeouts of routes and services bound the head of an answer, so they are not passed on: a stream may
 * live for longer. They are kept by ending the call, which the service hears of at once.
 */

/** No caller means more; it also keeps sums of milliseconds exact. */
const longestMs = 1e11

/** Milliseconds that the caller gives the whole exchange, from its first byte; Infinity when it did not say. */
export function callerTimeoutMs(x: Exchange): number {
  const grpc = x.version === '2' ? x.headers.first(H.grpcTimeout) : undefined
  if (grpc !== undefined) {
    const ms = parseGrpcTimeout(grpc)
    return ms === undefined ? Infinity : Math.min(longestMs, ms)
  }
  if (!x.isProxied) return Infinity
  const text = x.headers.first(H.requestTimeout)
  return text === undefined || !/^\d{1,9}$/.test(text) ? Infinity : Number(text)
}

/** Says to the service what is left of the caller's time. */
export function passTimeout(headers: Headers, x: Exchange, leftMs: number): void {
  if (x.version === '2' && x.headers.first(H.grpcTimeout) !== undefined) headers.set('grpc-timeout', grpcTimeoutOf(leftMs))
  else headers.set('x-request-timeout', String(Math.max(1, Math.floor(leftMs))))
}
