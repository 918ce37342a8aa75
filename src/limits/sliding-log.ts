import type { Algorithm, Parameters, Standing } from './algorithm.ts'
import { clockJumpMs } from './algorithm.ts'

/** The largest limit of a sliding log: it remembers the time of every unit. */
export const largestLog = 128

/**
 * Sliding log: exact over every span of `windowMs`, half-open: what was taken at t is gone at exactly t + W. The time
 * of each unit is kept in a ring, so it is meant for small limits.
 *
 * s[0]: place of the oldest in the ring; s[1]: how many; then the ring of times.
 */
export class SlidingLog implements Algorithm {
  readonly kind = 'sliding-log'
  readonly parameters: Parameters
  readonly largestCost: number
  readonly stateLength = 2 + largestLog
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
    const gone = now - this.#windowMs
    let head = s[at]
    let count = s[at + 1]
    if (count > 0 && timeOf(s, at, head, count - 1) - now > clockJumpMs) {
      for (let i = 0; i < count; i++) s[placeOf(at, head, i)] = Math.min(timeOf(s, at, head, i), now)
    }
    while (count > 0 && timeOf(s, at, head, 0) <= gone) {
      head = (head + 1) % largestLog
      count--
    }
    s[at] = head
    s[at + 1] = count
  }

  retryAfter(s: Float64Array, at: number, now: number, cost: number): number {
    if (cost > this.#limit) return Infinity
    const over = s[at + 1] + cost - this.#limit
    return over <= 0 || cost === 0 ? 0 : timeOf(s, at, s[at], over - 1) + this.#windowMs - now
  }

  take(s: Float64Array, at: number, now: number, cost: number): number {
    const head = s[at]
    const count = s[at + 1]
    // In order even when the clock went back.
    const time = count === 0 ? now : Math.max(now, timeOf(s, at, head, count - 1))
    const added = Math.min(cost, largestLog - count)
    for (let i = 0; i < added; i++) s[placeOf(at, head, count + i)] = time
    s[at + 1] = count + added
    return 0
  }

  giveBack(s: Float64Array, at: number, _now: number, cost: number): void {
    s[at + 1] = Math.max(0, s[at + 1] - cost)
  }

  read(s: Float64Array, at: number, now: number, into: Standing): void {
    const count = s[at + 1]
    into.remaining = Math.max(0, this.#limit - count)
    into.unitAfterMs = this.retryAfter(s, at, now, 1)
    into.resetAfterMs = Math.max(0, this.wholeAt(s, at) - now)
  }

  wholeAt(s: Float64Array, at: number): number {
    const count = s[at + 1]
    return count === 0 ? 0 : timeOf(s, at, s[at], count - 1) + this.#windowMs
  }

  used(s: Float64Array, at: number): number {
    return s[at + 1]
  }

  resume(s: Float64Array, at: number, now: number, used: number): void {
    s[at] = 0
    s[at + 1] = Math.min(Math.ceil(used), this.#limit)
    s.fill(now, at + 2, at + 2 + s[at + 1])
  }
}

function placeOf(at: number, head: number, index: number): number {
  return at + 2 + ((head + index) % largestLog)
}

function timeOf(s: Float64Array, at: number, head: number, index: number): number {
  return s[placeOf(at, head, index)]
}
