import type { BudgetLevel, BudgetState } from '../../core/budgets.ts'
import type { Clock } from '../../core/clock.ts'
import { EndedHand } from '../../lib/ended-hand.ts'

/** What was used of a budget when it was last seen. */
export interface Recollection {
  readonly level: BudgetLevel
  readonly used: number
  /** When all of it has been given back, on this thread's monotonic clock. */
  readonly wholeAt: number
}

/** What is whole again sooner than this is not worth remembering. */
const shortestMs = 1000
/** Of how many budgets at least the last state is remembered; twice as many at most. */
const leastRemembered = 8192
/** So many are looked at for each that is remembered, of the young and of the old, and forgotten when they are whole again. */
const sweptPerPut = 4

/**
 * How the budgets stood that were asked for last, so that a store that restarted empty can be told what was used. Places of
 * a concurrency limit are not of it: their holders say themselves what they hold.
 */
export class BudgetMemory {
  readonly #clock: Clock
  #young = new Map<string, Recollection>()
  #old = new Map<string, Recollection>()
  #youngHand = new EndedHand(this.#young)
  #oldHand = new EndedHand(this.#old)

  constructor(clock: Clock) {
    this.#clock = clock
  }

  saw(level: BudgetLevel, { remaining, resetAfterMs }: BudgetState): void {
    if (resetAfterMs <= shortestMs || level.kind === 'concurrency') return
    this.put({
      level: this.#lasting(level),
      used: Math.max(0, level.parameters[0] - remaining),
      wholeAt: this.#clock.monotonic() + resetAfterMs,
    })
  }

  put(recollection: Recollection): void {
    const now = this.#clock.monotonic()
    const isWhole = ({ wholeAt }: Recollection): boolean => wholeAt <= now
    this.#youngHand.sweep(sweptPerPut, isWhole)
    this.#oldHand.sweep(sweptPerPut, isWhole)
    if (this.#young.size >= leastRemembered) {
      this.#old = this.#young
      this.#oldHand = this.#youngHand
      this.#young = new Map()
      this.#youngHand = new EndedHand(this.#young)
    }
    // Or it would come back when this one has ended.
    this.#old.delete(recollection.level.id)
    this.#young.set(recollection.level.id, recollection)
  }

  /** A level of one piece: keys are cut from the heads of requests, which would live as long as these. */
  #lasting(level: BudgetLevel): BudgetLevel {
    const known = (this.#young.get(level.id) ?? this.#old.get(level.id))?.level
    if (known !== undefined && known.parameters === level.parameters) return known
    return { ...level, id: copyOf(level.id), place: copyOf(level.place) }
  }

  /** Takes out what is remembered of the budgets that are chosen. */
  take(isChosen: (level: BudgetLevel) => boolean): Map<string, Recollection> {
    const taken = new Map<string, Recollection>()
    // What is in both is newer in the young.
    for (const memory of [this.#old, this.#young]) {
      for (const [id, recollection] of memory) {
        if (!isChosen(recollection.level)) continue
        memory.delete(id)
        taken.set(id, recollection)
      }
    }
    return taken
  }
}

function copyOf(text: string): string {
  const copy = Buffer.from(text).toString()
  // Half a pair of surrogates has no bytes.
  return copy === text ? copy : text
}
