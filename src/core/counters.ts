import type { MaybePromise } from './handler.ts'

/** One level of a step: a limit, whose budget, how much. */
export interface Charge {
  /** The limit's name in the configuration. */
  readonly limit: string
  /** Whose budget: the joined key parts. '' is the one global key. */
  readonly key: string
  /** How much is taken, in the limit's unit; 0 takes nothing. */
  readonly cost: number
  /** What must be left over besides for the charge to pass; nothing of it is taken. Absent: nothing. Known to local counters only. */
  readonly spare?: number | undefined
}

/** How one level stands after a charge. */
export interface LevelState {
  /** Whole units left now. */
  readonly remaining: number
  /**
   * Milliseconds after which the same charge would pass if no other competed; 0 when it would pass now; Infinity: never.
   * What is under way ends when it ends: for a concurrency limit this is a guess.
   */
  readonly retryAfterMs: number
  /** Milliseconds until the budget is whole again. */
  readonly resetAfterMs: number
  /** Milliseconds until at least one unit is left; 0 while `remaining` is not 0. */
  readonly unitAfterMs: number
  /** How long what was charged has to wait before it goes on (shaping); 0 where nothing is shaped. */
  readonly delayMs: number
}

/** The result of charging the levels of a step: all of them or none. */
export interface Charged {
  /** Index of the level that refused most restrictively (longest wait); -1 when all passed and were charged. */
  readonly refusedBy: number
  readonly levels: readonly LevelState[]
}

/**
 * Budgets, charged atomically over several levels. Refused charges take nothing anywhere. Throws the Fault `overloaded`
 * when it cannot tell (a bound of its own is reached), `store-down` when a store cannot.
 */
export interface Counters {
  charge(charges: readonly Charge[]): MaybePromise<Charged>
  /** The same question without taking anything. */
  peek(charges: readonly Charge[]): MaybePromise<Charged>
  /** Gives back what an earlier charge took, never above the limit's capacity. Ends what a concurrency limit holds. */
  credit(charges: readonly Charge[]): MaybePromise<void>
  /** Takes without asking, for a cost known only afterwards: the budget may go into debt, by one capacity at most. */
  debit(charges: readonly Charge[]): MaybePromise<void>
}
