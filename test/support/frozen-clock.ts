import { systemClock } from '../../src/core/clock.ts'
import type { Clock } from '../../src/core/clock.ts'

/** A clock whose date stands still until it is moved, while deadlines and delays pass as they do: for what talks to real servers. */
export class FrozenClock implements Clock {
  #now = Date.now()

  now(): number {
    return this.#now
  }

  monotonic(): number {
    return systemClock.monotonic()
  }

  after(delayMs: number, run: () => void): ReturnType<Clock['after']> {
    return systemClock.after(delayMs, run)
  }

  /** Moves the date on. */
  advance(ms: number): void {
    this.#now += ms
  }
}
