import type { Clock } from '../core/clock.ts'
import type { Exchange } from '../core/exchange.ts'

const baseMs = 25
const mostMs = 1000
/** A service that asks to be left alone for longer is left alone: its answer goes to the client. */
export const maxWaitMs = 2000

/** Full jitter: anything between nothing and a span that doubles with each failure, so that callers do not move in step. */
export function backOffMs(failures: number, random: () => number): number {
  return random() * Math.min(mostMs, baseMs * 2 ** (failures - 1))
}

/**
 * How long a `Retry-After` asks to wait (RFC 9110 §10.2.3): 0 without one or with nonsense, Infinity when it is longer
 * than a client should be kept waiting.
 */
export function retryAfterMs(value: string | undefined, nowMs: number): number {
  if (value === undefined) return 0
  const ms = /^\d{1,9}$/.test(value) ? Number(value) * 1000 : Date.parse(value) - nowMs
  if (Number.isNaN(ms) || ms < 0) return 0
  return ms > maxWaitMs ? Infinity : ms
}

/** Resolves after `ms`, or at once when the client leaves. */
export function pause(clock: Clock, ms: number, x: Exchange): Promise<void> {
  return new Promise((resolve) => {
    const timer = clock.after(ms, resolve)
    x.whenLeft(() => {
      timer.cancel()
      resolve()
    })
  })
}
