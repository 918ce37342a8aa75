import { createHash } from 'node:crypto'
import type { Charge } from '../core/counters.ts'
import type { CapacityGate, Place } from './capacity-gate.ts'
import type { LimitSpec } from './limit-spec.ts'
import type { LocalCounters } from './limit-table.ts'
import { placesOf, priorities } from './priority.ts'
import type { Priority } from './priority.ts'

/** Under what name the limit table counts the requests of a service; no limit of a configuration can have it (by its colon). */
function nameOf(service: string): string {
  return `concurrency:${createHash('sha256').update(service).digest('hex').slice(0, 40)}`
}

/** How the table counts a service's requests under way: exactly, over all workers of the node. */
export function fixedGateSpec(service: string, limit: number): LimitSpec {
  const common = { per: [], missing: 'shared', shadow: false, tolerance: 0, onStoreFailure: 'local' } as const
  return { ...common, name: nameOf(service), algorithm: 'concurrency', limit }
}

/**
 * The gate of a service with a fixed number of places, shared by all workers of the node: never more than `limit` under
 * way, of each priority never more than its part (`placesOf`) of them all. Nobody waits. A dead worker's places are freed
 * by main. Entering throws `overloaded` when the limit table cannot tell.
 */
export class FixedGate implements CapacityGate {
  readonly #counters: LocalCounters
  readonly #places: readonly [number, number, number]
  readonly #charges: readonly (readonly Charge[])[]

  /** `counters` must have been opened with the service's `fixedGateSpec`. */
  constructor(service: string, limit: number, present: readonly Priority[], counters: LocalCounters) {
    this.#counters = counters
    this.#places = placesOf(limit, present)
    const name = nameOf(service)
    this.#charges = this.#places.map((places) => [{ limit: name, key: '', cost: 1, spare: limit - places }])
  }

  enter(place: Place): boolean {
    if (this.#counters.charge(this.#charges[place.rank]).refusedBy !== -1) return false
    place.isHeld = true
    return true
  }

  hasPlace(rank: number): boolean {
    return this.#counters.peek(this.#charges[rank]).refusedBy === -1
  }

  leave(place: Place): void {
    place.isHeld = false
    this.#counters.credit(this.#charges[place.rank])
  }

  words(rank: number): string {
    const { remaining } = this.#counters.peek(this.#charges[0]).levels[0]
    const [limit] = this.#places
    return `${limit - remaining} under way, ${this.#places[rank]} of ${limit} places are open to ${priorities[rank]} requests`
  }
}
