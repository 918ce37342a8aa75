import { Fault } from '../../src/core/fault.ts'
import type { BusListener, Following, Stores } from '../../src/core/stores.ts'

type Verb = (...args: never[]) => unknown

/** A store between whose calls a test can stand: down, slow at one verb, or deaf to the bus. */
export class GatedStores implements Stores {
  readonly kind
  readonly records: Stores['records']
  readonly families: Stores['families']
  readonly generations: Stores['generations']
  readonly audit: Stores['audit']
  readonly bus: Stores['bus']
  /** Fails everything at once, as a store does that is known to be down. */
  isDown = false
  /** Nothing appended is heard, and what was heard gets old; `hearAgain` makes up for it. */
  isDeaf = false
  /** How often each verb was called: `records.get`. */
  readonly calls = new Map<string, number>()
  /** Called with each verb before it goes on; what it returns is waited for. */
  before: ((verb: string) => unknown) | undefined
  readonly #inner: Stores
  readonly #monotonic: () => number
  readonly #listeners = new Set<BusListener>()
  #deafSince = 0

  constructor(inner: Stores, monotonic: () => number) {
    this.#inner = inner
    this.#monotonic = monotonic
    this.kind = inner.kind
    this.records = this.#gated('records', inner.records)
    this.families = this.#gated('families', inner.families)
    this.generations = this.#gated('generations', inner.generations)
    this.audit = this.#gated('audit', inner.audit)
    const { append } = this.#gated('bus', { append: inner.bus.append.bind(inner.bus) })
    this.bus = { append, follow: (listener) => this.#follow(listener) }
  }

  get isUp(): boolean {
    return !this.isDown && this.#inner.isUp
  }

  close(): Promise<void> {
    return this.#inner.close()
  }

  /** Stops hearing the bus, as a node does that was cut off. */
  deafen(): void {
    this.isDeaf = true
    this.#deafSince = this.#monotonic()
  }

  /** Hears again, from the live set on. */
  async hearAgain(): Promise<void> {
    this.isDeaf = false
    for (const listener of this.#listeners) {
      const stop = await this.#inner.bus.follow({ reload: (live) => listener.reload(live, false), hear() {} })
      stop.stop()
    }
  }

  async #follow(listener: BusListener): Promise<Following> {
    if (this.isDown) throw new Fault('store-down')
    this.#listeners.add(listener)
    const following = await this.#inner.bus.follow({
      reload: (live, isFirst) => listener.reload(live, isFirst),
      hear: (message) => {
        if (!this.isDeaf) listener.hear(message)
      },
    })
    const caughtUpAt = (): number => (this.isDeaf ? this.#deafSince : following.caughtUpAt)
    return {
      get caughtUpAt() {
        return caughtUpAt()
      },
      stop: () => {
        this.#listeners.delete(listener)
        following.stop()
      },
    }
  }

  #gated<T extends object>(section: string, verbs: T): T {
    const gated: Record<string, Verb> = {}
    for (const [name, verb] of Object.entries(verbs) as [string, Verb][]) {
      const full = `${section}.${name}`
      gated[name] = (...args) => {
        this.calls.set(full, (this.calls.get(full) ?? 0) + 1)
        if (this.isDown) throw new Fault('store-down', 'the test says so')
        const wait = this.before?.(full)
        return wait instanceof Promise ? wait.then(() => verb.apply(verbs, args)) : verb.apply(verbs, args)
      }
    }
    return gated as T
  }
}
