import type { BudgetReply } from '../../core/budgets.ts'
import type { Clock } from '../../core/clock.ts'
import { EndedHand } from '../../lib/ended-hand.ts'
import type { FleetStep } from './fleet-client.ts'

const longestMs = 1000
const mostRefusals = 65_536
/** So many are looked at for each new one: who is refused may never ask again. */
const sweptPerRefusal = 4

interface Refusal {
  readonly at: number
  readonly until: number
  readonly reply: BudgetReply
}

/**
 * Who was refused lately: a flood of refusals costs the store nothing. Remembered until the time that was told, and for a
 * second at most, since what others give back may come sooner. Not remembered is who only found all places taken: one may
 * come free at any moment.
 */
export class Refusals {
  readonly #clock: Clock
  readonly #refusals = new Map<string, Refusal>()
  readonly #hand = new EndedHand(this.#refusals)

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get size(): number {
    return this.#refusals.size
  }

  remember({ id, limits }: FleetStep, reply: BudgetReply): void {
    let retryAfterMs = 0
    for (const [i, level] of reply.levels.entries()) {
      if (limits[i].kind !== 'concurrency') retryAfterMs = Math.max(retryAfterMs, level.retryAfterMs)
    }
    if (retryAfterMs === 0) return
    const at = this.#clock.monotonic()
    this.#hand.sweep(sweptPerRefusal, ({ until }) => until <= at)
    if (this.#refusals.size >= mostRefusals) this.#refusals.clear()
    this.#refusals.set(id, { at, until: at + Math.min(retryAfterMs, longestMs), reply: { granted: 0, levels: reply.levels } })
  }

  /** The refusal of an equal request, its waits as they are now. */
  find(id: string): BudgetReply | undefined {
    // Without any, which is usual, the text need not be looked up.
    if (this.#refusals.size === 0) return undefined
    const refusal = this.#refusals.get(id)
    if (refusal === undefined) return undefined
    const now = this.#clock.monotonic()
    if (now >= refusal.until) {
      this.#refusals.delete(id)
      return undefined
    }
    const goneMs = now - refusal.at
    const left = (ms: number): number => Math.max(0, Math.ceil(ms - goneMs))
    const levels = refusal.reply.levels.map(({ remaining, retryAfterMs, resetAfterMs, unitAfterMs, delayMs }) => ({
      remaining,
      retryAfterMs: left(retryAfterMs),
      resetAfterMs: left(resetAfterMs),
      unitAfterMs: left(unitAfterMs),
      delayMs,
    }))
    return { granted: 0, levels }
  }

  forget(id: string): void {
    this.#refusals.delete(id)
  }
}
