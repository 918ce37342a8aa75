import type { BuildEnv } from '../core/build-env.ts'
import type { Counters } from '../core/counters.ts'
import type { Exchange } from '../core/exchange.ts'
import { Slot } from '../core/exchange.ts'
import { isPromise } from '../core/handler.ts'
import type { MaybePromise } from '../core/handler.ts'
import { headerBlock } from '../core/headers.ts'
import type { Count, Level } from '../core/meter.ts'
import type { Answer } from '../core/answer.ts'
import type { DecideMode, Policy } from '../core/policy.ts'
import type { Verdict } from '../core/verdict.ts'
import { pass, refuse } from '../core/verdict.ts'
import { Place } from '../limits/capacity-gate.ts'
import type { CapacityGate, PlaceEnd } from '../limits/capacity-gate.ts'
import type { Priority } from '../limits/priority.ts'
import { priorities } from '../limits/priority.ts'
import { ledgerOf } from './limit-ledger.ts'

/** Where a service's capacity stands on one route. */
export interface CapacityUse {
  readonly service: string
  readonly priority: Priority
  readonly gate: CapacityGate
  /** A place is held until the answer's head has come (it is measured), or until the exchange is over. */
  readonly holds: 'until-head' | 'until-end'
  /** `services.orders.concurrency`. */
  readonly source: string
}

/** What the policy is built with; `counters` are those of the limits that came before it. */
export interface CapacityEnv extends Pick<BuildEnv, 'log' | 'meter'> {
  readonly counters: Counters
}

const retrySoon = headerBlock([['retry-after', '1']])
const places = new Slot<Place>()

/**
 * Lets a request go to its service, or refuses it with 503 because the service is short of capacity: `sheddable` routes
 * first, `critical` ones last. It stands behind all limits and gives back what they took when it refuses. Probes of a
 * service's health do not come by here.
 */
export function serviceCapacity(use: CapacityUse, env: CapacityEnv): Policy {
  return new ServiceCapacity(use, env)
}

class ServiceCapacity implements Policy {
  readonly name = 'concurrency'
  readonly stage = 'service-limit'
  readonly source: string
  readonly #rank: number
  readonly #gate: CapacityGate
  readonly #isUntilHead: boolean
  readonly #admitted: Count
  readonly #refused: Count
  readonly #underWay: Level
  readonly #pass: Verdict
  readonly #refusal: Verdict
  readonly #env: CapacityEnv

  constructor({ service, priority, gate, holds, source }: CapacityUse, env: CapacityEnv) {
    const rank = priorities.indexOf(priority)
    const count = (decision: string): Count =>
      env.meter.counter('velum_service_admissions_total', 'Requests for a service with `concurrency`, by priority and decision.', {
        service,
        priority,
        decision,
      })
    this.source = source
    this.#rank = rank
    this.#gate = gate
    this.#isUntilHead = holds === 'until-head'
    this.#admitted = count('admitted')
    this.#refused = count('refused')
    this.#underWay = env.meter.gauge('velum_service_places_held', 'Places of a service with `concurrency` that are taken now.', {
      service,
      priority,
    })
    this.#pass = pass('admitted', () => gate.words(rank))
    this.#refusal = refuse(
      priority === 'sheddable' ? 'shed' : 'no-capacity',
      {
        name: 'reduced-capacity',
        detail: 'The service has no capacity for this request now.',
        policy: this.name,
        headers: retrySoon,
      },
      undefined,
      () => `service ${service} is short of capacity: ${gate.words(rank)}`,
    )
    this.#env = env
  }

  decide(x: Exchange, mode: DecideMode): MaybePromise<Verdict> {
    if (mode === 'peek') return this.#gate.hasPlace(this.#rank) ? this.#pass : this.#refusal
    // A body that still has to come takes as long as its sender likes: that says nothing of the service.
    const place = new Place(this.#rank, x.body.bytes !== undefined)
    places.set(x, place)
    const entered = this.#gate.enter(place, x)
    return isPromise(entered) ? entered.then((isIn) => this.#conclude(x, isIn)) : this.#conclude(x, entered)
  }

  onHead(x: Exchange, answer: Answer): void {
    if (this.#isUntilHead) this.#leave(x, endOf(x, answer.status))
  }

  onDone(x: Exchange): void {
    this.#leave(x, 'nothing')
  }

  #conclude(x: Exchange, isIn: boolean): Verdict {
    if (isIn) {
      this.#admitted.add()
      this.#underWay.add(1)
      return this.#pass
    }
    this.#refused.add()
    this.#giveBack(x)
    return this.#refusal
  }

  #leave(x: Exchange, end: PlaceEnd): void {
    const place = places.get(x)
    if (place === undefined || !place.isHeld) return
    this.#underWay.add(-1)
    this.#gate.leave(place, end)
  }

  /** A request that never reached its service costs nothing. */
  #giveBack(x: Exchange): void {
    const ledger = ledgerOf(x)
    if (ledger === undefined) return
    const charges = [...ledger.takeChargesOf('route'), ...ledger.takeChargesOf('service')]
    if (charges.length === 0) return
    const lost = (thrown: unknown): void =>
      this.#env.log.warn('a charge could not be given back', { reason: thrown instanceof Error ? thrown.message : String(thrown) })
    try {
      const done = this.#env.counters.credit(charges)
      if (isPromise(done)) done.catch(lost)
    } catch (thrown) {
      lost(thrown)
    }
  }
}

/** What an answer says of the service's load. */
function endOf(x: Exchange, status: number): PlaceEnd {
  // Only first tries are measured: what comes later holds waits that were our own choice.
  if (x.fault === undefined) {
    if (x.serviceHeadAt === 0) return 'nothing'
    if (status === 503 || status === 504) return 'overloaded'
    return status < 500 && status !== 429 && x.attempts === 1 ? 'answered' : 'nothing'
  }
  if (x.fault.code === 'overloaded') return 'overloaded'
  return x.fault.code === 'service-timeout' || x.fault.code === 'client-left' ? 'given-up' : 'nothing'
}
