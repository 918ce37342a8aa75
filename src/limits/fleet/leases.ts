import type { BudgetReply, BudgetState } from '../../core/budgets.ts'
import type { Clock, Timer } from '../../core/clock.ts'
import type { FleetStep } from './fleet-client.ts'
import { largestLease } from './fleet-limit.ts'

/** Prepaid requests that nobody came for are returned after this time. */
const idleMs = 200
const lookEveryMs = 100
/** Steps that can be prepaid at one time; further ones stay exact. */
const mostLeases = 65_536

interface Lease {
  readonly step: FleetStep
  /** Requests that are paid for. */
  left: number
  /** Requests since it was filled. */
  spent: number
  usedAt: number
  /** When it was filled, and how the budgets stood then. */
  filledAt: number
  states: readonly BudgetState[]
}

/**
 * Requests that are paid for in advance, whole steps of them, so that no level is ever paid without the others. Of one
 * budget at most `largestLease` units are prepaid and unspent, over all steps that take from it.
 */
export class Leases {
  readonly #clock: Clock
  readonly #giveBack: (step: FleetStep, count: number) => void
  readonly #leases = new Map<string, Lease>()
  /** Units of each budget that are prepaid, or asked for. */
  readonly #outstanding = new Map<string, number>()
  #timer: Timer | undefined

  constructor(clock: Clock, giveBack: (step: FleetStep, count: number) => void) {
    this.#clock = clock
    this.#giveBack = giveBack
  }

  /** Spends one prepaid request; undefined when there is none. */
  spend(step: FleetStep): BudgetReply | undefined {
    const lease = this.#leases.get(step.id)
    if (lease === undefined || lease.left === 0) return undefined
    lease.left--
    lease.spent++
    lease.usedAt = this.#clock.monotonic()
    this.#count(step, -1)
    const goneMs = lease.usedAt - lease.filledAt
    const levels = lease.states.map(({ remaining, resetAfterMs, unitAfterMs }, i): BudgetState => {
      const left = remaining + lease.left * step.levels[i].cost
      return {
        remaining: left,
        retryAfterMs: 0,
        resetAfterMs: Math.max(0, Math.ceil(resetAfterMs - goneMs)),
        unitAfterMs: left > 0 ? 0 : Math.max(0, Math.ceil(unitAfterMs - goneMs)),
        delayMs: 0,
      }
    })
    return { granted: 1, levels }
  }

  /** How many requests to prepay besides those that wait; they are outstanding from here until `fill`. */
  reserve(step: FleetStep, waiting: number, holders: number): number {
    const lease = this.#leases.get(step.id)
    if (lease === undefined && this.#leases.size >= mostLeases) return 0
    // Twice what went between two calls: a hot key soon has all it may have, a cold one strands little.
    let most = waiting + 2 * (lease?.spent ?? 0)
    for (const [i, { id, cost }] of step.levels.entries()) {
      if (cost === 0) continue
      const free = largestLease(step.limits[i], holders) - (this.#outstanding.get(id) ?? 0)
      most = Math.min(most, Math.floor(free / cost))
    }
    if (most <= 0) return 0
    this.#count(step, most)
    return most
  }

  /** What became of `reserved` requests: `got` of them were paid for. */
  fill(step: FleetStep, reserved: number, got: number, reply: BudgetReply | undefined): void {
    if (reserved > got) this.#count(step, got - reserved)
    if (got === 0 || reply === undefined) return
    const now = this.#clock.monotonic()
    const before = this.#leases.get(step.id)
    if (before === undefined) {
      this.#leases.set(step.id, { step, left: got, spent: 0, usedAt: now, filledAt: now, states: reply.levels })
    } else {
      before.left += got
      before.spent = 0
      before.filledAt = now
      before.states = reply.levels
    }
    this.#timer ??= this.#clock.after(lookEveryMs, this.#look)
  }

  /** Returns everything. */
  close(): void {
    this.#timer?.cancel()
    for (const lease of this.#leases.values()) this.#end(lease)
  }

  readonly #look = (): void => {
    this.#timer = undefined
    const now = this.#clock.monotonic()
    for (const lease of this.#leases.values()) if (now - lease.usedAt >= idleMs) this.#end(lease)
    if (this.#leases.size > 0) this.#timer = this.#clock.after(lookEveryMs, this.#look)
  }

  #end(lease: Lease): void {
    this.#leases.delete(lease.step.id)
    if (lease.left === 0) return
    this.#count(lease.step, -lease.left)
    this.#giveBack(lease.step, lease.left)
  }

  #count(step: FleetStep, requests: number): void {
    for (const { id, cost } of step.levels) {
      const units = (this.#outstanding.get(id) ?? 0) + requests * cost
      if (units <= 0) this.#outstanding.delete(id)
      else this.#outstanding.set(id, units)
    }
  }
}
