import type { Algorithm, Parameters, Standing } from './algorithm.ts'
import { clockJumpMs } from './algorithm.ts'

/**
 * Sliding window by two counters: what was used in the last whole window counts for the part of it that the sliding
 * window still covers. Compared in integers: prev·(W - elapsed) + (cur + cost)·W <= limit·W. Twice the limit less one can
 * pass in one span of W at worst; where that matters, `sliding-log` is exact.
 *
 * s[0]: start of the current window (a multiple of its length); s[1]: used in the one before; s[2]: used in it.
 */
export class SlidingWindow implements Algorithm {
  readonly kind = 'sliding-window'
  readonly parameters: Parameters
  readonly largestCost: number
  readonly stateLength = 3
  readonly time = 'elapsed'
  readonly #limit: number
  readonly #windowMs: number

  constructor(limit: number, windowMs: number) {
    this.#limit = limit
    this.#windowMs = windowMs
    this.largestCost = limit
    this.parameters = [limit, windowMs, 0]
  }

  advance(s: Float64Array, at: number, now: number): void {
    const start = Math.floor(now / this.#windowMs) * this.#windowMs
    const stored = s[at]
    if (stored === start) return
    if (stored < start) {
      s[at + 1] = stored + this.#windowMs === start ? s[at + 2] : 0
      s[at + 2] = 0
      s[at] = start
    } else if (stored - now > clockJumpMs) {
      s[at] = start
    }
  }

  retryAfter(s: Float64Array, at: number, now: number, cost: number): number {
    const limit = this.#limit
    const windowMs = this.#windowMs
    if (cost > limit) return Infinity
    if (cost === 0) return 0
    const prev = s[at + 1]
    const cur = s[at + 2]
    // A clock that went back stands at the start of the window: the most cautious reading.
    const elapsed = Math.max(0, now - s[at])
    if (prev * (windowMs - elapsed) + (cur + cost) * windowMs <= limit * windowMs) return 0
    const passAt =
      cur + cost <= limit
        ? windowMs - Math.floor(((limit - cur - cost) * windowMs) / prev)
        : 2 * windowMs - Math.floor(((limit - cost) * windowMs) / cur)
    return Math.max(passAt, windowMs * (cur + cost <= limit ? 0 : 1)) + s[at] - now
  }

  take(s: Float64Array, at: number, _now: number, cost: number): number {
    s[at + 2] = Math.min(s[at + 2] + cost, 2 * this.#limit)
    return 0
  }

  giveBack(s: Float64Array, at: number, _now: number, cost: number): void {
    const fromCurrent = Math.min(cost, s[at + 2])
    s[at + 2] -= fromCurrent
    s[at + 1] = Math.max(0, s[at + 1] - (cost - fromCurrent))
  }

  read(s: Float64Array, at: number, now: number, into: Standing): void {
    into.remaining = Math.max(0, this.#limit - Math.ceil(this.used(s, at, now)))
    into.unitAfterMs = into.remaining > 0 ? 0 : this.retryAfter(s, at, now, 1)
    into.resetAfterMs = Math.max(0, this.wholeAt(s, at) - now)
  }

  wholeAt(s: Float64Array, at: number): number {
    if (s[at + 2] > 0) return s[at] + 2 * this.#windowMs
    return s[at + 1] > 0 ? s[at] + this.#windowMs : 0
  }

  used(s: Float64Array, at: number, now: number): number {
    const elapsed = Math.max(0, now - s[at])
    return s[at + 2] + (s[at + 1] * (this.#windowMs - elapsed)) / this.#windowMs
  }

  resume(s: Float64Array, at: number, now: number, used: number): void {
    s[at] = Math.floor(now / this.#windowMs) * this.#windowMs
    s[at + 1] = 0
    s[at + 2] = Math.min(Math.ceil(used), this.#limit)
  }
}
