import type { BudgetCall, BudgetHolders, BudgetLevel, BudgetReply, BudgetState, BudgetStore } from '../../src/core/budgets.ts'
import { Fault } from '../../src/core/fault.ts'
import { Standing } from '../../src/limits/algorithm.ts'
import { algorithmOf, carryOver } from '../../src/limits/algorithm-of.ts'
import type { Algorithm } from '../../src/limits/algorithm.ts'

interface Budget {
  algorithm: Algorithm
  readonly state: Float64Array
  isEdited: boolean
}

/** What a store of budgets has to do, said with the algorithms of `limits/` themselves. */
export class MemoryBudgets implements BudgetStore {
  /** The store's own time. */
  now: number
  holders: BudgetHolders = { holders: 1, nodes: 1 }
  /** `down`: rejects; `silent`: never answers. */
  mood: 'up' | 'down' | 'silent' = 'up'
  readonly batches: (readonly BudgetCall[])[] = []
  readonly left: string[] = []
  readonly #budgets = new Map<string, Budget>()
  readonly #listeners: ((forMs: number) => void)[] = []

  constructor(now = 1_700_000_000_000) {
    this.now = now
  }

  async run(calls: readonly BudgetCall[]): Promise<BudgetReply[]> {
    await this.#answering()
    if (calls.length > 0) this.batches.push(calls)
    return calls.map((call) => this.#carryOut(call))
  }

  whenForgotten(run: (forMs: number) => void): void {
    this.#listeners.push(run)
  }

  /** Forgets everything, as a server does that restarts empty. */
  forget(forMs: number): void {
    this.#budgets.clear()
    for (const listen of this.#listeners) listen(forMs)
  }

  async greet(): Promise<BudgetHolders> {
    await this.#answering()
    return this.holders
  }

  async leave(node: string, holder: string): Promise<void> {
    this.left.push(`${node}/${holder}`)
  }

  close(): void {}

  async #answering(): Promise<void> {
    if (this.mood === 'down') throw new Fault('store-down')
    if (this.mood === 'silent') await new Promise(() => {})
  }

  #carryOut({ verb, count, levels }: BudgetCall): BudgetReply {
    const { now } = this
    const budgets = levels.map((level) => this.#find(level))
    let granted = 0
    const delays = levels.map(() => 0)
    const isDecision = verb === 'charge' || verb === 'peek'
    for (; granted < count; granted++) {
      const passes = budgets.every(({ algorithm, state }, i) => algorithm.retryAfter(state, 0, now, levels[i].cost) === 0)
      if (isDecision && !passes) break
      for (const [i, { algorithm, state }] of budgets.entries()) {
        if (levels[i].cost === 0 || verb === 'hold') continue
        if (verb === 'credit') algorithm.giveBack(state, 0, now, levels[i].cost)
        else {
          const delay = algorithm.take(state, 0, now, levels[i].cost)
          if (granted === 0 && verb === 'charge') delays[i] = delay
        }
      }
    }
    if (verb === 'hold') for (const { state } of budgets) state[0] = count
    if (verb === 'peek') for (const [i, level] of levels.entries()) budgets[i] = this.#find(level)
    const standing = new Standing()
    return {
      granted,
      levels: budgets.map(({ algorithm, state }, i): BudgetState => {
        algorithm.read(state, 0, now, standing)
        const { remaining, resetAfterMs, unitAfterMs } = standing
        const retryAfterMs = algorithm.retryAfter(state, 0, now, levels[i].cost)
        // A whole budget is forgotten when it is written.
        const isWritten = budgets[i].isEdited || verb === 'hold' || (verb !== 'peek' && granted > 0 && levels[i].cost > 0)
        if (isWritten && resetAfterMs === 0) this.#budgets.delete(levels[i].id)
        else if (isWritten) this.#budgets.set(levels[i].id, { algorithm, state, isEdited: false })
        return { remaining, resetAfterMs, unitAfterMs, retryAfterMs, delayMs: delays[i] }
      }),
    }
  }

  /** A budget as it is now, to be written back. */
  #find({ id, kind, parameters }: BudgetLevel): Budget {
    const algorithm = algorithmOf(kind, parameters)
    const stored = this.#budgets.get(id)
    const budget: Budget = {
      algorithm: stored?.algorithm ?? algorithm,
      state: stored?.state.slice() ?? new Float64Array(algorithmOf('sliding-log', [1, 1, 0]).stateLength),
      isEdited: false,
    }
    const { state } = budget
    const before = newestOf(budget.algorithm, state)
    budget.algorithm.advance(state, 0, this.now)
    // Mended after a jump of the clock.
    budget.isEdited = newestOf(budget.algorithm, state) < before
    if (budget.algorithm.kind !== kind || budget.algorithm.parameters.some((p, i) => p !== parameters[i])) {
      carryOver(budget.algorithm, algorithm, state, 0, this.now, this.now)
      budget.algorithm = algorithm
      budget.isEdited = true
    }
    algorithm.advance(state, 0, this.now)
    return budget
  }
}

/** The latest time that a state names. */
function newestOf(algorithm: Algorithm, state: Float64Array): number {
  if (algorithm.kind === 'concurrency') return 0
  if (algorithm.kind !== 'sliding-log') return state[0]
  return state[1] === 0 ? Infinity : algorithm.wholeAt(state, 0)
}
