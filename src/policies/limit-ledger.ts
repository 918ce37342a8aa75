import type { Answer } from '../core/answer.ts'
import type { Charge, LevelState } from '../core/counters.ts'
import type { Exchange } from '../core/exchange.ts'
import { Slot } from '../core/exchange.ts'
import type { LimitVoice, Standing } from '../limits/limit-fields.ts'
import type { LimitLevel } from './limit-level.ts'

/** One limit that was asked for an exchange. */
export class Entry implements Standing {
  readonly voice: LimitVoice
  charge: Charge
  state: LevelState
  readonly kind: string
  /** Held until the exchange is over. */
  readonly isHeld: boolean
  /** The response header that says what the request really cost. */
  readonly settle: string | undefined
  /** Whether the charge was made and has not been given back. */
  isTaken: boolean
  isSettled = false

  constructor(level: LimitLevel, charge: Charge, state: LevelState, kind: string, isTaken: boolean) {
    this.voice = level.voice
    this.charge = charge
    this.state = state
    this.kind = kind
    this.isHeld = level.isHeld
    this.settle = level.settle
    this.isTaken = isTaken
  }
}

const nothing: readonly Charge[] = []

/** What the limits of an exchange have done so far, over all steps. */
export class Ledger {
  /** Enforced limits that were asked, with their state after the answer. */
  readonly levels: Entry[] = []
  /** RateLimit-Policy of those limits. */
  policies = ''
  /** Whether one of them wants the X-RateLimit fields. */
  hasLegacy = false
  /** Whether one of them has a cost that the answer tells. */
  hasReserved = false
  /** The exchange has ended. */
  isOver = false
  /** The answer that carries the header fields already. */
  writtenOn: Answer | undefined = undefined
  #shadows: Entry[] | undefined = undefined

  /** Whether a limit of this name has been asked: one name is charged once per request. */
  has(name: string): boolean {
    for (const level of this.levels) if (level.charge.limit === name) return true
    return this.#shadows !== undefined && this.#shadows.some((level) => level.charge.limit === name)
  }

  note(level: LimitLevel, charge: Charge, state: LevelState, kind: string, isTaken: boolean): void {
    this.levels.push(new Entry(level, charge, state, kind, isTaken))
  }

  noteShadow(level: LimitLevel, charge: Charge, state: LevelState, isTaken: boolean): void {
    ;(this.#shadows ??= []).push(new Entry(level, charge, state, 'shadow', isTaken))
  }

  /** What a step took, to be given back; it counts as given back from here. */
  takeChargesOf(kind: string): readonly Charge[] {
    return this.#take(this.levels, (entry) => entry.kind === kind)
  }

  /** What is to be given back when the exchange is over. */
  takeHeld(): readonly Charge[] {
    const held = this.#take(this.levels, isHeld)
    return this.#shadows === undefined ? held : [...held, ...this.#take(this.#shadows, isHeld)]
  }

  #take(entries: readonly Entry[], isChosen: (entry: Entry) => boolean): readonly Charge[] {
    let charges: Charge[] | undefined
    for (const entry of entries) {
      if (!entry.isTaken || !isChosen(entry)) continue
      entry.isTaken = false
      ;(charges ??= []).push(entry.charge)
    }
    return charges ?? nothing
  }
}

function isHeld(entry: Entry): boolean {
  return entry.isHeld
}

const ledgers = new Slot<Ledger>()

export function ledgerOf(x: Exchange): Ledger | undefined {
  return ledgers.get(x)
}

/** The exchange's ledger, made with its first step. */
export function openLedger(x: Exchange): Ledger {
  let ledger = ledgers.get(x)
  if (ledger === undefined) {
    ledger = new Ledger()
    ledgers.set(x, ledger)
  }
  return ledger
}
