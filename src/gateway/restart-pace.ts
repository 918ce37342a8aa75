import type { Clock } from '../core/clock.ts'

const firstDelayMs = 100
const longestDelayMs = 30_000
/** So long without a failure, and all earlier ones are forgotten. */
const forgiveAfterMs = 60_000

/**
 * How soon a lost worker is replaced: at once as long as no more are lost than there are, then ever later, so that
 * something which kills every worker does not also eat the machine.
 */
export class RestartPace {
  readonly #clock: Clock
  readonly #atOnce: number
  #failures = 0
  #lastAt = -Infinity

  constructor(clock: Clock, atOnce: number) {
    this.#clock = clock
    this.#atOnce = atOnce
  }

  /** A worker was lost; milliseconds to wait before it is replaced. */
  lost(): number {
    const now = this.#clock.monotonic()
    if (now - this.#lastAt >= forgiveAfterMs) this.#failures = 0
    this.#lastAt = now
    this.#failures++
    const beyond = this.#failures - this.#atOnce
    return beyond <= 0 ? 0 : Math.min(longestDelayMs, firstDelayMs * 2 ** (beyond - 1))
  }
}
