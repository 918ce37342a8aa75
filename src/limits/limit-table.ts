import type { Clock } from '../core/clock.ts'
import type { Charge, Charged, Counters, LevelState } from '../core/counters.ts'
import { Fault } from '../core/fault.ts'
import { KeyedHash } from '../lib/keyed-hash.ts'
import type { Algorithm } from './algorithm.ts'
import { Standing } from './algorithm.ts'
import { algorithmFor, carryOver } from './algorithm-of.ts'
import { findLimitFault } from './limit-fault.ts'
import type { LimitSpec } from './limit-spec.ts'
import type { SlotRegion } from './slot-region.ts'
import type { QuotaSnapshot } from './quota-snapshot.ts'
import { restoreQuotas } from './quota-snapshot.ts'
import { recordTag, TableMemory } from './table-memory.ts'
import type { TableSize, TableTroubles } from './table-memory.ts'

/**
 * The budgets of a node, exact over all its workers: charges lock the stripes they need in ascending order, so a step of
 * several levels is taken whole or not at all, and never promises anything.
 *
 * - **Keys** are known by a 64-bit keyed hash (the key is made by main and never leaves the node). Two keys of a million
 *   share a budget with a probability of 10⁻⁷; nobody outside can make that happen, nor crowd one stripe.
 * - **A full stripe** forgets nothing: budgets that are whole make room, others stay. A key that finds none shares one
 *   budget per limit and stripe with its like, so a flood of keys gets no more than one key's worth in each stripe, and
 *   those already known notice nothing. Concurrency does not share: it refuses, with `overloaded`.
 * - **An edited limit** keeps what was used; so it does when its algorithm changes, except to or from `sliding-log` and
 *   `concurrency`.
 */
export interface LimitTable {
  /** The budgets of these limits for one Generation. Throws when a limit cannot be counted (see findLimitFault). */
  open(specs: readonly LimitSpec[]): LocalCounters
  readonly troubles: TableTroubles
  close(): void
}

/** Counters that never wait. */
export interface LocalCounters extends Counters {
  charge(charges: readonly Charge[]): Charged
  peek(charges: readonly Charge[]): Charged
  credit(charges: readonly Charge[]): void
  debit(charges: readonly Charge[]): void
}

/**
 * Makes the memory of a limit table. For main, once, before the first worker starts. With a snapshot the quotas of an
 * earlier process go on; all other budgets are whole.
 */
export function allocateLimitTable(size: TableSize, clock: Clock, snapshot?: QuotaSnapshot): SharedArrayBuffer {
  const memory = TableMemory.allocate(size, clock, snapshot?.hashKey)
  if (snapshot !== undefined) restoreQuotas(memory, snapshot, clock)
  return memory
}

/** A thread's access to the table; `worker` is its number, main's is the number of workers. */
export function createLimitTable(memory: SharedArrayBuffer, worker: number, clock: Clock): LimitTable {
  const table = new TableMemory(memory, worker)
  return {
    open: (specs) => new TableCounters(table, worker, clock, specs),
    get troubles() {
      return table.troubles
    },
    close() {},
  }
}

/** One limit as a Generation knows it. */
interface Budget {
  readonly algorithm: Algorithm
  readonly sequence: number
  readonly hash: KeyedHash
  readonly region: SlotRegion
  readonly firstLock: number
  /** Tag of the budgets for those who find no slot. */
  readonly overflowHi: number
  readonly overflowLo: number
}

/** Where one level of the step under way is found; reused. */
class Place {
  budget!: Budget
  algorithm!: Algorithm
  cost = 0
  spare = 0
  hi = 0
  lo = 0
  stripe = 0
  lock = 0
  slot = -1
  rows!: Float64Array
  at = 0
  now = 0
  retryAfterMs = 0
}

const standing = new Standing()
/** The calendar is asked only by those who need it, and once per step. */
const unread = -1

class TableCounters implements LocalCounters {
  readonly #memory: TableMemory
  readonly #clock: Clock
  readonly #budgets = new Map<string, Budget>()
  readonly #places: Place[] = []
  readonly #locks: number[] = []
  #locked = 0
  /** State of budgets without a slot. */
  readonly #scratch: Float64Array
  #elapsed = 0
  #calendar = unread

  constructor(memory: TableMemory, worker: number, clock: Clock, specs: readonly LimitSpec[]) {
    this.#memory = memory
    this.#clock = clock
    this.#scratch = new Float64Array(Math.max(memory.logs.stateLength, memory.held.stateLength))
    if (!memory.locks.acquire(0)) throw new Fault('overloaded', 'the registry of limits is locked')
    try {
      for (const spec of specs) this.#budgets.set(spec.name, this.#open(spec, worker))
    } finally {
      memory.locks.release(0)
    }
  }

  charge(charges: readonly Charge[]): Charged {
    this.#lockAll(charges)
    try {
      const refusedBy = this.#ask(charges.length, true)
      return { refusedBy, levels: this.#settleAll(charges.length, refusedBy === -1) }
    } finally {
      this.#unlockAll()
    }
  }

  peek(charges: readonly Charge[]): Charged {
    this.#lockAll(charges)
    try {
      const refusedBy = this.#ask(charges.length, false)
      return { refusedBy, levels: this.#settleAll(charges.length, false) }
    } finally {
      this.#unlockAll()
    }
  }

  credit(charges: readonly Charge[]): void {
    this.#lockAll(charges)
    try {
      for (let i = 0; i < charges.length; i++) {
        const place = this.#places[i]
        // A budget without a slot is whole: there is nothing to give back.
        if (!this.#locate(place, false)) continue
        place.algorithm.giveBack(place.rows, place.at, place.now, place.cost)
        this.#noteWhole(place)
      }
    } finally {
      this.#unlockAll()
    }
  }

  debit(charges: readonly Charge[]): void {
    this.#lockAll(charges)
    try {
      for (let i = 0; i < charges.length; i++) {
        const place = this.#places[i]
        if (place.cost === 0) continue
        this.#locate(place, true)
        place.algorithm.take(place.rows, place.at, place.now, place.cost)
        this.#noteWhole(place)
      }
    } finally {
      this.#unlockAll()
    }
  }

  #open(spec: LimitSpec, worker: number): Budget {
    const fault = findLimitFault(spec)
    if (fault !== undefined) throw new Error(`limit ${spec.name}: ${fault}`)
    const memory = this.#memory
    const algorithm = algorithmFor(spec, { count: memory.workers + 1, worker })
    const naming = new KeyedHash(memory.hashKey)
    const hash = new KeyedHash(naming.derive(`limit ${spec.name}`))
    const [overflowHi, overflowLo] = naming.derive(`overflow ${spec.name}`)
    const [hi, lo] = recordTag(naming, spec.name)
    const sequence = memory.registry.register(hi, lo, algorithm)
    const isLog = spec.algorithm === 'sliding-log'
    const isHeld = spec.algorithm === 'concurrency'
    return {
      algorithm,
      sequence,
      hash,
      region: isLog ? memory.logs : isHeld ? memory.held : memory.buckets,
      firstLock: isLog ? memory.logLocks : isHeld ? memory.heldLocks : memory.bucketLocks,
      overflowHi,
      overflowLo,
    }
  }

  #lockAll(charges: readonly Charge[]): void {
    const locks = this.#locks
    let count = 0
    for (let i = 0; i < charges.length; i++) {
      const charge = charges[i]
      const budget = this.#budgets.get(charge.limit)
      if (budget === undefined) throw new Error(`no limit is named ${charge.limit}`)
      if (!Number.isSafeInteger(charge.cost) || charge.cost < 0) throw new Error(`${charge.cost} is no cost`)
      const place = (this.#places[i] ??= new Place())
      const { hash, region } = budget
      hash.hash(charge.key)
      place.budget = budget
      place.cost = charge.cost
      place.spare = charge.spare ?? 0
      place.hi = hash.hi
      place.lo = hash.lo
      place.slot = -1
      place.stripe = region.stripeOf(hash.hi)
      place.lock = budget.firstLock + place.stripe
      // Ascending, each once.
      let at = count
      while (at > 0 && locks[at - 1] > place.lock) at--
      if (at > 0 && locks[at - 1] === place.lock) continue
      for (let j = count; j > at; j--) locks[j] = locks[j - 1]
      locks[at] = place.lock
      count++
    }
    this.#locked = 0
    for (; this.#locked < count; this.#locked++) {
      if (this.#memory.locks.acquire(locks[this.#locked])) continue
      this.#unlockAll()
      this.#memory.count('stuck')
      throw new Fault('overloaded', 'a lock of the limit table did not come free')
    }
    this.#elapsed = this.#memory.elapsed(this.#clock)
    this.#calendar = unread
  }

  #unlockAll(): void {
    while (this.#locked > 0) this.#memory.locks.release(this.#locks[--this.#locked])
  }

  /** Asks every level; the index of the one with the longest wait, -1 when all pass. */
  #ask(count: number, mayClaim: boolean): number {
    const places = this.#places
    let refusedBy = -1
    let longest = 0
    for (let i = 0; i < count; i++) {
      const place = places[i]
      if (!this.#locate(place, mayClaim && place.cost > 0 && place.cost <= place.budget.algorithm.largestCost)) this.#pretend(place)
      place.retryAfterMs = place.algorithm.retryAfter(place.rows, place.at, place.now, this.#costSoFar(i) + place.spare)
      if (place.retryAfterMs <= longest) continue
      longest = place.retryAfterMs
      refusedBy = i
    }
    return refusedBy
  }

  /** The cost of a level and of those before it that charge the same budget. */
  #costSoFar(index: number): number {
    const places = this.#places
    const place = places[index]
    let cost = place.cost
    for (let i = 0; i < index; i++) {
      const other = places[i]
      if (other.budget === place.budget && other.hi === place.hi && other.lo === place.lo) cost += other.cost
    }
    return cost
  }

  #settleAll(count: number, isCharged: boolean): LevelState[] {
    if (count === 0) return []
    // A list that begins with its first does not grow for it; most steps have one level.
    const levels = [this.#settle(this.#places[0], isCharged)]
    for (let i = 1; i < count; i++) levels.push(this.#settle(this.#places[i], isCharged))
    return levels
  }

  #settle(place: Place, isCharged: boolean): LevelState {
    const { algorithm, now, cost } = place
    if (place.slot === -1) this.#pretend(place)
    let delayMs = 0
    if (isCharged && cost > 0) {
      delayMs = algorithm.take(place.rows, place.at, now, cost)
      this.#noteWhole(place)
    }
    algorithm.read(place.rows, place.at, now, standing)
    return {
      remaining: standing.remaining,
      retryAfterMs: place.retryAfterMs,
      resetAfterMs: standing.resetAfterMs,
      unitAfterMs: standing.unitAfterMs,
      delayMs,
    }
  }

  /** Finds the budget of a place, or makes its slot if it may, and brings it to now; false when it has none: it is whole. */
  #locate(place: Place, mayClaim: boolean): boolean {
    const { budget, stripe } = place
    const { region } = budget
    place.algorithm = budget.algorithm
    place.now = this.#timeOf(budget.algorithm)
    let slot = region.find(stripe, place.hi, place.lo)
    if (slot === -1) {
      slot = mayClaim ? region.claim(stripe, place.hi, place.lo, this.#elapsed) : region.vacancy(stripe, place.lo, this.#elapsed)
      if (slot === -1) slot = this.#locateShared(budget, stripe, mayClaim)
      else if (!mayClaim) slot = -1
    }
    place.slot = slot
    if (slot === -1) return false
    place.rows = region.rows
    place.at = region.stateAt(slot)
    const sequence = region.record(slot)
    if (sequence === 0) region.setRecord(slot, budget.sequence)
    else if (sequence !== budget.sequence) this.#reconcile(place, sequence)
    place.algorithm.advance(place.rows, place.at, place.now)
    return true
  }

  /** The slot of the budget that those share who find their stripe full; -1 when there is none and none may be made. */
  #locateShared(budget: Budget, stripe: number, mayClaim: boolean): number {
    const { region, overflowHi, overflowLo } = budget
    if (budget.algorithm.kind !== 'concurrency') {
      let slot = region.findReserved(stripe, overflowHi, overflowLo)
      if (slot === -1 && mayClaim) slot = region.claimReserved(stripe, overflowHi, overflowLo, this.#elapsed)
      if (slot !== -1 && mayClaim) this.#memory.count('shared')
      if (slot !== -1 || !mayClaim) return slot
    }
    if (!mayClaim) return -1
    this.#memory.count('refused')
    throw new Fault('overloaded', 'the limit table is full')
  }

  /** The state was left by another edition of the limit: the newer of the two goes on with it. */
  #reconcile(place: Place, sequence: number): void {
    const { budget, rows, at } = place
    const other = this.#memory.registry.algorithm(sequence)
    if (other !== undefined && sequence > budget.sequence) {
      place.algorithm = other
      place.now = this.#timeOf(other)
      return
    }
    budget.region.setRecord(place.slot, budget.sequence)
    if (other !== undefined) return carryOver(other, budget.algorithm, rows, at, this.#timeOf(other), place.now)
    rows.fill(0, at, at + budget.algorithm.stateLength)
    // What the numbers meant is lost with their record: unless they are over, the cautious reading is that all is used.
    if (budget.region.wholeAt(place.slot) > this.#elapsed) {
      budget.algorithm.resume(rows, at, place.now, budget.algorithm.largestCost)
    }
  }

  #pretend(place: Place): void {
    place.rows = this.#scratch
    place.at = 0
    place.rows.fill(0, 0, place.algorithm.stateLength)
    place.algorithm.advance(place.rows, 0, place.now)
  }

  #timeOf(algorithm: Algorithm): number {
    if (algorithm.time === 'elapsed') return this.#elapsed
    if (this.#calendar === unread) this.#calendar = Math.floor(this.#clock.now())
    return this.#calendar
  }

  #noteWhole(place: Place): void {
    const wholeAt = place.algorithm.wholeAt(place.rows, place.at)
    // Slots are reused by even time; a calendar's end is as far from now on either clock.
    place.budget.region.setWholeAt(place.slot, place.algorithm.time === 'calendar' ? wholeAt - place.now + this.#elapsed : wholeAt)
  }
}
