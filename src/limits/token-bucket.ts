import type { Algorithm, AlgorithmKind, Parameters, Standing } from './algorithm.ts'
import { clockJumpMs } from './algorithm.ts'
import type { Rate } from './limit-spec.ts'

/**
 * Token bucket by GCRA: the state is the theoretical arrival time, the moment at which the bucket would be full again.
 * With r tokens per P ms that moment is rarely a whole millisecond, so it is kept as whole ms and a rest in units of
 * 1/r ms; one token is then exactly P such units, and a bucket of C tokens C·P of them.
 *
 * s[0]: whole ms; s[1]: rest, 0 <= rest < r.
 */
export class TokenBucket implements Algorithm {
  readonly kind: AlgorithmKind = 'token-bucket'
  readonly parameters: Parameters
  readonly largestCost: number
  readonly stateLength = 2
  readonly time = 'elapsed'
  readonly #capacity: number
  /** Units of one token. */
  readonly #token: number
  /** Units per millisecond. */
  readonly #perMs: number
  /** Units of a full bucket. */
  readonly #whole: number
  /** Beyond `now` by more than this, the state is from before a jump of the clock. */
  readonly #furthestMs: number

  constructor(capacity: number, rate: Rate) {
    const { units, periodMs } = reduced(rate)
    this.#capacity = capacity
    this.#token = periodMs
    this.#perMs = units
    this.#whole = capacity * periodMs
    this.#furthestMs = 2 * Math.ceil(this.#whole / units)
    this.largestCost = capacity
    this.parameters = [capacity, units, periodMs]
  }

  advance(s: Float64Array, at: number, now: number): void {
    if (s[at] - now <= this.#furthestMs + clockJumpMs) return
    s[at] = now + Math.ceil(this.#whole / this.#perMs)
    s[at + 1] = 0
  }

  retryAfter(s: Float64Array, at: number, now: number, cost: number): number {
    if (cost > this.#capacity) return Infinity
    const missing = this.#debt(s, at, now) + cost * this.#token - this.#whole
    return missing <= 0 ? 0 : Math.ceil(missing / this.#perMs)
  }

  take(s: Float64Array, at: number, now: number, cost: number): number {
    this.#put(s, at, now, Math.min(this.#debt(s, at, now) + cost * this.#token, 2 * this.#whole))
    return 0
  }

  giveBack(s: Float64Array, at: number, now: number, cost: number): void {
    this.#put(s, at, now, Math.max(0, this.#debt(s, at, now) - cost * this.#token))
  }

  read(s: Float64Array, at: number, now: number, into: Standing): void {
    const debt = this.#debt(s, at, now)
    const left = this.#whole - debt
    into.remaining = left <= 0 ? 0 : Math.floor(left / this.#token)
    into.unitAfterMs = left >= this.#token ? 0 : Math.ceil((this.#token - left) / this.#perMs)
    into.resetAfterMs = Math.ceil(debt / this.#perMs)
  }

  wholeAt(s: Float64Array, at: number): number {
    return s[at + 1] === 0 ? s[at] : s[at] + 1
  }

  used(s: Float64Array, at: number, now: number): number {
    return this.#debt(s, at, now) / this.#token
  }

  resume(s: Float64Array, at: number, now: number, used: number): void {
    this.#put(s, at, now, Math.min(Math.ceil(used * this.#token), this.#whole))
  }

  /** Units that are missing from a full bucket. */
  #debt(s: Float64Array, at: number, now: number): number {
    const ms = s[at] - now
    return ms < 0 ? 0 : ms * this.#perMs + s[at + 1]
  }

  #put(s: Float64Array, at: number, now: number, debt: number): void {
    // Exact: debt and its quotient by perMs are below 2^53, so no rounding can lift the quotient to the next integer.
    const ms = Math.floor(debt / this.#perMs)
    s[at] = now + ms
    s[at + 1] = debt - ms * this.#perMs
  }
}

/** A rate in lowest terms: the smaller its numbers, the larger the buckets that can be counted exactly. */
export function reduced(rate: Rate): Rate {
  let a = rate.units
  let b = rate.periodMs
  while (b !== 0) [a, b] = [b, a % b]
  return { units: rate.units / a, periodMs: rate.periodMs / a }
}
