import type { Clock } from '../core/clock.ts'
import type { MaybePromise } from '../core/handler.ts'
import type { Closable } from '../core/lasting.ts'
import type { Link } from '../core/link.ts'
import type { Log } from '../core/log.ts'
import type { PublicKey } from './jwk-set.ts'
import { keyTopic } from './key-messages.ts'
import type { KeyAnswer, KeyQuestion, KeyState } from './key-messages.ts'
import { keysUnavailable, rejections } from './rejection.ts'
import { MissingKeys } from './missing-keys.ts'
import type { Rejection } from './rejection.ts'
import { importVerificationKey } from './verification-key.ts'
import type { VerificationKey } from './verification-key.ts'

/** Least time between two questions to main about unknown keys: junk must cost nobody more than a look-up. */
const askEveryMs = 1000

/** The keys of one issuer as a worker sees them. */
export interface KeySource extends Closable {
  /** The key of that id; `unknown-key` when the issuer has none, `keys-unavailable` when that cannot be told now. */
  find(kid: string): MaybePromise<VerificationKey | Rejection>
}

interface Held {
  readonly published: string
  readonly key: VerificationKey
}

/** Keeps a worker's copy of a source's keys: asks main at once and for unknown ids, and hears of changes. */
export function createKeySource(source: string, link: Link, clock: Clock, log: Log): KeySource {
  return new LinkedKeys(source, link, clock, log)
}

class LinkedKeys implements KeySource {
  readonly #source: string
  readonly #link: Link
  readonly #clock: Clock
  readonly #log: Log
  readonly #stopHearing: () => void
  readonly #missing: MissingKeys
  #held = new Map<string, Held>()
  /** Of the latest state taken; states are taken one after the other. */
  #version = 0
  #taking: Promise<void> = Promise.resolve()
  #asking: Promise<void> | undefined
  #isFailing = true
  /** Monotonic milliseconds before which main is not asked again. */
  #quietUntil = 0

  constructor(source: string, link: Link, clock: Clock, log: Log) {
    this.#source = source
    this.#link = link
    this.#clock = clock
    this.#log = log
    this.#missing = new MissingKeys(clock)
    this.#stopHearing = link.hear(keyTopic, (message) => {
      const state = message as KeyState
      if (state.source === source) void this.#take(state)
    })
    this.#ask(undefined)
  }

  find(kid: string): MaybePromise<VerificationKey | Rejection> {
    const held = this.#held.get(kid)
    if (held !== undefined) return held.key
    if (this.#missing.has(kid)) return rejections['unknown-key']
    if (this.#asking === undefined) {
      if (this.#clock.monotonic() < this.#quietUntil) return this.#unknown()
      this.#ask(kid)
    }
    return this.#asking!.then(() => this.#held.get(kid)?.key ?? this.#unknown())
  }

  close(): void {
    this.#stopHearing()
  }

  #unknown(): Rejection {
    return this.#isFailing ? keysUnavailable : rejections['unknown-key']
  }

  #ask(kid: string | undefined): void {
    const question: KeyQuestion = { source: this.#source, kid }
    this.#quietUntil = this.#clock.monotonic() + askEveryMs
    this.#asking = this.#hearAnswer(this.#link.ask(keyTopic, question), kid).finally(() => {
      this.#asking = undefined
    })
  }

  async #hearAnswer(asked: Promise<unknown>, kid: string | undefined): Promise<void> {
    try {
      const answer = (await asked) as KeyAnswer
      this.#quietUntil = this.#clock.monotonic() + Math.max(askEveryMs, answer.quietMs)
      await this.#take(answer)
      if (answer.isMissing) this.#missing.add(kid!)
    } catch (thrown) {
      // What is held stays good; of anything else nobody can tell.
      this.#isFailing = true
      this.#log.warn('the keys of a trusted issuer could not be asked for', { source: this.#source, error: String(thrown) })
    }
  }

  #take(state: KeyState): Promise<void> {
    this.#taking = this.#taking.then(() => this.#replace(state))
    return this.#taking
  }

  async #replace(state: KeyState): Promise<void> {
    if (state.version < this.#version) return
    this.#isFailing = state.isFailing
    if (state.version === this.#version) return
    this.#version = state.version
    this.#missing.clear()
    const next = new Map<string, Held>()
    for (const published of state.keys) {
      const held = await this.#imported(published)
      if (held !== undefined) next.set(published.kid, held)
    }
    for (const [kid, { key }] of this.#held) if (next.get(kid)?.key !== key) key.isLive = false
    this.#held = next
  }

  async #imported(published: PublicKey): Promise<Held | undefined> {
    const text = JSON.stringify(published)
    const held = this.#held.get(published.kid)
    if (held?.published === text) return held
    try {
      return { published: text, key: await importVerificationKey(published) }
    } catch (thrown) {
      this.#log.warn('a published key is not valid and is passed over', { kid: published.kid, error: String(thrown) })
      return undefined
    }
  }
}
