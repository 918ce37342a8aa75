import type { Clock } from '../core/clock.ts'

const believedMs = 300_000
const maxKept = 128

/**
 * Key ids that an issuer was found not to have: believed for five minutes, or until its keys change. Bounded: many
 * different ids push each other out, and then the cool-down of the loads is what protects the issuer.
 */
export class MissingKeys {
  readonly #clock: Clock
  /** Oldest first, with the monotonic moment until which it is believed. */
  readonly #until = new Map<string, number>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  has(kid: string): boolean {
    const until = this.#until.get(kid)
    return until !== undefined && this.#clock.monotonic() < until
  }

  add(kid: string): void {
    this.#until.delete(kid)
    this.#until.set(kid, this.#clock.monotonic() + believedMs)
    if (this.#until.size > maxKept) this.#until.delete(this.#until.keys().next().value!)
  }

  clear(): void {
    this.#until.clear()
  }
}
