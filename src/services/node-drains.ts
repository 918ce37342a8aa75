import type { Clock } from '../core/clock.ts'
import { standingKey } from './standing-messages.ts'
import type { CallsMessage } from './standing-messages.ts'

/** A worker's word older than this is not believed any more: it may be gone. Workers speak twice a second. */
const believedForMs = 3000

interface Drained {
  readonly service: string
  readonly address: string
  /** What each worker said last. */
  readonly calls: Map<number, { readonly calls: number; readonly at: number }>
}

/** The targets that an operator drains, and how much they have left to finish. */
export class NodeDrains {
  readonly #clock: Clock
  readonly #drained = new Map<string, Drained>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  has(service: string, address: string): boolean {
    return this.#drained.has(standingKey(service, address))
  }

  /** Whether that changed anything. */
  set(service: string, address: string, isDraining: boolean): boolean {
    const key = standingKey(service, address)
    if (!isDraining) return this.#drained.delete(key)
    if (this.#drained.has(key)) return false
    this.#drained.set(key, { service, address, calls: new Map() })
    return true
  }

  noteCalls({ service, address, calls }: CallsMessage, worker: number): void {
    this.#drained.get(standingKey(service, address))?.calls.set(worker, { calls, at: this.#clock.monotonic() })
  }

  /** Calls that a draining target still has, on all workers; undefined while nobody said. */
  calls(service: string, address: string): number | undefined {
    const said = this.#drained.get(standingKey(service, address))?.calls
    if (said === undefined || said.size === 0) return undefined
    const since = this.#clock.monotonic() - believedForMs
    let sum = 0
    for (const { calls, at } of said.values()) if (at >= since) sum += calls
    return sum
  }

  /** Those that are drained. */
  all(): Iterable<{ readonly service: string; readonly address: string }> {
    return this.#drained.values()
  }
}
