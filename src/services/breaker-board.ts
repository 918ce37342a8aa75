import type { Closable } from '../core/lasting.ts'
import type { Link } from '../core/link.ts'
import type { Breaker } from './breaker.ts'
import { breakerTopic, probedTopic, trippedTopic } from './breaker-messages.ts'
import type { BreakerMessage, BreakerName, TripReason } from './breaker-messages.ts'
import { standingKey } from './standing-messages.ts'

/** A worker's ear for what main says of breakers, and its word to main about them. One per worker. */
export class BreakerBoard implements Closable {
  readonly #link: Link
  readonly #breakers = new Map<string, Set<Breaker>>()
  readonly #open = new Map<string, number>()
  readonly #stop: () => void

  constructor(link: Link) {
    this.#link = link
    this.#stop = link.hear(breakerTopic, (message) => this.#hear(message as readonly BreakerMessage[]))
    // Whoever starts later learns what is known; without main there is nothing to be known.
    link.ask(breakerTopic, undefined).then(
      (message) => this.#hear(message as readonly BreakerMessage[]),
      () => undefined,
    )
  }

  add({ service, address }: BreakerName, breaker: Breaker): void {
    const key = standingKey(service, address)
    const set = this.#breakers.get(key)
    if (set === undefined) this.#breakers.set(key, new Set([breaker]))
    else set.add(breaker)
    const openUntil = this.#open.get(key)
    if (openUntil !== undefined) breaker.set(openUntil)
  }

  remove({ service, address }: BreakerName, breaker: Breaker): void {
    const key = standingKey(service, address)
    const set = this.#breakers.get(key)
    if (set?.delete(breaker) === true && set.size === 0) this.#breakers.delete(key)
  }

  tripped({ service, address }: BreakerName, reason: TripReason): void {
    this.#link.tell(trippedTopic, { service, address, reason })
  }

  probed({ service, address }: BreakerName): void {
    this.#link.tell(probedTopic, { service, address })
  }

  close(): void {
    this.#stop()
  }

  #hear(messages: readonly BreakerMessage[]): void {
    for (const { service, address, openUntil } of messages) {
      const key = standingKey(service, address)
      if (openUntil === 0) this.#open.delete(key)
      else this.#open.set(key, openUntil)
      for (const breaker of this.#breakers.get(key) ?? []) breaker.set(openUntil)
    }
  }
}
