import type { BudgetCall, BudgetLevel } from '../../core/budgets.ts'
import { placeLeaseMs } from '../../core/budgets.ts'
import type { Clock, Timer } from '../../core/clock.ts'
import type { FleetStep } from './fleet-client.ts'

/** Often enough that two words in a row may be lost. */
const renewMs = placeLeaseMs / 4
/** How soon what the store may have wrong is told again. */
const correctMs = 100

interface Place {
  readonly level: BudgetLevel
  /** Units of requests that are under way, whoever let them pass. */
  held: number
  /** Units that the store was asked for and has not answered. */
  asked: number
  /** When the store last heard of this holder. */
  heardAt: number
}

/** What the store is told: so much is under way. */
export interface PlaceWord {
  readonly call: BudgetCall
  /** Whether that is all there is to say: nothing was asked that the store may yet have refused. */
  readonly isSure: boolean
}

/**
 * What this holder has under way of concurrency limits. The store counts it for `placeLeaseMs`, so that nothing is lost with
 * a node; this says in time that it lives, and how much it holds. Whenever the store may count something else (a call that
 * was not answered, requests that passed without it, a restart) it is told the whole number again, until it has heard it.
 */
export class Places {
  readonly #clock: Clock
  readonly #sendSoon: () => void
  readonly #places = new Map<string, Place>()
  /** Of which the store is to be told. */
  readonly #due = new Set<string>()
  #timer: Timer | undefined
  #isClosed = false

  /** `sendSoon`: `calls` has something to say. */
  constructor(clock: Clock, sendSoon: () => void) {
    this.#clock = clock
    this.#sendSoon = sendSoon
  }

  asked(step: FleetStep, count: number): void {
    this.#change(step, 0, count)
  }

  answered(step: FleetStep, count: number, granted: number): void {
    this.#change(step, granted, -count)
    if (granted === 0) return
    const now = this.#clock.monotonic()
    for (const { id } of step.levels) {
      const place = this.#places.get(id)
      if (place !== undefined) place.heardAt = now
    }
  }

  /** Passed without the store. */
  passed(step: FleetStep): void {
    this.#change(step, 1, 0)
    this.doubt(step)
  }

  ended(step: FleetStep, count: number): void {
    this.#change(step, -count, 0)
  }

  /** The store may count something else for what this step takes. */
  doubt(step: FleetStep): void {
    for (const level of step.levels) if (level.kind === 'concurrency') this.#doubtOne(level)
  }

  /** The store has forgotten. */
  doubtAll(): void {
    for (const { level } of this.#places.values()) this.#due.add(level.id)
    if (this.#due.size > 0) this.#sendSoon()
  }

  /** What the store is to be told now: before what is asked in the same message, after what is given back there. */
  words(): PlaceWord[] {
    const words: PlaceWord[] = []
    for (const id of this.#due) {
      const { level, held, asked } = this.#places.get(id)!
      words.push({ call: { verb: 'hold', count: held + asked, levels: [{ ...level, cost: 1 }] }, isSure: asked === 0 })
    }
    return words
  }

  /** Whether the store has heard a word. */
  told({ call, isSure }: PlaceWord, didHear: boolean): void {
    const place = this.#places.get(call.levels[0].id)
    if (place === undefined) return
    if (didHear) place.heardAt = this.#clock.monotonic()
    if (didHear && isSure) {
      this.#due.delete(place.level.id)
      this.#forgetEmpty(place)
    } else {
      this.#lookIn(correctMs)
    }
  }

  /** Everything is to be told as given back. */
  close(): BudgetCall[] {
    this.#isClosed = true
    this.#timer?.cancel()
    return Array.from(this.#places.values(), ({ level }) => ({ verb: 'hold', count: 0, levels: [{ ...level, cost: 1 }] }))
  }

  #change(step: FleetStep, held: number, asked: number): void {
    for (const level of step.levels) {
      if (level.kind !== 'concurrency' || level.cost === 0) continue
      const place = this.#placeOf(level)
      place.held = Math.max(0, place.held + held * level.cost)
      place.asked += asked * level.cost
      this.#forgetEmpty(place)
    }
    if (this.#places.size > 0 && this.#timer === undefined) this.#lookIn(renewMs / 2)
  }

  #doubtOne(level: BudgetLevel): void {
    this.#placeOf(level)
    this.#due.add(level.id)
    this.#lookIn(correctMs)
  }

  #placeOf(level: BudgetLevel): Place {
    let place = this.#places.get(level.id)
    if (place === undefined) {
      place = { level, held: 0, asked: 0, heardAt: this.#clock.monotonic() }
      this.#places.set(level.id, place)
    }
    return place
  }

  #forgetEmpty({ level, held, asked }: Place): void {
    if (held === 0 && asked === 0 && !this.#due.has(level.id)) this.#places.delete(level.id)
  }

  #lookIn(ms: number): void {
    if (this.#isClosed) return
    this.#timer?.cancel()
    this.#timer = this.#clock.after(ms, this.#look)
  }

  readonly #look = (): void => {
    this.#timer = undefined
    const before = this.#clock.monotonic() - renewMs
    for (const { level, heardAt } of this.#places.values()) if (heardAt <= before) this.#due.add(level.id)
    if (this.#due.size > 0) this.#sendSoon()
    if (this.#places.size > 0) this.#lookIn(renewMs / 2)
  }
}
