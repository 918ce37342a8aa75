import { hash } from 'node:crypto'
import type { BudgetLevel, BudgetReply, BudgetState } from '../../core/budgets.ts'
import type { Charge, Charged, Counters, LevelState } from '../../core/counters.ts'
import { Fault } from '../../core/fault.ts'
import type { MaybePromise } from '../../core/handler.ts'
import { isPromise } from '../../core/handler.ts'
import type { Meter } from '../../core/meter.ts'
import type { LimitSpec } from '../limit-spec.ts'
import type { LocalCounters } from '../limit-table.ts'
import type { FleetClient, FleetStep } from './fleet-client.ts'
import type { FleetLimit } from './fleet-limit.ts'
import { fleetLimitOf, placeOf, shareOf } from './fleet-limit.ts'

export interface FleetCountersOptions {
  readonly specs: readonly LimitSpec[]
  /** Limits that each node counts for itself, although a fleet could share them: those of the edge. */
  readonly isLocal: (limit: string) => boolean
  readonly client: FleetClient
  /** Opens the node's own table for these limits. */
  readonly open: (specs: readonly LimitSpec[]) => LocalCounters
  readonly meter: Meter
}

/** Longer keys stand in the store as their SHA-256. */
const longestKey = 64

/**
 * Budgets of the whole fleet, and the node's own for limits of the edge. All levels of a step that the fleet shares are
 * charged at once; a node's own are charged first, and given back if the fleet refuses. While the store does not answer,
 * each limit's `onStoreFailure` says what counts. What is under way the node counts besides, so that it knows of it then.
 */
export function createFleetCounters(options: FleetCountersOptions): Counters {
  const shared = new Map<string, FleetLimit>()
  for (const spec of options.specs) {
    if (!options.isLocal(spec.name)) shared.set(spec.name, fleetLimitOf(spec))
  }
  return new FleetCounters(options, shared)
}

/** What is said of a budget that nobody was asked about. */
function unknownState(limit: FleetLimit): LevelState {
  return { remaining: limit.largestCost, retryAfterMs: 0, resetAfterMs: 0, unitAfterMs: 0, delayMs: 0 }
}

class FleetCounters implements Counters {
  readonly #options: FleetCountersOptions
  readonly #shared: ReadonlyMap<string, FleetLimit>
  #own: { readonly nodes: number; readonly counters: LocalCounters }

  constructor(options: FleetCountersOptions, shared: ReadonlyMap<string, FleetLimit>) {
    this.#options = options
    this.#shared = shared
    this.#own = this.#openOwn(options.client.fleet.nodes)
  }

  charge(charges: readonly Charge[]): MaybePromise<Charged> {
    return this.#areShared(charges) ? this.#chargeShared(charges) : this.#chargeMixed(charges)
  }

  #areShared(charges: readonly Charge[]): boolean {
    for (const { limit } of charges) if (!this.#shared.has(limit)) return false
    return true
  }

  /** The usual case: all levels are the fleet's. */
  #chargeShared(charges: readonly Charge[]): MaybePromise<Charged> {
    const step = this.#stepOf(charges)
    const failed = (thrown: unknown): Charged => this.#without(charges, thrown, 'charge')
    try {
      const reply = this.#options.client.charge(step)
      if (!isPromise(reply)) return this.#granted(step, charges, reply)
      return reply.then(step.hasPlaces ? (given) => this.#granted(step, charges, given) : chargedOf, failed)
    } catch (thrown) {
      return failed(thrown)
    }
  }

  #granted(step: FleetStep, charges: readonly Charge[], reply: BudgetReply): Charged {
    if (step.hasPlaces && reply.granted > 0) this.#mirror('debit', charges)
    return chargedOf(reply)
  }

  #chargeMixed(charges: readonly Charge[]): MaybePromise<Charged> {
    const ours = charges.filter(({ limit }) => this.#shared.has(limit))
    if (ours.length === 0) return this.#node().charge(charges)
    const own = charges.filter(({ limit }) => !this.#shared.has(limit))
    const charged = this.#node().charge(own)
    if (charged.refusedBy !== -1) return this.#together(charges, charged, undefined)
    const conclude = (fleet: Charged): Charged => {
      if (fleet.refusedBy !== -1) this.#node().credit(own)
      return this.#together(charges, charged, fleet)
    }
    const failed = (closed: unknown): never => {
      this.#node().credit(own)
      throw closed
    }
    try {
      const fleet = this.#chargeShared(ours)
      return isPromise(fleet) ? fleet.then(conclude, failed) : conclude(fleet)
    } catch (closed) {
      return failed(closed)
    }
  }

  peek(charges: readonly Charge[]): MaybePromise<Charged> {
    const ours = charges.filter(({ limit }) => this.#shared.has(limit))
    if (ours.length === 0) return this.#node().peek(charges)
    const own = charges.filter(({ limit }) => !this.#shared.has(limit))
    const peeked = own.length === 0 ? undefined : this.#node().peek(own)
    return this.#options.client.ask('peek', this.#stepOf(ours)).then(
      (reply) => this.#together(charges, peeked, chargedOf(reply)),
      (thrown: unknown) => this.#together(charges, peeked, this.#without(ours, thrown, 'peek')),
    )
  }

  credit(charges: readonly Charge[]): MaybePromise<void> {
    return this.#correct('credit', charges)
  }

  debit(charges: readonly Charge[]): MaybePromise<void> {
    return this.#correct('debit', charges)
  }

  #correct(verb: 'credit' | 'debit', charges: readonly Charge[]): MaybePromise<void> {
    const ours = charges.filter(({ limit }) => this.#shared.has(limit))
    const own = charges.filter(({ limit }) => !this.#shared.has(limit))
    if (own.length > 0) this.#node()[verb](own)
    if (ours.length === 0) return undefined
    return this.#correctShared(verb, ours)
  }

  async #correctShared(verb: 'credit' | 'debit', charges: readonly Charge[]): Promise<void> {
    const step = this.#stepOf(charges)
    if (step.hasPlaces && verb === 'credit') this.#mirror('credit', charges)
    try {
      await this.#options.client.ask(verb, step)
    } catch {
      // That the store is down is known by now; a credit that is lost comes back by itself.
      if (verb === 'debit') this.#node().debit(charges)
    }
  }

  /** What counts while the store does not answer. Throws `store-down` where a limit says `closed`. */
  #without(charges: readonly Charge[], thrown: unknown, verb: 'charge' | 'peek'): Charged {
    if (!(thrown instanceof Fault) || thrown.code !== 'store-down') throw thrown
    const limits = charges.map(({ limit }) => this.#shared.get(limit)!)
    if (verb === 'charge') for (const limit of limits) this.#count(limit)
    if (limits.some(({ onStoreFailure }) => onStoreFailure === 'closed')) throw thrown
    const local = charges.filter((_, i) => limits[i].onStoreFailure === 'local')
    const counted = local.length === 0 ? undefined : this.#node()[verb](local)
    let next = 0
    const levels = limits.map((limit) => (limit.onStoreFailure === 'local' ? counted!.levels[next++] : unknownState(limit)))
    const isPassed = counted === undefined || counted.refusedBy === -1
    if (isPassed && verb === 'charge' && limits.some(({ kind }) => kind === 'concurrency')) {
      this.#mirror(
        'debit',
        charges.filter((_, i) => limits[i].onStoreFailure === 'open'),
      )
      this.#options.client.passedWithout(this.#stepOf(charges))
    }
    return { refusedBy: longestWait(levels, isPassed), levels }
  }

  /** What is under way is counted by the node too, which then knows of it when the store does not answer. */
  #mirror(verb: 'debit' | 'credit', charges: readonly Charge[]): void {
    const places = charges.filter(({ limit }) => this.#shared.get(limit)!.kind === 'concurrency')
    try {
      if (places.length > 0) this.#node()[verb](places)
    } catch (thrown) {
      // The node's table is full: it then knows of less.
      if (!(thrown instanceof Fault)) throw thrown
    }
  }

  #count({ name, onStoreFailure }: FleetLimit): void {
    const help = 'Charges that were decided without the store, by limit and by what counted instead.'
    this.#options.meter.counter('velum_limit_store_failures_total', help, { limit: name, answer: onStoreFailure }).add()
  }

  /** The levels in the order in which they were asked for. */
  #together(charges: readonly Charge[], own: Charged | undefined, fleet: Charged | undefined): Charged {
    if (own === undefined && fleet !== undefined) return fleet
    let ownAt = 0
    let fleetAt = 0
    const levels = charges.map(({ limit }) => {
      const shared = this.#shared.get(limit)
      if (shared === undefined) return own!.levels[ownAt++]
      return fleet === undefined ? unknownState(shared) : fleet.levels[fleetAt++]
    })
    const isPassed = (own === undefined || own.refusedBy === -1) && fleet !== undefined && fleet.refusedBy === -1
    return { refusedBy: longestWait(levels, isPassed), levels }
  }

  #stepOf(charges: readonly Charge[]): FleetStep {
    if (charges.length === 1) return this.#stepOfOne(charges[0])
    let id = ' '
    let hasPlaces = false
    let isExact = false
    const limits: FleetLimit[] = []
    const levels = charges.map((charge) => {
      const limit = this.#shared.get(charge.limit)!
      limits.push(limit)
      if (limit.kind === 'concurrency') hasPlaces = true
      if (limit.tolerance === 0 && charge.cost > 0) isExact = true
      const level = levelOf(limit, charge)
      id += idPart(level)
      return level
    })
    return { id, levels, limits, hasPlaces, isExact }
  }

  /** The usual step: when it costs one unit, it is called as its only budget is, since no limit's name has a space. */
  #stepOfOne(charge: Charge): FleetStep {
    const limit = this.#shared.get(charge.limit)!
    const level = levelOf(limit, charge)
    return {
      id: charge.cost === 1 ? level.id : ` ${idPart(level)}`,
      levels: [level],
      limits: [limit],
      hasPlaces: limit.kind === 'concurrency',
      isExact: limit.tolerance === 0 && charge.cost > 0,
    }
  }

  /** The node's own budgets: whole for its own limits, its share for those of the fleet. */
  #node(): LocalCounters {
    const { nodes } = this.#options.client.fleet
    if (nodes !== this.#own.nodes) this.#own = this.#openOwn(nodes)
    return this.#own.counters
  }

  #openOwn(nodes: number): { nodes: number; counters: LocalCounters } {
    const specs = this.#options.specs.map((spec) => (this.#shared.has(spec.name) ? shareOf(spec, nodes) : spec))
    return { nodes, counters: this.#options.open(specs) }
  }
}

/** A charge as the store counts it. */
export function levelOf(limit: FleetLimit, { key, cost }: Charge): BudgetLevel {
  const { name, kind, parameters } = limit
  const id = key.length <= longestKey ? `${name}:=${key}` : `${name}:#${hash('sha256', key, 'base64url')}`
  return { id, place: placeOf(limit, key), kind, parameters, cost }
}

function idPart({ id, cost }: BudgetLevel): string {
  return `${id.length}:${id}${cost}:`
}

function chargedOf({ granted, levels }: BudgetReply): Charged {
  return { refusedBy: longestWait(levels, granted > 0), levels }
}

function longestWait(levels: readonly BudgetState[], isPassed: boolean): number {
  let refusedBy = -1
  if (isPassed) return refusedBy
  for (let i = 0; i < levels.length; i++) {
    if (levels[i].retryAfterMs > (refusedBy === -1 ? 0 : levels[refusedBy].retryAfterMs)) refusedBy = i
  }
  return refusedBy
}
