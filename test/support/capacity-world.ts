import type { Exchange } from '../../src/core/exchange.ts'
import { isPromise } from '../../src/core/handler.ts'
import { ManualClock } from '../../src/core/manual-clock.ts'
import { AdaptiveGate } from '../../src/limits/adaptive-gate.ts'
import { Place } from '../../src/limits/capacity-gate.ts'
import { priorities } from '../../src/limits/priority.ts'
import { allocateRests, restsOf } from '../../src/limits/rest-board.ts'
import type { Priority } from '../../src/limits/priority.ts'

/** What became of the requests of one priority. */
export class Tally {
  answered = 0
  refused = 0
  /** From asking for a place to the answer, in ms. */
  readonly latencies: number[] = []

  get refusedShare(): number {
    return this.refused / Math.max(1, this.refused + this.answered)
  }

  /** The latency below which this share of the answers stayed. */
  percentile(share: number): number {
    const sorted = this.latencies.toSorted((a, b) => a - b)
    return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
  }
}

/** Requests per second of each priority that has any. */
export type Rates = Partial<Record<Priority, number>>

export interface CapacityWorldOptions {
  /** Default: all. */
  readonly present?: readonly Priority[]
  /** Workers of the gateway; default: one. */
  readonly gates?: number
}

/**
 * A service of `workers` that work on one request each for `workMs`, the others queueing first come, first served, behind
 * an adaptive gate, or several of them that share what comes, in time that is moved by hand. Arrivals are random, the same
 * in every run.
 */
export class CapacityWorld {
  readonly clock = new ManualClock()
  readonly places: number[] = []
  workers: number
  workMs: number
  tallies: Readonly<Record<Priority, Tally>> = fresh()
  readonly #gates: readonly AdaptiveGate[]
  readonly #queue: (() => void)[] = []
  #busy = 0
  #limit = 0
  #seed = 1

  constructor(workers: number, workMs: number, { present = priorities, gates = 1 }: CapacityWorldOptions = {}) {
    this.workers = workers
    this.workMs = workMs
    const rests = allocateRests(gates)
    const told = { add: (n: number) => void (this.#limit += n) }
    this.#gates = Array.from({ length: gates }, (_, worker) => new AdaptiveGate(this.clock, told, restsOf(rests, worker, 'orders')))
    for (const gate of this.#gates) gate.serves(present)
  }

  get limit(): number {
    return this.#limit
  }

  /** Lets traffic of these rates come for so long; what it met is in `tallies`, the limit of each 100 ms in `places`. */
  async run(seconds: number, rates: Rates): Promise<void> {
    this.tallies = fresh()
    this.places.length = 0
    for (let ms = 0; ms < seconds * 1000; ms++) {
      for (const [rank, priority] of priorities.entries()) {
        for (let left = this.#arrivals((rates[priority] ?? 0) / 1000); left > 0; left--) this.#ask(rank, this.tallies[priority])
      }
      this.clock.advance(1)
      // Who waited for a place and got one goes on in a promise.
      await Promise.resolve()
      await Promise.resolve()
      if (ms % 100 === 0) this.places.push(this.#limit)
    }
  }

  #ask(rank: number, tally: Tally): void {
    const place = new Place(rank, true)
    const gate = this.#gates[this.#gates.length === 1 ? 0 : Math.floor(this.#random() ** 2 * this.#gates.length)]
    const askedAt = this.clock.monotonic()
    const go = (isIn: boolean): void => {
      if (!isIn) {
        tally.refused++
        return
      }
      this.#work(() => {
        gate.leave(place, 'answered')
        tally.answered++
        tally.latencies.push(this.clock.monotonic() - askedAt)
      })
    }
    const entered = gate.enter(place, stays)
    if (isPromise(entered)) void entered.then(go)
    else go(entered)
  }

  #work(done: () => void): void {
    if (this.#busy >= this.workers) {
      this.#queue.push(() => this.#work(done))
      return
    }
    this.#busy++
    this.clock.after(this.workMs * (0.8 + 0.4 * this.#random()), () => {
      this.#busy--
      done()
      this.#queue.shift()?.()
    })
  }

  /** Poisson's number of arrivals in a millisecond. */
  #arrivals(mean: number): number {
    const floor = Math.exp(-mean)
    let product = this.#random()
    let count = 0
    while (product > floor) {
      product *= this.#random()
      count++
    }
    return count
  }

  #random(): number {
    this.#seed = (Math.imul(this.#seed, 1_664_525) + 1_013_904_223) >>> 0
    return this.#seed / 2 ** 32
  }
}

/** A client that stays until it is answered. */
const stays = { whenLeft() {} } as unknown as Exchange

function fresh(): Record<Priority, Tally> {
  return { critical: new Tally(), default: new Tally(), sheddable: new Tally() }
}
