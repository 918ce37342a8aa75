/** One level of a step as a store of budgets counts it: whose budget, by which algorithm, how much a single request takes. */
export interface BudgetLevel {
  /** Names the budget in the whole fleet: the limit and the key within it. */
  readonly id: string
  /** Budgets of one place lie together, so that a step of theirs is one in a store that is spread over servers. '': the whole gateway's. */
  readonly place: string
  readonly kind: BudgetKind
  /** Three numbers whose meaning is the algorithm's own (`limits/algorithm-of`). */
  readonly parameters: readonly [number, number, number]
  /** Units that one request takes. */
  readonly cost: number
}

/** The algorithms that a fleet can share. Their order is part of what nodes tell a store. */
export const budgetKinds = [
  'token-bucket',
  'leaky-queue',
  'fixed-window',
  'sliding-window',
  'quota',
  'sliding-log',
  'concurrency',
] as const
export type BudgetKind = (typeof budgetKinds)[number]

/**
 * What is asked of a store of budgets. `charge` takes for as many of `count` equal requests as fit into all levels, none
 * of it in one level alone; `peek` says the same and takes nothing; `credit` gives back; `debit` takes without asking;
 * `hold` says that this holder has exactly `count` units of a concurrency limit under way.
 */
export interface BudgetCall {
  readonly verb: 'charge' | 'peek' | 'credit' | 'debit' | 'hold'
  readonly count: number
  readonly levels: readonly BudgetLevel[]
}

/** How a budget stands after a call; waits in whole milliseconds, Infinity for never. */
export interface BudgetState {
  readonly remaining: number
  /** Until one more such request would pass. */
  readonly retryAfterMs: number
  readonly resetAfterMs: number
  readonly unitAfterMs: number
  /** How long the request that was charged has to wait (shaping); 0 where nothing is shaped. */
  readonly delayMs: number
}

export interface BudgetReply {
  /** For how many of the requests it was taken. */
  readonly granted: number
  readonly levels: readonly BudgetState[]
}

/** Who else counts on the same budgets. */
export interface BudgetHolders {
  /** Threads that may hold leases, this one among them. */
  readonly holders: number
  readonly nodes: number
}

/**
 * How long what a holder has under way is counted without a word of its own (`charge`, `hold`): the places of a node that
 * died are free after that.
 */
export const placeLeaseMs = 10_000

/**
 * Budgets that a fleet shares. Calls of a batch that touch the same budget are carried out in their order, each whole or
 * not at all, by the store's own clock, so that the clocks of nodes do not matter. Rejects with `store-down`; a call of
 * which only a part of the store cannot decide is answered by undefined, and has taken nothing.
 */
export interface BudgetStore {
  run(calls: readonly BudgetCall[]): Promise<readonly (BudgetReply | undefined)[]>
  /**
   * Calls `run` when the store turns out to know nothing of before: on first sight, and after it restarted empty. For
   * `forMs` from then on it is still being told what was used, and nothing should be prepaid.
   */
  whenForgotten(run: (forMs: number) => void): void
  /** Says that this holder lives; who has not for `forgetMs` counts no longer. */
  greet(node: string, holder: string, forgetMs: number): Promise<BudgetHolders>
  /** This holder is gone. */
  leave(node: string, holder: string): Promise<void>
  close(): void
}
