import type { Algorithm, Parameters, Standing } from './algorithm.ts'
import { clockJumpMs } from './algorithm.ts'

/**
 * Fixed window: at most `limit` per window. Anchored (the default) a window begins with its first request, so that
 * budgets do not all become whole at one moment; aligned, windows are multiples of their length since 1970. Either way
 * twice the limit can pass around the border of two windows.
 *
 * s[0]: start of the window in ms; s[1]: used in it.
 */
export class FixedWindow implements Algorithm {
  readonly kind = 'fixed-window'
  readonly parameters: Parameters
  readonly largestCost: number
  readonly stateLength = 2
  readonly time = 'elapsed'
  readonly #limit: number
  readonly #windowMs: number
  readonly #isAligned: boolean

  constructor(limit: number, windowMs: number, isAligned = false) {
    this.#limit = limit
    this.#windowMs = windowMs
    this.#isAligned = isAligned
    this.largestCost = limit
    this.parameters = [limit, windowMs, isAligned ? 1 : 0]
  }

  advance(s: Float64Array, at: number, now: number): void {
    const start = s[at]
    if (now >= start + this.#windowMs) s[at + 1] = 0
    else if (start - now > clockJumpMs) s[at] = this.#startAt(now)
    if (s[at + 1] === 0 && now >= start) s[at] = this.#startAt(now)
  }

  retryAfter(s: Float64Array, at: number, now: number, cost: number): number {
    if (cost > this.#limit) return Infinity
    if (cost === 0 || s[at + 1] + cost <= this.#limit) return 0
    return s[at] + this.#windowMs - now
  }

  take(s: Float64Array, at: number, _now: number, cost: number): number {
    s[at + 1] = Math.min(s[at + 1] + cost, 2 * this.#limit)
    return 0
  }

  giveBack(s: Float64Array, at: number, _now: number, cost: number): void {
    s[at + 1] = Math.max(0, s[at + 1] - cost)
  }

  read(s: Float64Array, at: number, now: number, into: Standing): void {
    const used = s[at + 1]
    const end = s[at] + this.#windowMs - now
    into.remaining = Math.max(0, this.#limit - used)
    into.unitAfterMs = used < this.#limit ? 0 : end
    into.resetAfterMs = used === 0 ? 0 : end
  }

  wholeAt(s: Float64Array, at: number): number {
    return s[at + 1] === 0 ? 0 : s[at] + this.#windowMs
  }

  used(s: Float64Array, at: number): number {
    return s[at + 1]
  }

  resume(s: Float64Array, at: number, now: number, used: number): void {
    s[at] = this.#startAt(now)
    s[at + 1] = Math.min(Math.ceil(used), this.#limit)
  }

  #startAt(now: number): number {
    return this.#isAligned ? Math.floor(now / this.#windowMs) * this.#windowMs : now
  }
}
