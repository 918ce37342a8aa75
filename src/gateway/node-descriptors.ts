import type { Descriptors } from '../bridges/descriptors/descriptors.ts'
import { readDescriptors } from '../bridges/descriptors/descriptors.ts'
import { incompatibleChanges } from '../bridges/descriptors/incompatible-changes.ts'
import { reflectDescriptors } from '../bridges/descriptors/reflection.ts'
import type { ServiceModel } from '../config/model.ts'
import type { Clock, Timer } from '../core/clock.ts'
import { Fault } from '../core/fault.ts'
import type { Closable } from '../core/lasting.ts'
import { Lasting } from '../core/lasting.ts'
import type { Hub } from '../core/link.ts'
import type { Log } from '../core/log.ts'
import { silentMeter } from '../core/meter.ts'
import { Sweeper } from '../core/sweeper.ts'
import { probeExchange } from '../services/prober.ts'
import { createTargetWire } from '../services/target.ts'
import { createHttp1Client } from '../wire/http1/pool.ts'
import { writtenDescriptors } from './bridged-methods.ts'
import { reflectionKey, reflectionTopic } from './reflection-key.ts'

/** For one round of questions. */
const timeoutMs = 5000
/** After one that failed. */
const retryMs = 5000

interface Asked {
  service: ServiceModel
  /** The last set that could be read, in base64. */
  set: string | undefined
  descriptors: Descriptors | undefined
  timer: Timer | undefined
  isFailing: boolean
}

/**
 * Services that are asked what they offer, once per node, by main. What was learnt stays while a service cannot be asked;
 * a change is read and compared first, then told to the workers, who replace theirs as a whole.
 */
export class NodeDescriptors implements Closable {
  readonly #hub: Hub
  readonly #clock: Clock
  readonly #log: Log
  readonly #sweeper: Sweeper
  readonly #lasting = new Lasting()
  readonly #asked = new Map<string, Asked>()
  /** Of services whose description is in the configuration: to compare the next one with. */
  #written = new Map<string, { readonly set: string; readonly service: ServiceModel }>()
  readonly #unanswer: () => void

  constructor(hub: Hub, clock: Clock, log: Log) {
    this.#hub = hub
    this.#clock = clock
    this.#log = log
    this.#sweeper = new Sweeper(clock)
    this.#unanswer = hub.answer(reflectionTopic, (key) => this.#asked.get(String(key))?.set)
  }

  /**
   * Asks those that were not asked yet, so that workers find what there is to know. Waits five seconds at most, whoever
   * is silent; the asking goes on. Never rejects.
   */
  async prepare(services: readonly ServiceModel[]): Promise<void> {
    let timer: Timer | undefined
    const patience = new Promise<void>((resolve) => {
      timer = this.#clock.after(timeoutMs, resolve)
    })
    await Promise.race([patience, this.#askNew(services)])
    timer?.cancel()
  }

  async #askNew(services: readonly ServiceModel[]): Promise<void> {
    await Promise.all(
      services.map(async (service) => {
        const key = reflectionKey(service)
        if (service.grpc?.reflection === undefined || this.#asked.has(key)) return
        const asked: Asked = { service, set: undefined, descriptors: undefined, timer: undefined, isFailing: false }
        this.#asked.set(key, asked)
        await this.#ask(key, asked)
      }),
    )
  }

  /** What is known of a service at the moment: of the configuration, or by asking it. */
  of(service: ServiceModel): Descriptors | undefined {
    return writtenDescriptors(service) ?? this.#asked.get(reflectionKey(service))?.descriptors
  }

  /** These are served now: others are asked no more, and what changed for their callers is said. */
  commit(services: readonly ServiceModel[]): void {
    const keys = new Set(services.map(reflectionKey))
    for (const [key, { timer }] of this.#asked) {
      if (keys.has(key)) continue
      timer?.cancel()
      this.#asked.delete(key)
    }
    const written = new Map<string, { readonly set: string; readonly service: ServiceModel }>()
    for (const service of services) {
      const set = service.grpc?.set
      if (set === undefined) continue
      written.set(service.name, { set, service })
      const before = this.#written.get(service.name)
      if (before !== undefined && before.set !== set) {
        this.#compare(service.name, readDescriptors(Buffer.from(before.set, 'base64')), readDescriptors(Buffer.from(set, 'base64')))
      }
    }
    this.#written = written
  }

  close(): void {
    this.#unanswer()
    for (const { timer } of this.#asked.values()) timer?.cancel()
    this.#asked.clear()
    this.#sweeper.close()
  }

  async #ask(key: string, asked: Asked): Promise<void> {
    const { name, grpc } = asked.service
    let nextMs = grpc!.reflection!.everyMs
    try {
      const set = await this.#reflect(asked.service)
      if (this.#asked.get(key) !== asked) return
      asked.isFailing = false
      this.#take(key, asked, Buffer.from(set).toString('base64'), set)
    } catch (thrown) {
      if (this.#asked.get(key) !== asked) return
      nextMs = Math.min(nextMs, retryMs)
      const error = (thrown as Error).message
      // Once, not with every try.
      if (!asked.isFailing)
        this.#log.warn('a service cannot be asked what it offers', { service: name, error, isKnown: asked.set !== undefined })
      asked.isFailing = true
    }
    asked.timer = this.#clock.after(nextMs, () => void this.#ask(key, asked))
  }

  #take(key: string, asked: Asked, text: string, set: Uint8Array): void {
    if (text === asked.set) return
    const descriptors = readDescriptors(set, asked.service.grpc!.rules)
    if (asked.descriptors !== undefined) this.#compare(asked.service.name, asked.descriptors, descriptors)
    asked.descriptors = descriptors
    asked.set = text
    this.#hub.tellAll(reflectionTopic, { key, set: text })
  }

  #compare(service: string, before: Descriptors, after: Descriptors): void {
    const changes = incompatibleChanges(before, after)
    if (changes.length > 0) this.#log.warn('the methods of a service changed in ways that its callers notice', { service, changes })
  }

  /** One target after another, until one answers. */
  async #reflect(service: ServiceModel): Promise<Uint8Array> {
    const hold = this.#lasting.hold()
    const env = { hold, clock: this.#clock, sweeper: this.#sweeper, meter: silentMeter }
    const patient = { ...service, timeoutMs, connectTimeoutMs: timeoutMs, idleMs: timeoutMs, maxConnections: 1 }
    let failure: unknown = new Fault('no-target', 'the service has no target')
    try {
      for (const target of service.targets) {
        const wire = createTargetWire(patient, target, env, createHttp1Client)
        try {
          return await reflectDescriptors((call, x) => wire.send(call, x), {
            metadata: service.grpc!.reflection!.metadata,
            timeoutMs,
            exchange: () => probeExchange('/', this.#clock),
            env: { clock: this.#clock, sweeper: this.#sweeper, maxMessageBytes: 16_777_216 },
          })
        } catch (thrown) {
          failure = thrown
        }
      }
      throw failure
    } finally {
      hold.close()
    }
  }
}
