import type { BudgetCall, BudgetLevel, BudgetReply, BudgetState } from '../../core/budgets.ts'
import { budgetKinds } from '../../core/budgets.ts'
import { Fault } from '../../core/fault.ts'

/** What a store that has forgotten is told of one budget. */
export interface Lesson {
  readonly level: BudgetLevel
  readonly used: number
  /** Until all of it is given back. */
  readonly resetMs: number
}

const verbs = { charge: 1, peek: 2, credit: 3, debit: 4, hold: 6 } as const
const learn = 5

const kindNumbers = new Map(budgetKinds.map((kind, i) => [kind, i + 1]))

/** One message to the script of budgets: its keys, and the text of what is asked of them. */
export class BudgetMessage {
  readonly keys: string[]
  text: string
  readonly #keyOf: (level: BudgetLevel) => string
  readonly #places = new Map<string, number>()

  /** `epoch`: what the store is believed to have kept since then. */
  constructor(epochKey: string, epoch: number, holder: number, keyOf: (level: BudgetLevel) => string) {
    this.keys = [epochKey]
    this.text = `${epoch} ${holder} `
    this.#keyOf = keyOf
  }

  call({ verb, count, levels }: BudgetCall): void {
    let text = `${verbs[verb]} ${count} ${levels.length} `
    for (const level of levels) text += this.#level(level, level.cost)
    this.text += text
  }

  teach({ level, used, resetMs }: Lesson): void {
    this.text += `${learn} ${resetMs} 1 ${this.#level(level, used)}`
  }

  #level(level: BudgetLevel, cost: number): string {
    const { id, kind, parameters } = level
    let place = this.#places.get(id)
    if (place === undefined) {
      place = this.keys.push(this.#keyOf(level))
      this.#places.set(id, place)
    }
    return `${place} ${kindNumbers.get(kind)} ${parameters[0]} ${parameters[1]} ${parameters[2]} ${cost} `
  }
}

/** The answers of the script; or that it began anew. Throws `store-down` for anything else. */
export function readBudgetAnswer(
  calls: readonly BudgetCall[],
  given: unknown,
): readonly BudgetReply[] | { readonly epoch: number; readonly ageMs: number } {
  if (typeof given !== 'string') throw new Fault('store-down', 'the store answered something else than budgets')
  if (given.startsWith('!')) {
    const [epoch, ageMs] = given.slice(1).split(' ').map(Number)
    return { epoch, ageMs }
  }
  const numbers = given.split(' ')
  let at = 0
  return calls.map(({ levels }): BudgetReply => {
    const granted = Number(numbers[at++])
    const states = levels.map((): BudgetState => {
      const remaining = Number(numbers[at])
      const retry = Number(numbers[at + 1])
      const resetAfterMs = Number(numbers[at + 2])
      const unitAfterMs = Number(numbers[at + 3])
      const delayMs = Number(numbers[at + 4])
      at += 5
      return { remaining, retryAfterMs: retry === -1 ? Infinity : retry, resetAfterMs, unitAfterMs, delayMs }
    })
    return { granted, levels: states }
  })
}
