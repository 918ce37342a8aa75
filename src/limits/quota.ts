import type { Algorithm, Parameters, Standing } from './algorithm.ts'
import { clockJumpMs } from './algorithm.ts'

export const quotaPeriods = ['day', 'month'] as const
export type QuotaPeriod = (typeof quotaPeriods)[number]

const dayMs = 86_400_000

/**
 * Calendar quota: at most `limit` per day or month of UTC. The start of the period is kept as an absolute time, so the
 * moment of the reset never wobbles and a stored quota means the same after a restart.
 *
 * s[0]: start of the period, ms since 1970; s[1]: used in it.
 */
export class Quota implements Algorithm {
  readonly kind = 'quota'
  readonly parameters: Parameters
  readonly largestCost: number
  readonly stateLength = 2
  readonly time = 'calendar'
  readonly #limit: number
  readonly #period: QuotaPeriod
  // The period last asked about: a question costs two comparisons until it is over.
  #start = 0
  #end = 0

  constructor(limit: number, period: QuotaPeriod) {
    this.#limit = limit
    this.#period = period
    this.largestCost = limit
    this.parameters = [limit, quotaPeriods.indexOf(period), 0]
  }

  advance(s: Float64Array, at: number, now: number): void {
    this.#find(now)
    const start = this.#start
    const stored = s[at]
    if (stored === start) return
    if (stored < start) {
      s[at] = start
      s[at + 1] = 0
    } else if (stored - now > clockJumpMs) {
      // The clock was a period ahead and was set right: what was used stays used, in this period.
      s[at] = start
    }
  }

  retryAfter(s: Float64Array, at: number, now: number, cost: number): number {
    if (cost > this.#limit) return Infinity
    return cost === 0 || s[at + 1] + cost <= this.#limit ? 0 : this.#endOf(s[at]) - now
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
    const end = this.#endOf(s[at]) - now
    into.remaining = Math.max(0, this.#limit - used)
    into.unitAfterMs = used < this.#limit ? 0 : end
    into.resetAfterMs = used === 0 ? 0 : end
  }

  wholeAt(s: Float64Array, at: number): number {
    return s[at + 1] === 0 ? 0 : this.#endOf(s[at])
  }

  used(s: Float64Array, at: number): number {
    return s[at + 1]
  }

  resume(s: Float64Array, at: number, now: number, used: number): void {
    this.#find(now)
    s[at] = this.#start
    s[at + 1] = Math.min(Math.ceil(used), this.#limit)
  }

  #endOf(start: number): number {
    this.#find(start)
    return this.#end
  }

  #find(now: number): void {
    if (now >= this.#start && now < this.#end) return
    if (this.#period === 'day') {
      this.#start = Math.floor(now / dayMs) * dayMs
      this.#end = this.#start + dayMs
    } else {
      const date = new Date(now)
      this.#start = Date.UTC(date.getUTCFullYear(), date.getUTCMonth())
      this.#end = Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1)
    }
  }
}
