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

interface Rule {
  readonly kind: BudgetLevel['kind']
  readonly text: string
}

/** Algorithm and parameters as the script reads them; the parameters of a limit are one object for all its budgets. */
const rules = new WeakMap<BudgetLevel['parameters'], Rule>()

function ruleOf({ kind, parameters }: BudgetLevel): string {
  let rule = rules.get(parameters)
  if (rule === undefined || rule.kind !== kind) {
    rule = { kind, text: ` ${budgetKinds.indexOf(kind) + 1} ${parameters.join(' ')} ` }
    rules.set(parameters, rule)
  }
  return rule.text
}

/** One message to the script of budgets: its keys, and the text of what is asked of them. */
export class BudgetMessage {
  readonly keys: string[]
  text: string
  readonly #keyOf: (level: BudgetLevel) => string

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
    return `${this.keys.push(this.#keyOf(level))}${ruleOf(level)}${cost} `
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
  const numbers = new Numbers(given)
  const replies: BudgetReply[] = []
  for (const { levels } of calls) {
    const granted = numbers.next()
    const states: BudgetState[] = []
    for (let i = 0; i < levels.length; i++) {
      const remaining = numbers.next()
      const retry = numbers.next()
      const resetAfterMs = numbers.next()
      const unitAfterMs = numbers.next()
      const delayMs = numbers.next()
      states.push({ remaining, retryAfterMs: retry === -1 ? Infinity : retry, resetAfterMs, unitAfterMs, delayMs })
    }
    replies.push({ granted, levels: states })
  }
  return replies
}

/** Whole numbers between single spaces, without a text for each. */
class Numbers {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  next(): number {
    const text = this.#text
    let at = this.#at
    const isNegative = text.charCodeAt(at) === 0x2d
    if (isNegative) at++
    let number = 0
    for (; at < text.length; at++) {
      const digit = text.charCodeAt(at) - 0x30
      if (digit < 0 || digit > 9) break
      number = number * 10 + digit
    }
    this.#at = at + 1
    return isNegative ? -number : number
  }
}
