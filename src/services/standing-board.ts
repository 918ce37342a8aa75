import type { Clock, Timer } from '../core/clock.ts'
import type { Closable } from '../core/lasting.ts'
import type { Link } from '../core/link.ts'
import type { ClientWire } from '../wire/client-wire.ts'
import type { Standing } from './standing.ts'
import { callsTopic, failedTopic, recoveredTopic, standingKey, standingTopic } from './standing-messages.ts'
import type { CallsMessage, FailedMessage, RecoveredMessage, TargetState } from './standing-messages.ts'

/** How often a worker says how many calls a draining target still has. */
const countEveryMs = 500

/** A worker's ear for what main says of targets, and its word to main about them. One per worker. */
export class StandingBoard implements Closable {
  readonly #link: Link
  readonly #clock: Clock
  readonly #standings = new Map<string, Set<Standing>>()
  readonly #states = new Map<string, TargetState>()
  /** The connections of each target; those of retired Generations too while they have calls. */
  readonly #wires = new Map<string, Set<ClientWire>>()
  readonly #stop: () => void
  #counting: Timer | undefined

  constructor(link: Link, clock: Clock) {
    this.#link = link
    this.#clock = clock
    this.#stop = link.hear(standingTopic, (message) => this.#hear(message as readonly TargetState[]))
    // Whoever starts later learns what is known; without main there is nothing to be known.
    link.ask(standingTopic, undefined).then(
      (message) => this.#hear(message as readonly TargetState[]),
      () => undefined,
    )
  }

  add(standing: Standing): void {
    const { key } = standing
    addTo(this.#standings, key, standing)
    const state = this.#states.get(key)
    if (state !== undefined) standing.set(state, this.#clock.monotonic())
  }

  remove(standing: Standing): void {
    removeFrom(this.#standings, standing.key, standing)
  }

  /** Counts the calls of these connections while their target drains, until it is closed and they have none. */
  watch(service: string, address: string, wire: ClientWire): Closable {
    const key = standingKey(service, address)
    addTo(this.#wires, key, wire)
    const end = (): void => {
      if (wire.busy + wire.queued === 0) removeFrom(this.#wires, key, wire)
      else this.#clock.after(countEveryMs, end)
    }
    return { close: end }
  }

  failed(message: FailedMessage): void {
    this.#link.tell(failedTopic, message)
  }

  recovered(message: RecoveredMessage): void {
    this.#link.tell(recoveredTopic, message)
  }

  close(): void {
    this.#stop()
    this.#counting?.cancel()
    this.#counting = undefined
  }

  #hear(states: readonly TargetState[]): void {
    const now = this.#clock.monotonic()
    for (const state of states) {
      const key = standingKey(state.service, state.address)
      if (state.ejectedUntil === 0 && !state.isDown && !state.isDraining) this.#states.delete(key)
      else this.#states.set(key, state)
      for (const standing of this.#standings.get(key) ?? []) standing.set(state, now)
    }
    if (this.#counting === undefined) this.#count()
  }

  /** Tells of the draining targets, again and again while there are any. */
  #count(): void {
    this.#counting = undefined
    let isAny = false
    for (const [key, { service, address, isDraining }] of this.#states) {
      if (!isDraining) continue
      isAny = true
      let calls = 0
      for (const wire of this.#wires.get(key) ?? []) calls += wire.busy + wire.queued
      this.#link.tell(callsTopic, { service, address, calls } satisfies CallsMessage)
    }
    if (isAny) this.#counting = this.#clock.after(countEveryMs, () => this.#count())
  }
}

function addTo<T>(sets: Map<string, Set<T>>, key: string, thing: T): void {
  const set = sets.get(key)
  if (set === undefined) sets.set(key, new Set([thing]))
  else set.add(thing)
}

function removeFrom<T>(sets: Map<string, Set<T>>, key: string, thing: T): void {
  const set = sets.get(key)
  if (set?.delete(thing) === true && set.size === 0) sets.delete(key)
}
