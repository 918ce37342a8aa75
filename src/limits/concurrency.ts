import type { Algorithm, Parameters, Standing } from './algorithm.ts'

/**
 * When a place becomes free depends on those who hold one, so this is what a refused caller is told: long enough not
 * to hammer, short enough not to idle.
 */
export const placeWaitMs = 1000

/**
 * Concurrency: at most `limit` under way at one time. Each worker counts what it holds in its own column, so that all
 * of a dead worker's places can be freed by clearing one; nothing else needs to be known about it.
 *
 * s[i]: held by worker i.
 */
export class Concurrency implements Algorithm {
  readonly kind = 'concurrency'
  readonly parameters: Parameters
  readonly largestCost: number
  readonly stateLength: number
  readonly time = 'elapsed'
  readonly #limit: number
  readonly #worker: number

  constructor(limit: number, columns = 1, worker = 0) {
    this.#limit = limit
    this.#worker = worker
    this.stateLength = columns
    this.largestCost = limit
    this.parameters = [limit, 0, 0]
  }

  advance(): void {}

  retryAfter(s: Float64Array, at: number, _now: number, cost: number): number {
    if (cost > this.#limit) return Infinity
    return cost === 0 || this.used(s, at) + cost <= this.#limit ? 0 : placeWaitMs
  }

  take(s: Float64Array, at: number, _now: number, cost: number): number {
    s[at + this.#worker] += cost
    return 0
  }

  giveBack(s: Float64Array, at: number, _now: number, cost: number): void {
    s[at + this.#worker] = Math.max(0, s[at + this.#worker] - cost)
  }

  read(s: Float64Array, at: number, _now: number, into: Standing): void {
    const used = this.used(s, at)
    into.remaining = Math.max(0, this.#limit - used)
    into.unitAfterMs = into.remaining > 0 ? 0 : placeWaitMs
    into.resetAfterMs = used === 0 ? 0 : placeWaitMs
  }

  wholeAt(s: Float64Array, at: number): number {
    return this.used(s, at) === 0 ? 0 : Infinity
  }

  used(s: Float64Array, at: number): number {
    let held = 0
    for (let i = 0; i < this.stateLength; i++) held += s[at + i]
    return held
  }

  /** What is under way stays under way, whatever the limit has become. */
  resume(): void {}
}
