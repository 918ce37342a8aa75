/** One level of a step as a store of budgets counts it: whose budget, by which algorithm, how much a single request takes. */
export interface BudgetLevel {
  /** Names the budget in the whole fleet: the limit and the key within it. */
  readonly id: string
  readonly kind: BudgetKind
  /** Three numbers whose meaning is the algorithm's own (`limits/algorithm-of`). */
  readonly parameters: readonly [number, number, number]
  /** Units that one request takes. */
  readonly cost: number
}

/** The algorithms that a fleet can share. Their order is part of what nodes tell a store. */
export const budgetKinds = ['token-bucket', 'leaky-queue', 'fixed-window', 'sliding-window', 'quota'] as const
export type BudgetKind = (typeof budgetKinds)[number]

/**
 * What is asked of a store of budgets. `charge` takes for as many of `count` equal requests as fit into all levels, none
 * of it in one level alone; `peek` says the same and takes nothing; `credit` gives back; `debit` takes without asking.
 */
export interface BudgetCall {
  readonly verb: 'charge' | 'peek' | 'credit' | 'debit'
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
 * Budgets that a fleet shares. All calls of a batch are carried out in their order, each whole or not at all, by the
 * store's own clock, so that the clocks of nodes do not matter. Rejects with `store-down`.
 */
export interface BudgetStore {
  run(calls: readonly BudgetCall[]): Promise<readonly BudgetReply[]>
  /** Says that this holder lives; who has not for `forgetMs` counts no longer. */
  greet(node: string, holder: string, forgetMs: number): Promise<BudgetHolders>
  /** This holder is gone. */
  leave(node: string, holder: string): Promise<void>
  close(): void
}
