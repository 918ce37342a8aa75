import type { Clock } from '../core/clock.ts'
import type { Closable } from '../core/lasting.ts'
import type { Hub } from '../core/link.ts'
import type { Log } from '../core/log.ts'
import type { Level, Meter } from '../core/meter.ts'
import { breakerTopic, probedTopic, trippedTopic } from './breaker-messages.ts'
import type { BreakerMessage, BreakerName, TrippedMessage, TripReason } from './breaker-messages.ts'
import type { ServiceSpec } from './service-spec.ts'
import { standingKey } from './standing-messages.ts'
import { addressOf } from './target-address.ts'

interface Tripped extends BreakerName {
  readonly openUntil: number
  readonly reason: TripReason
  /** Probes that went well since it is half-open. */
  succeeded: number
}

/** A breaker that is not closed. */
export interface BreakerStatus {
  readonly state: 'open' | 'half-open'
  readonly reason: TripReason
  /** Until it is half-open. */
  readonly forMs: number
}

export interface NodeBreakersOptions {
  readonly clock: Clock
  readonly log: Log
  readonly meter: Meter
}

/** Main's part of the circuit breakers (`breaker.ts`): what opened on one worker is open on all, and closes on all. */
export class NodeBreakers implements Closable {
  readonly #hub: Hub
  readonly #options: NodeBreakersOptions
  readonly #stops: (() => void)[]
  readonly #tripped = new Map<string, Tripped>()
  #specs = new Map<string, ServiceSpec>()

  constructor(hub: Hub, options: NodeBreakersOptions) {
    this.#hub = hub
    this.#options = options
    this.#stops = [
      hub.hear(trippedTopic, (message) => this.#trip(message as TrippedMessage)),
      hub.hear(probedTopic, (message) => this.#probed(message as BreakerName)),
      hub.answer(breakerTopic, () => [...this.#tripped.values()].map(toMessage)),
    ]
  }

  /** From now on these services are served. A breaker stays as it is while its thresholds and its target do. */
  commit(services: readonly ServiceSpec[]): void {
    const before = this.#specs
    this.#specs = new Map(services.map((spec) => [spec.name, spec]))
    for (const [key, tripped] of this.#tripped) {
      if (isKept(tripped, before.get(tripped.service), this.#specs.get(tripped.service))) continue
      this.#tripped.delete(key)
      this.#openLevel(tripped).add(-1)
      this.#hub.tellAll(breakerTopic, [toMessage({ ...tripped, openUntil: 0 })])
    }
    for (const { name, breaker } of services) {
      if (breaker === undefined) continue
      for (const address of ['', 'any']) this.#openLevel({ service: name, address }).add(0)
    }
  }

  /** What is known of the breaker of a target, or with '' of the service; undefined while it is closed. */
  status(service: string, address: string): BreakerStatus | undefined {
    const tripped = this.#tripped.get(standingKey(service, address))
    if (tripped === undefined) return undefined
    const forMs = Math.max(0, Math.ceil(tripped.openUntil - this.#options.clock.monotonic()))
    return { state: forMs > 0 ? 'open' : 'half-open', reason: tripped.reason, forMs }
  }

  close(): void {
    for (const stop of this.#stops) stop()
  }

  #trip({ service, address, reason }: TrippedMessage): void {
    const spec = this.#specs.get(service)?.breaker
    const key = standingKey(service, address)
    const { clock, log, meter } = this.#options
    const now = clock.monotonic()
    const before = this.#tripped.get(key)
    // Another worker was first; it has been told to all.
    if (spec === undefined || (before !== undefined && before.openUntil > now)) return
    const tripped = { service, address, reason, openUntil: now + spec.openMs, succeeded: 0 }
    this.#tripped.set(key, tripped)
    if (before === undefined) this.#openLevel(tripped).add(1)
    meter
      .counter(
        'velum_service_breaker_openings_total',
        'Times that circuit breakers opened, of a service as a whole or of its targets.',
        {
          service,
          of: kindOf(tripped),
          reason,
        },
      )
      .add()
    log.warn('a circuit breaker opened', { service, ...targetField(address), reason, forMs: spec.openMs })
    this.#hub.tellAll(breakerTopic, [toMessage(tripped)])
  }

  #probed({ service, address }: BreakerName): void {
    const key = standingKey(service, address)
    const tripped = this.#tripped.get(key)
    const spec = this.#specs.get(service)?.breaker
    if (tripped === undefined || spec === undefined || tripped.openUntil > this.#options.clock.monotonic()) return
    if (++tripped.succeeded < spec.probes) return
    this.#tripped.delete(key)
    this.#openLevel(tripped).add(-1)
    this.#options.log.info('a circuit breaker closed', { service, ...targetField(address) })
    this.#hub.tellAll(breakerTopic, [toMessage({ ...tripped, openUntil: 0 })])
  }

  #openLevel(name: BreakerName): Level {
    return this.#options.meter.gauge(
      'velum_service_breakers_open',
      'Circuit breakers that are open or half-open, of a service as a whole or of its targets.',
      { service: name.service, of: kindOf(name) },
    )
  }
}

function isKept({ address }: Tripped, before: ServiceSpec | undefined, now: ServiceSpec | undefined): boolean {
  if (now?.breaker === undefined || JSON.stringify(now.breaker) !== JSON.stringify(before?.breaker)) return false
  if (address === '') return now.breaker.isOfService
  return now.targets.some((target) => addressOf(target) === address)
}

function toMessage({ service, address, openUntil }: BreakerMessage): BreakerMessage {
  return { service, address, openUntil }
}

function kindOf({ address }: BreakerName): 'service' | 'target' {
  return address === '' ? 'service' : 'target'
}

function targetField(address: string): { readonly target?: string } {
  return address === '' ? {} : { target: address }
}
