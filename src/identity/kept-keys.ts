import type { Clock, Timer } from '../core/clock.ts'
import type { Closable } from '../core/lasting.ts'
import type { Log } from '../core/log.ts'
import type { Count } from '../core/meter.ts'
import type { PublicKey } from './jwk-set.ts'
import type { KeyAnswer, KeyState } from './key-messages.ts'
import { MissingKeys } from './missing-keys.ts'

/** The keys as they were loaded, and when they should be looked at again. */
export interface LoadedKeys {
  readonly keys: readonly PublicKey[]
  readonly refreshMs: number
}

/** Where keys come from and how patiently. */
export interface KeyOrigin {
  load(): Promise<LoadedKeys>
  /** Least time between the starts of two attempts, whatever is asked. */
  readonly cooldownMs: number
  /** Longest wait between attempts while they fail. */
  readonly longestRetryMs: number
  /** How long keys are believed while they cannot be loaded anew. Default: a day. */
  readonly staleMs?: number
}

export interface KeptKeysEnv {
  readonly clock: Clock
  readonly log: Log
  /** The next version; see `KeyState`. */
  readonly nextVersion: () => number
  readonly changed: (state: KeyState) => void
  readonly loaded: Count
  readonly failed: Count
}

/** Before any keys were had, attempts may follow each other more quickly: an issuer may just be starting too. */
const firstRetryMs = 1000
const defaultStaleMs = 24 * 3_600_000

/**
 * The keys of one source, kept by main for all workers. They are loaded at once, again in the background, and when
 * somebody presents an unknown key id. A cool-down that begins with each attempt, whatever comes of it, one attempt at a
 * time, and a memory of ids that do not exist: so no flood of junk tokens becomes a flood of requests to the issuer.
 * While the source fails, what was loaded stays good for a day, and nothing is taken away on a miss.
 */
export class KeptKeys implements Closable {
  readonly #source: string
  readonly #origin: KeyOrigin
  readonly #env: KeptKeysEnv
  #keys: readonly PublicKey[] = []
  #version = 0
  #loadedAt = -Infinity
  #failures = 0
  /** Monotonic milliseconds before which no attempt is made on demand. */
  #coolUntil = -Infinity
  #attempt: Promise<void> | undefined
  #timer: Timer | undefined
  #isClosed = false
  readonly #missing: MissingKeys

  constructor(source: string, origin: KeyOrigin, env: KeptKeysEnv) {
    this.#source = source
    this.#origin = origin
    this.#env = env
    this.#missing = new MissingKeys(env.clock)
    this.refresh()
  }

  /** Loads anew in the background, unless an attempt is under way. */
  refresh(): void {
    if (this.#isClosed || this.#attempt !== undefined) return
    this.#timer?.cancel()
    this.#coolUntil = this.#env.clock.monotonic() + this.#cooldownMs()
    this.#attempt = this.#load()
  }

  /** The keys; with an unknown id after looking for it, if that may be done now. */
  async answer(kid: string | undefined): Promise<KeyAnswer> {
    const isUnknown = kid !== undefined && !this.#has(kid) && !this.#missing.has(kid)
    if (isUnknown && this.#env.clock.monotonic() >= this.#coolUntil) this.refresh()
    const attempt = isUnknown || this.#version === 0 ? this.#attempt : undefined
    if (attempt !== undefined) {
      await attempt
      if (isUnknown && this.#failures === 0 && !this.#has(kid)) this.#missing.add(kid)
    }
    return { ...this.#state(), isMissing: kid !== undefined && !this.#has(kid) && this.#missing.has(kid) }
  }

  /** Resolves when the attempt under way, if there is one, has come to its end, whatever that is. */
  tried(): Promise<void> {
    return this.#attempt ?? Promise.resolve()
  }

  close(): void {
    this.#isClosed = true
    this.#timer?.cancel()
  }

  async #load(): Promise<void> {
    let retryMs: number
    try {
      const { keys, refreshMs } = await this.#origin.load()
      retryMs = refreshMs
      this.#env.loaded.add()
      this.#succeeded(keys)
    } catch (thrown) {
      this.#env.failed.add()
      this.#failed(thrown)
      retryMs = this.#retryMs()
    }
    this.#attempt = undefined
    if (!this.#isClosed) this.#timer = this.#env.clock.after(retryMs, () => this.refresh())
  }

  #succeeded(keys: readonly PublicKey[]): void {
    const { clock, log, nextVersion } = this.#env
    const wasFailing = this.#failures > 0
    if (wasFailing) log.info('the keys of a trusted issuer can be loaded again', { source: this.#source })
    this.#failures = 0
    this.#loadedAt = clock.monotonic()
    const isChanged = JSON.stringify(keys) !== JSON.stringify(this.#keys)
    if (isChanged) {
      this.#keys = keys
      this.#version = nextVersion()
      this.#missing.clear()
    }
    if (isChanged || wasFailing) this.#announce()
  }

  #failed(thrown: unknown): void {
    const { clock, log, nextVersion } = this.#env
    this.#failures++
    const isTooOld = this.#keys.length > 0 && clock.monotonic() - this.#loadedAt > (this.#origin.staleMs ?? defaultStaleMs)
    if (isTooOld) {
      this.#keys = []
      this.#version = nextVersion()
    }
    const error = thrown instanceof Error ? describe(thrown) : String(thrown)
    const fields = { source: this.#source, failures: this.#failures, error }
    if (this.#keys.length === 0)
      log.error('the keys of a trusted issuer cannot be loaded: its tokens are answered with 503', fields)
    else log.warn('the keys of a trusted issuer cannot be loaded anew: the known ones stay in use', fields)
    if (isTooOld || this.#failures === 1) this.#announce()
  }

  #announce(): void {
    if (!this.#isClosed) this.#env.changed(this.#state())
  }

  #state(): KeyState {
    return {
      source: this.#source,
      version: this.#version,
      keys: this.#keys,
      isFailing: this.#failures > 0 || this.#version === 0,
      quietMs: Math.max(0, this.#coolUntil - this.#env.clock.monotonic()),
    }
  }

  #cooldownMs(): number {
    const { cooldownMs } = this.#origin
    return this.#keys.length > 0 ? cooldownMs : Math.min(cooldownMs, firstRetryMs * 2 ** Math.min(this.#failures, 16))
  }

  #retryMs(): number {
    if (this.#keys.length === 0) return this.#cooldownMs()
    return Math.min(this.#origin.cooldownMs * 2 ** Math.min(this.#failures - 1, 16), this.#origin.longestRetryMs)
  }

  #has(kid: string): boolean {
    return this.#keys.some((key) => key.kid === kid)
  }
}

/** An error with its cause: `fetch failed` alone says nothing. */
function describe(error: Error): string {
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message
}
