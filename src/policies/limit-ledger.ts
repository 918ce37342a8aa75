import type { Answer } from '../core/answer.ts'
import type { Charge, LevelState } from '../core/counters.ts'
import type { Exchange } from '../core/exchange.ts'
import { Slot } from '../core/exchange.ts'
import type { Standing } from '../limits/limit-fields.ts'
import type { LimitLevel } from './limit-level.ts'

interface Taken {
  readonly charge: Charge
  readonly kind: string
  /** Held until the exchange is over. */
  readonly isHeld: boolean
}

/** What the limits of an exchange have done so far, over all steps. */
export class Ledger {
  /** Enforced levels that were asked, with their state after the answer. */
  readonly levels: Standing[] = []
  /** RateLimit-Policy of those levels. */
  policies = ''
  /** Whether one of them wants the X-RateLimit fields. */
  hasLegacy = false
  /** The answer that carries the header fields already. */
  writtenOn: Answer | undefined = undefined
  #taken: Taken[] = []
  #shadows: string[] | undefined = undefined

  /** Whether a limit of this name has been charged: one name is charged once per request. */
  has(name: string): boolean {
    for (const level of this.levels) if (level.charge.limit === name) return true
    return this.#shadows !== undefined && this.#shadows.includes(name)
  }

  note(level: LimitLevel, charge: Charge, state: LevelState, kind: string, isTaken: boolean): void {
    this.levels.push({ voice: level.voice, charge, state })
    if (isTaken && charge.cost > 0) this.#taken.push({ charge, kind, isHeld: level.isHeld })
  }

  noteShadow(name: string, charge: Charge, isHeld: boolean): void {
    ;(this.#shadows ??= []).push(name)
    if (isHeld) this.#taken.push({ charge, kind: 'shadow', isHeld })
  }

  /** What a step took, to be given back; it is not here any more. */
  takeChargesOf(kind: string): readonly Charge[] {
    return this.#take((taken) => taken.kind === kind)
  }

  /** What is to be given back when the exchange is over. */
  takeHeld(): readonly Charge[] {
    return this.#take((taken) => taken.isHeld)
  }

  #take(chosen: (taken: Taken) => boolean): readonly Charge[] {
    const charges: Charge[] = []
    for (const taken of this.#taken) if (chosen(taken)) charges.push(taken.charge)
    if (charges.length > 0) this.#taken = this.#taken.filter((taken) => !chosen(taken))
    return charges
  }
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
