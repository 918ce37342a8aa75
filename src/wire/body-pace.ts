import type { ServerLimits } from './server-wire.ts'

/**
 * How long to wait for the next bytes of a request's body: `bodyMs`, and after so much waiting in all only as long as
 * the bytes received so far have earned at `minBodyRate`. Zero or less: the client is too slow.
 */
export function bodyWaitMs(limits: ServerLimits, receivedBytes: number, waitedMs: number): number {
  const { bodyMs, minBodyRate } = limits
  if (minBodyRate <= 0) return bodyMs
  const earnedMs = Math.max(bodyMs, (receivedBytes * 1000) / minBodyRate)
  return Math.min(bodyMs, earnedMs - waitedMs)
}
