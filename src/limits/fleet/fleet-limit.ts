import type { BudgetKind } from '../../core/budgets.ts'
import { budgetKinds } from '../../core/budgets.ts'
import { algorithmFor } from '../algorithm-of.ts'
import { findLimitFault } from '../limit-fault.ts'
import type { LimitSpec } from '../limit-spec.ts'

/** A limit as a fleet shares it. */
export interface FleetLimit {
  readonly name: string
  readonly kind: BudgetKind
  readonly parameters: readonly [number, number, number]
  readonly largestCost: number
  readonly tolerance: number
  readonly onStoreFailure: LimitSpec['onStoreFailure']
}

/** How a fleet shares this limit; undefined when each node counts for itself: what is under way, and sliding logs. */
export function fleetLimitOf(spec: LimitSpec): FleetLimit | undefined {
  const { kind: own, parameters, largestCost } = algorithmFor(spec)
  const kind = own === 'leaky-meter' ? 'token-bucket' : own
  if (!isBudgetKind(kind)) return undefined
  const { name, onStoreFailure } = spec
  // What waits in a queue has its place there: prepaid places would let requests overtake each other.
  const tolerance = kind === 'leaky-queue' ? 0 : spec.tolerance
  return { name, kind, parameters, largestCost, tolerance, onStoreFailure }
}

function isBudgetKind(kind: string): kind is BudgetKind {
  return (budgetKinds as readonly string[]).includes(kind)
}

/**
 * How many units one holder may have prepaid and unspent, besides the one it asks for: N holders then overshoot the limit
 * by N·(k-1) <= tolerance·C at most, with k - 1 of this.
 */
export function largestLease(limit: Pick<FleetLimit, 'largestCost' | 'tolerance'>, holders: number): number {
  return Math.floor((limit.tolerance * limit.largestCost) / Math.max(1, holders))
}

/**
 * The share of one of `nodes` nodes that count for themselves; at least one unit, since a share of none would refuse
 * everybody. A share that could not be counted (a drop in ten years) is the whole limit's.
 */
export function shareOf(spec: LimitSpec, nodes: number): LimitSpec {
  const shared = dividedBy(spec, nodes)
  return findLimitFault(shared) === undefined ? shared : spec
}

function dividedBy(spec: LimitSpec, nodes: number): LimitSpec {
  const share = (amount: number): number => Math.max(1, Math.floor(amount / nodes))
  switch (spec.algorithm) {
    case 'token-bucket':
      return { ...spec, capacity: share(spec.capacity), refill: { ...spec.refill, periodMs: spec.refill.periodMs * nodes } }
    case 'leaky-bucket':
      return { ...spec, capacity: share(spec.capacity), leak: { ...spec.leak, periodMs: spec.leak.periodMs * nodes } }
    default:
      return { ...spec, limit: share(spec.limit) }
  }
}
