import type { BudgetKind } from '../../core/budgets.ts'
import { algorithmFor } from '../algorithm-of.ts'
import { findLimitFault } from '../limit-fault.ts'
import type { LimitSpec } from '../limit-spec.ts'

/** A limit as a fleet shares it. */
export interface FleetLimit {
  readonly name: string
  readonly kind: BudgetKind
  readonly parameters: readonly [number, number, number]
  readonly largestCost: number
  /** Which part of its keys is the tenant; -1: none is. */
  readonly tenantAt: number
  readonly partCount: number
  readonly tolerance: number
  readonly onStoreFailure: LimitSpec['onStoreFailure']
}

/** Never prepaid, and so exact whatever is tolerated: places in a queue, or requests would overtake each other; what is under way. */
const exactKinds: ReadonlySet<BudgetKind> = new Set(['leaky-queue', 'concurrency'])

/** How a fleet shares this limit. */
export function fleetLimitOf(spec: LimitSpec): FleetLimit {
  const { kind: own, parameters, largestCost } = algorithmFor(spec)
  const kind = own === 'leaky-meter' ? 'token-bucket' : own
  const { name, per, onStoreFailure } = spec
  const tolerance = exactKinds.has(kind) ? 0 : spec.tolerance
  const tenantAt = per.findIndex((part) => part.kind === 'tenant')
  return { name, kind, parameters, largestCost, tenantAt, partCount: per.length, tolerance, onStoreFailure }
}

/** Where the budget of a key lies: with the others of its tenant, else by itself; '' with what the whole gateway shares. */
export function placeOf({ tenantAt, partCount }: FleetLimit, key: string): string {
  if (tenantAt === -1 || partCount === 1) return key
  // Each part of a key stands behind its length (`limit-key`).
  let at = 0
  for (let i = 0; ; i++) {
    const colon = key.indexOf(':', at)
    const end = colon + 1 + Number(key.slice(at, colon))
    if (i === tenantAt) return key.slice(colon + 1, end)
    at = end
  }
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
