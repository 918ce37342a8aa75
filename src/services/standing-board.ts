import type { Closable } from '../core/lasting.ts'
import type { Link } from '../core/link.ts'
import type { Standing } from './standing.ts'
import { failedTopic, recoveredTopic, standingKey, standingTopic } from './standing-messages.ts'
import type { FailedMessage, RecoveredMessage, TargetState } from './standing-messages.ts'

/** A worker's ear for what main says of targets, and its word to main about them. One per worker. */
export class StandingBoard implements Closable {
  readonly #link: Link
  readonly #standings = new Map<string, Set<Standing>>()
  readonly #states = new Map<string, TargetState>()
  readonly #stop: () => void

  constructor(link: Link) {
    this.#link = link
    this.#stop = link.hear(standingTopic, (message) => this.#hear(message as readonly TargetState[]))
    // Whoever starts later learns what is known; without main there is nothing to be known.
    link.ask(standingTopic, undefined).then(
      (message) => this.#hear(message as readonly TargetState[]),
      () => undefined,
    )
  }

  add(standing: Standing): void {
    const { key } = standing
    const set = this.#standings.get(key)
    if (set === undefined) this.#standings.set(key, new Set([standing]))
    else set.add(standing)
    const state = this.#states.get(key)
    if (state !== undefined) standing.set(state)
  }

  remove(standing: Standing): void {
    const { key } = standing
    const set = this.#standings.get(key)
    if (set?.delete(standing) === true && set.size === 0) this.#standings.delete(key)
  }

  failed(message: FailedMessage): void {
    this.#link.tell(failedTopic, message)
  }

  recovered(message: RecoveredMessage): void {
    this.#link.tell(recoveredTopic, message)
  }

  close(): void {
    this.#stop()
  }

  #hear(states: readonly TargetState[]): void {
    for (const state of states) {
      const key = standingKey(state.service, state.address)
      if (state.ejectedUntil === 0 && !state.isDown) this.#states.delete(key)
      else this.#states.set(key, state)
      for (const standing of this.#standings.get(key) ?? []) standing.set(state)
    }
  }
}
