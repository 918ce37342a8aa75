import type { Clock } from '../core/clock.ts'
import type { Closable } from '../core/lasting.ts'
import type { Hub } from '../core/link.ts'
import type { Log } from '../core/log.ts'
import type { Meter } from '../core/meter.ts'
import { NodeBreakers } from './node-breakers.ts'
import type { BreakerStatus } from './node-breakers.ts'
import { NodeDrains } from './node-drains.ts'
import { NodeProbes } from './node-probes.ts'
import type { ServiceSpec } from './service-spec.ts'
import { callsTopic, failedTopic, recoveredTopic, standingKey, standingTopic } from './standing-messages.ts'
import type { CallsMessage, FailedMessage, RecoveredMessage, TargetState } from './standing-messages.ts'
import { addressOf } from './target-address.ts'

/** A target that did well for so long, or for twice its last ejection, is believed to be well again. */
const forgiveAfterMs = 60_000
/** No ejection is longer, however often a target fails. */
const maxEjectMs = 300_000

interface Ejected {
  state: TargetState
  /** Ejections one upon the other; each doubles the time. */
  times: number
  spanMs: number
  /** When it came back, monotonic; Infinity while it is out. */
  backAt: number
}

/** How a target stands, for those who look from outside. The first of these that is true of it. */
export interface TargetStatus {
  readonly state: 'draining' | 'down' | 'ejected' | 'open' | 'half-open' | 'in'
  /** What keeps it out, and for how many milliseconds yet (Infinity: until probes succeed); absent when nothing does. */
  readonly out?: { readonly reason: string; readonly forMs: number }
  /** Calls that it still has while it is draining; absent while workers have not said. */
  readonly calls?: number
}

export interface NodeTargetsOptions {
  readonly clock: Clock
  readonly log: Log
  readonly meter: Meter
}

/**
 * Main's part of what is known of targets: it is told by one worker that a target fails, decides for how long the
 * target is left out, and tells all workers. Nobody has to bring a target back: the time passes.
 */
export class NodeTargets implements Closable {
  readonly #hub: Hub
  readonly #options: NodeTargetsOptions
  readonly #stops: (() => void)[]
  readonly #ejected = new Map<string, Ejected>()
  /** What probes found wrong, by target. */
  readonly #down = new Map<string, { readonly service: string; readonly address: string; readonly wrong: string }>()
  readonly #probes: NodeProbes
  readonly #breakers: NodeBreakers
  readonly #drains: NodeDrains
  #specs = new Map<string, ServiceSpec>()

  constructor(hub: Hub, options: NodeTargetsOptions) {
    this.#hub = hub
    this.#options = options
    this.#probes = new NodeProbes(options.clock, (service, address, wrong) => this.#healthChanged(service, address, wrong))
    this.#breakers = new NodeBreakers(hub, options)
    this.#drains = new NodeDrains(options.clock)
    this.#stops = [
      hub.hear(failedTopic, (message) => this.#failed(message as FailedMessage)),
      hub.hear(recoveredTopic, (message) => this.#recovered(message as RecoveredMessage)),
      hub.hear(callsTopic, (message, worker) => this.#drains.noteCalls(message as CallsMessage, worker)),
      hub.answer(standingTopic, () => this.#states()),
    ]
  }

  /** From now on these services are served; what is known of other targets is forgotten. */
  commit(services: readonly ServiceSpec[]): void {
    this.#specs = new Map(services.map((spec) => [spec.name, spec]))
    this.#probes.commit(services)
    this.#breakers.commit(services)
    const live = new Set(services.flatMap(({ name, targets }) => targets.map((target) => standingKey(name, addressOf(target)))))
    for (const key of this.#ejected.keys()) if (!live.has(key)) this.#comeBack(key)
    for (const key of this.#ejected.keys()) if (!live.has(key)) this.#ejected.delete(key)
    for (const { service, address } of this.#drains.all()) {
      if (!live.has(standingKey(service, address))) this.drain(service, address, false)
    }
    for (const { name } of services) {
      this.#drainLevel(name).add(0)
      this.#level(name).add(0)
      this.#downLevel(name).add(0)
    }
  }

  /** How a target of a service stands. */
  status(service: string, address: string): TargetStatus {
    if (this.#drains.has(service, address)) {
      const calls = this.#drains.calls(service, address)
      return calls === undefined ? { state: 'draining' } : { state: 'draining', calls }
    }
    const down = this.#down.get(standingKey(service, address))
    if (down !== undefined) return { state: 'down', out: { reason: down.wrong, forMs: Infinity } }
    const ejected = this.#ejected.get(standingKey(service, address))
    if (ejected !== undefined && ejected.backAt === Infinity) {
      const forMs = Math.max(0, Math.ceil(ejected.state.ejectedUntil - this.#options.clock.monotonic()))
      return { state: 'ejected', out: { reason: ejected.state.reason, forMs } }
    }
    const breaker = this.#breakers.status(service, address)
    if (breaker === undefined) return { state: 'in' }
    return { state: breaker.state, out: { reason: breaker.reason, forMs: breaker.forMs } }
  }

  /** The circuit breaker of a service as a whole; undefined while it is closed. */
  breaker(service: string): BreakerStatus | undefined {
    return this.#breakers.status(service, '')
  }

  /**
   * Takes a target out of service, or back into it: one that drains gets no new calls, whatever becomes of the others,
   * and finishes those it has. That lasts while the configuration has the target and the process lives. Harmless when
   * it is so already; false for a target that is not in the configuration.
   */
  drain(service: string, address: string, isDraining: boolean): boolean {
    const { log } = this.#options
    const isKnown = this.#specs.get(service)?.targets.some((target) => addressOf(target) === address) === true
    if (isDraining && !isKnown) return false
    if (this.#drains.set(service, address, isDraining)) {
      this.#drainLevel(service).add(isDraining ? 1 : -1)
      log.info(isDraining ? 'a target is drained' : 'a target is drained no more', { service, target: address })
      this.#hub.tellAll(standingTopic, [this.#stateOf(service, address)])
    }
    return isKnown
  }

  close(): void {
    this.#probes.close()
    this.#breakers.close()
    for (const stop of this.#stops) stop()
  }

  #failed({ service, address, reason }: FailedMessage): void {
    const eject = this.#specs.get(service)?.eject
    const { clock, log, meter } = this.#options
    const key = standingKey(service, address)
    const before = this.#ejected.get(key)
    // Another worker was first; it has been told to all.
    if (eject === undefined || before?.backAt === Infinity) return
    const now = clock.monotonic()
    const isForgiven = before === undefined || now - before.backAt >= Math.max(forgiveAfterMs, 2 * before.spanMs)
    const times = isForgiven ? 1 : before.times + 1
    const spanMs = Math.min(maxEjectMs, eject.baseMs * 2 ** (times - 1))
    const state = { service, address, ...this.#held(service, address), ejectedUntil: now + spanMs, reason }
    this.#ejected.set(key, { state, times, spanMs, backAt: Infinity })
    this.#level(service).add(1)
    meter
      .counter('velum_service_ejections_total', 'Targets of a service left out because they failed again and again.', { service })
      .add()
    log.warn('a target fails and is left out', { service, target: address, reason, forMs: spanMs })
    this.#hub.tellAll(standingTopic, [state])
    clock.after(spanMs, () => {
      if (this.#ejected.get(key)?.state === state) this.#comeBack(key)
    })
  }

  #recovered({ service, address }: RecoveredMessage): void {
    this.#comeBack(standingKey(service, address))
  }

  #comeBack(key: string): void {
    const ejected = this.#ejected.get(key)
    if (ejected === undefined || ejected.backAt !== Infinity) return
    const { service, address } = ejected.state
    ejected.backAt = this.#options.clock.monotonic()
    this.#level(service).add(-1)
    this.#options.log.info('a target is sent to again', { service, target: address })
    this.#hub.tellAll(standingTopic, [this.#stateOf(service, address)])
  }

  #healthChanged(service: string, address: string, wrong: string): void {
    const key = standingKey(service, address)
    const wasDown = this.#down.has(key)
    if (wasDown === (wrong !== '')) return
    const { log } = this.#options
    if (wrong === '') {
      this.#down.delete(key)
      log.info('a target is well again', { service, target: address })
    } else {
      this.#down.set(key, { service, address, wrong })
      log.warn('a target is not well and is left out', { service, target: address, reason: wrong })
    }
    this.#downLevel(service).add(wrong === '' ? -1 : 1)
    this.#hub.tellAll(standingTopic, [this.#stateOf(service, address)])
  }

  #states(): TargetState[] {
    const out = [...this.#ejected.values()].filter(({ backAt }) => backAt === Infinity).map(({ state }) => state)
    const all = new Map(
      [...out, ...this.#down.values(), ...this.#drains.all()].map((known) => [standingKey(known.service, known.address), known]),
    )
    return [...all.values()].map(({ service, address }) => this.#stateOf(service, address))
  }

  #stateOf(service: string, address: string): TargetState {
    const key = standingKey(service, address)
    const ejected = this.#ejected.get(key)
    const isEjected = ejected?.backAt === Infinity
    return {
      service,
      address,
      ...this.#held(service, address),
      ejectedUntil: isEjected ? ejected.state.ejectedUntil : 0,
      reason: isEjected ? ejected.state.reason : (this.#down.get(key)?.wrong ?? ''),
    }
  }

  /** What keeps a target out but for its own answers. */
  #held(service: string, address: string): { readonly isDown: boolean; readonly isDraining: boolean } {
    return { isDown: this.#down.has(standingKey(service, address)), isDraining: this.#drains.has(service, address) }
  }

  #drainLevel(service: string): { add(n: number): void } {
    return this.#options.meter.gauge('velum_service_targets_draining', 'Targets of a service that an operator drains.', {
      service,
    })
  }

  #downLevel(service: string): { add(n: number): void } {
    return this.#options.meter.gauge('velum_service_targets_down', 'Targets of a service that probes found not to be well.', {
      service,
    })
  }

  #level(service: string): { add(n: number): void } {
    return this.#options.meter.gauge('velum_service_targets_ejected', 'Targets of a service that are left out at the moment.', {
      service,
    })
  }
}
