import type { Clock } from '../core/clock.ts'
import type { Closable } from '../core/lasting.ts'
import type { Hub } from '../core/link.ts'
import type { Log } from '../core/log.ts'
import type { Meter } from '../core/meter.ts'
import { NodeProbes } from './node-probes.ts'
import type { ServiceSpec } from './service-spec.ts'
import { failedTopic, recoveredTopic, standingKey, standingTopic } from './standing-messages.ts'
import type { FailedMessage, RecoveredMessage, TargetState } from './standing-messages.ts'
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
  #specs = new Map<string, ServiceSpec>()

  constructor(hub: Hub, options: NodeTargetsOptions) {
    this.#hub = hub
    this.#options = options
    this.#probes = new NodeProbes(options.clock, (service, address, wrong) => this.#healthChanged(service, address, wrong))
    this.#stops = [
      hub.hear(failedTopic, (message) => this.#failed(message as FailedMessage)),
      hub.hear(recoveredTopic, (message) => this.#recovered(message as RecoveredMessage)),
      hub.answer(standingTopic, () => this.#states()),
    ]
  }

  /** From now on these services are served; what is known of other targets is forgotten. */
  commit(services: readonly ServiceSpec[]): void {
    this.#specs = new Map(services.map((spec) => [spec.name, spec]))
    this.#probes.commit(services)
    const live = new Set(services.flatMap(({ name, targets }) => targets.map((target) => standingKey(name, addressOf(target)))))
    for (const key of this.#ejected.keys()) if (!live.has(key)) this.#comeBack(key)
    for (const key of this.#ejected.keys()) if (!live.has(key)) this.#ejected.delete(key)
    for (const { name } of services) {
      this.#level(name).add(0)
      this.#downLevel(name).add(0)
    }
  }

  /** What keeps a target out, and for how many milliseconds yet (Infinity: until probes succeed); undefined when nothing does. */
  ejection(service: string, address: string): { readonly reason: string; readonly forMs: number } | undefined {
    const down = this.#down.get(standingKey(service, address))
    if (down !== undefined) return { reason: down.wrong, forMs: Infinity }
    const ejected = this.#ejected.get(standingKey(service, address))
    if (ejected === undefined || ejected.backAt !== Infinity) return undefined
    return {
      reason: ejected.state.reason,
      forMs: Math.max(0, Math.ceil(ejected.state.ejectedUntil - this.#options.clock.monotonic())),
    }
  }

  close(): void {
    this.#probes.close()
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
    const state = { service, address, isDown: this.#down.has(key), ejectedUntil: now + spanMs, reason }
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
    const all = new Map([...out, ...this.#down.values()].map((known) => [standingKey(known.service, known.address), known]))
    return [...all.values()].map(({ service, address }) => this.#stateOf(service, address))
  }

  #stateOf(service: string, address: string): TargetState {
    const key = standingKey(service, address)
    const ejected = this.#ejected.get(key)
    const isEjected = ejected?.backAt === Infinity
    return {
      service,
      address,
      isDown: this.#down.has(key),
      ejectedUntil: isEjected ? ejected.state.ejectedUntil : 0,
      reason: isEjected ? ejected.state.reason : '',
    }
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
