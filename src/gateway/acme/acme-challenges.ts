import type { Clock } from '../../core/clock.ts'
import type { Closable } from '../../core/lasting.ts'
import type { BusMessage, Following, Stores } from '../../core/stores.ts'
import type { AcmeChallenge } from '../../wire/tls/acme-order.ts'
import type { LiveChallenge } from './answer-challenges.ts'
import { mostChallenges } from './answer-challenges.ts'

const topic = 'acme.challenge'
const liveMs = 600_000
/** What the bus promises other nodes: to have heard within a second. */
const fleetMs = 1000
const echoMs = 10_000

/** The challenges under way in the whole fleet: whichever node an authority asks, it knows the answer. */
export class AcmeChallenges implements Closable {
  readonly #stores: Stores
  readonly #clock: Clock
  readonly #changed: (live: readonly LiveChallenge[]) => void
  readonly #live = new Map<string, LiveChallenge>()
  readonly #echoes = new Map<string, () => void>()
  #following: Following | undefined

  constructor(stores: Stores, clock: Clock, changed: (live: readonly LiveChallenge[]) => void) {
    this.#stores = stores
    this.#clock = clock
    this.#changed = changed
  }

  /** Learns what is under way. Rejects with `store-down`. */
  async open(): Promise<void> {
    this.#following ??= await this.#stores.bus.follow({
      reload: (live) => this.#take(live),
      hear: (message) => this.#take([message]),
    })
  }

  get live(): readonly LiveChallenge[] {
    return [...this.#live.values()]
  }

  /** Resolves when all nodes have the answer. Rejects when the store does not take it. */
  async present({ token, answer }: AcmeChallenge): Promise<void> {
    const heard = new Promise<void>((resolve) => {
      this.#echoes.set(token, resolve)
      this.#clock.after(echoMs, resolve)
    })
    try {
      await this.#stores.bus.append({ topic, key: token, data: answer, keepUntil: this.#clock.now() + liveMs })
      await heard
    } finally {
      this.#echoes.delete(token)
    }
    if (this.#stores.kind === 'redis') await new Promise<void>((resolve) => void this.#clock.after(fleetMs, resolve))
  }

  /** Nobody answers it any more. A store that is down forgets it by itself. */
  async retract({ token }: AcmeChallenge): Promise<void> {
    try {
      await this.#stores.bus.append({ topic, key: token, data: '', keepUntil: 0 })
    } catch {
      // It ends in ten minutes anyway.
    }
  }

  close(): void {
    this.#following?.stop()
  }

  #take(messages: readonly BusMessage[]): void {
    const now = this.#clock.now()
    let isChanged = false
    for (const message of messages) {
      if (message.topic !== topic) continue
      const { key: token, data, keepUntil: until } = message
      this.#live.delete(token)
      if (until > now && typeof data === 'string') this.#live.set(token, { token, answer: data, until })
      isChanged = true
    }
    if (!isChanged) return
    for (const [token, { until }] of this.#live) if (until <= now || this.#live.size > mostChallenges) this.#live.delete(token)
    this.#changed(this.live)
    for (const token of this.#live.keys()) this.#echoes.get(token)?.()
  }
}
