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
