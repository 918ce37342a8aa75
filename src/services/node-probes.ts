import type { Clock } from '../core/clock.ts'
import type { Closable, Hold } from '../core/lasting.ts'
import { Lasting } from '../core/lasting.ts'
import { silentMeter } from '../core/meter.ts'
import { Sweeper } from '../core/sweeper.ts'
import { createHttp1Client } from '../wire/http1/pool.ts'
import { grpcProbe } from './grpc-probe.ts'
import type { Probe } from './prober.ts'
import { httpProbe, Prober, tcpProbe } from './prober.ts'
import type { HealthSpec, ServiceSpec, TargetSpec } from './service-spec.ts'
import { createTargetWire } from './target.ts'
import { addressOf } from './target-address.ts'

/** Hears that a target is not well, or (with '') that it is again. */
export type HealthChanged = (service: string, target: string, wrong: string) => void

interface Running {
  readonly service: string
  readonly address: string
  readonly stop: () => void
}

/** The probes of a node: each target of a service with `health` is asked once per node, by main. */
export class NodeProbes implements Closable {
  readonly #clock: Clock
  readonly #sweeper: Sweeper
  readonly #lasting = new Lasting()
  readonly #changed: HealthChanged
  readonly #running = new Map<string, Running>()

  constructor(clock: Clock, changed: HealthChanged) {
    this.#clock = clock
    this.#sweeper = new Sweeper(clock)
    this.#changed = changed
  }

  /** Probes these from now on. Who was probed in the same way before is still what he was found to be. */
  commit(services: readonly ServiceSpec[]): void {
    const wanted = new Map<string, () => Running>()
    for (const service of services) {
      for (const target of service.health === undefined ? [] : service.targets) {
        wanted.set(JSON.stringify([service.name, target, service.tls, service.health]), () => this.#start(service, target))
      }
    }
    for (const [key, running] of this.#running) {
      if (wanted.has(key)) continue
      this.#running.delete(key)
      running.stop()
      this.#changed(running.service, running.address, '')
    }
    for (const [key, start] of wanted) if (!this.#running.has(key)) this.#running.set(key, start())
  }

  close(): void {
    for (const { stop } of this.#running.values()) stop()
    this.#running.clear()
    this.#sweeper.close()
  }

  #start(service: ServiceSpec, target: TargetSpec): Running {
    const health = service.health!
    const hold = this.#lasting.hold()
    const probe = this.#probeOf(service, target, health, hold)
    const address = addressOf(target)
    const prober = new Prober(probe, health, this.#clock, (wrong) => this.#changed(service.name, address, wrong))
    const stop = (): void => {
      prober.close()
      hold.close()
    }
    return { service: service.name, address, stop }
  }
  #probeOf(service: ServiceSpec, target: TargetSpec, health: HealthSpec, hold: Hold): Probe {
    const { path, grpc, timeoutMs } = health
    if (path === undefined && grpc === undefined) return tcpProbe(target, timeoutMs, this.#clock)
    const env = { hold, clock: this.#clock, sweeper: this.#sweeper, meter: silentMeter }
    const probed = { ...service, timeoutMs, connectTimeoutMs: timeoutMs, idleMs: timeoutMs }
    const wire = createTargetWire(probed, target, env, createHttp1Client)
    return path === undefined ? grpcProbe(wire, grpc!, this.#clock) : httpProbe(wire, path, this.#clock)
  }
}
