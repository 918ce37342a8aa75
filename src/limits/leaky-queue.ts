import type { Algorithm, Parameters, Standing } from './algorithm.ts'
import { clockJumpMs } from './algorithm.ts'
import type { Rate } from './limit-spec.ts'
import { reduced } from './token-bucket.ts'

/**
 * Leaky bucket as a queue: requests go on one by one at the leak rate, and as many as the capacity may wait. Only the
 * decision is made here: `take` says how long to wait. The state is the next free departure, counted as in
 * `token-bucket`: s[0] whole ms, s[1] rest in units of 1/r ms.
 */
export class LeakyQueue implements Algorithm {
  readonly kind = 'leaky-queue'
  readonly parameters: Parameters
  readonly largestCost: number
  readonly stateLength = 2
  readonly time = 'elapsed'
  readonly #places: number
  /** Units of the distance between two departures. */
  readonly #step: number
  readonly #perMs: number
  /** The longest wait, in units. */
  readonly #longest: number
  readonly #furthestMs: number

  constructor(places: number, leak: Rate) {
    const { units, periodMs } = reduced(leak)
    this.#places = places
    this.#step = periodMs
    this.#perMs = units
    this.#longest = places * periodMs
    this.#furthestMs = 3 * Math.ceil(this.#longest / units)
    this.largestCost = places
    this.parameters = [places, units, periodMs]
  }

  advance(s: Float64Array, at: number, now: number): void {
    if (s[at] - now <= this.#furthestMs + clockJumpMs) return
    s[at] = now + Math.ceil(this.#longest / this.#perMs)
    s[at + 1] = 0
  }

  retryAfter(s: Float64Array, at: number, now: number, cost: number): number {
    if (cost > this.#places) return Infinity
    if (cost === 0) return 0
    const excess = this.#wait(s, at, now) - this.#longest
    return excess <= 0 ? 0 : Math.ceil(excess / this.#perMs)
  }

  take(s: Float64Array, at: number, now: number, cost: number): number {
    const wait = this.#wait(s, at, now)
    if (cost === 0) return 0
    this.#put(s, at, now, Math.min(wait + cost * this.#step, 3 * this.#longest))
    return Math.ceil(wait / this.#perMs)
  }

  giveBack(s: Float64Array, at: number, now: number, cost: number): void {
    this.#put(s, at, now, Math.max(0, this.#wait(s, at, now) - cost * this.#step))
  }

  read(s: Float64Array, at: number, now: number, into: Standing): void {
    const wait = this.#wait(s, at, now)
    const left = this.#longest - wait
    into.remaining = left < 0 ? 0 : Math.floor(left / this.#step) + 1
    into.unitAfterMs = left < 0 ? Math.ceil(-left / this.#perMs) : 0
    into.resetAfterMs = Math.ceil(wait / this.#perMs)
  }

  wholeAt(s: Float64Array, at: number): number {
    return s[at + 1] === 0 ? s[at] : s[at] + 1
  }

  used(s: Float64Array, at: number, now: number): number {
    return this.#wait(s, at, now) / this.#step
  }

  resume(s: Float64Array, at: number, now: number, used: number): void {
    this.#put(s, at, now, Math.min(Math.ceil(used * this.#step), this.#longest + this.#step))
  }

  /** Units from now to the next free departure. */
  #wait(s: Float64Array, at: number, now: number): number {
    const ms = s[at] - now
    return ms < 0 ? 0 : ms * this.#perMs + s[at + 1]
  }

  #put(s: Float64Array, at: number, now: number, wait: number): void {
    const ms = Math.floor(wait / this.#perMs)
    s[at] = now + ms
    s[at + 1] = wait - ms * this.#perMs
  }
}
