import { hash } from 'node:crypto'
import type { Clock, Timer } from '../core/clock.ts'
import type { MaybePromise } from '../core/handler.ts'
import type { Identity } from '../core/identity.ts'
import type { Closable } from '../core/lasting.ts'
import type { Log } from '../core/log.ts'
import type { Meter, Spread } from '../core/meter.ts'
import type { BusListener, BusMessage, Following, Notice, Stores } from '../core/stores.ts'
import type { Revocation, Revocations } from './revocations.ts'

/** Topics of the bus. The key is the id of what is revoked; kept as long as anything of it could still be believed. */
export const revokedTopics = {
  session: 'revoked.session',
  token: 'revoked.token',
  subject: 'revoked.subject',
  client: 'revoked.client',
  key: 'revoked.key',
  apiKey: 'revoked.api-key',
} as const

/**
 * How old what is known may be before it counts as unknown: what was revoked anywhere is refused everywhere within this
 * time, whatever was lost on the way. The stream is looked at every 250 ms, and workers are told every 100.
 */
const lagBoundMs = 1000
const retryMs = 500
const sweepMs = 60_000
/** How far the clocks of nodes may be apart. */
const skewMs = 60_000

export interface RevokedEnv {
  readonly clock: Clock
  readonly log: Log
  readonly meter: Meter
  readonly stores: Stores
  /** The issuer whose sessions and generations these are. */
  readonly issuer: string
}

/** Names a token by issuer and id; of fixed length, whatever an issuer takes for ids. */
export function tokenKey(issuer: string, id: string): string {
  return hash('sha256', `${issuer.length}:${issuer}${id}`, 'base64url')
}

/** The notice that ends a session or family; to be appended in the same step that ends its record. */
export function sessionNotice(keepUntil: number): Notice {
  return { topic: revokedTopics.session, data: true, keepUntil }
}

/** Appends a revocation, so that every node refuses what it names from then on. Resolves when the store holds it. */
export function revoke(stores: Stores, revocation: Revocation): MaybePromise<unknown> {
  const { kind, keepUntil } = revocation
  if (kind === 'subject') return stores.generations.raise(revocation.subject, revokedTopics.subject, keepUntil)
  const key =
    kind === 'token'
      ? tokenKey(revocation.issuer, revocation.id)
      : kind === 'session'
        ? revocation.id
        : kind === 'client'
          ? revocation.client
          : revocation.keyId
  return stores.bus.append({ topic: revokedTopics[kind], key, data: true, keepUntil })
}

/**
 * Follows the stream of revocations for one thread. What is heard is merged, never replaced: an entry leaves only when
 * its time is up, so neither a repeated message nor a store that lost its memory brings anybody back.
 */
export class Revoked implements Revocations, BusListener, Closable {
  epoch = 1
  readonly #env: RevokedEnv
  readonly #seconds: Spread
  /** By topic, then key, until when it is kept. */
  readonly #until = new Map<string, Map<string, number>>(Object.values(revokedTopics).map((topic) => [topic, new Map()]))
  readonly #sessions = this.#until.get(revokedTopics.session)!
  readonly #tokens = this.#until.get(revokedTopics.token)!
  readonly #clients = this.#until.get(revokedTopics.client)!
  readonly #keys = this.#until.get(revokedTopics.key)!
  readonly #apiKeys = this.#until.get(revokedTopics.apiKey)!
  readonly #generations = new Map<string, number>()
  readonly #watchers = new Set<() => void>()
  readonly #loaded: Promise<void>
  #following: Following | undefined
  #sweep: Timer | undefined
  #isClosed = false

  constructor(env: RevokedEnv) {
    this.#env = env
    this.#seconds = env.meter.histogram(
      'velum_revocation_delay_seconds',
      'From the moment a revocation was stored to the moment a worker knew it, by the clocks of both.',
    )
    this.#loaded = this.#follow()
    this.#sweepLater()
  }

  /** Resolves when everything that is alive was loaded; tries for ever. */
  get loaded(): Promise<void> {
    return this.#loaded
  }

  /** Milliseconds since the moment up to which everything is known; Infinity before the first. */
  get lagMs(): number {
    return this.#following === undefined ? Infinity : this.#env.clock.monotonic() - this.#following.caughtUpAt
  }

  isKnown(staleMs: number): boolean {
    const following = this.#following
    if (following === undefined) return false
    if (staleMs === 0 && !this.#env.stores.isUp) return false
    const lag = this.#env.clock.monotonic() - following.caughtUpAt
    return lag < lagBoundMs || lag <= staleMs
  }

  heard(): Promise<void> {
    // Messages of other threads are taken in the phase of the event loop before.
    return new Promise((resolve) => void setImmediate(resolve))
  }

  isRevoked(identity: Identity, keyId: string | undefined): boolean {
    const { issuer, session, subject, client, credentialId } = identity
    if (issuer === this.#env.issuer) {
      if (session !== undefined && this.#sessions.has(session)) return true
      const generation = this.#generations.get(subject)
      if (generation !== undefined && !(Number(identity.claims['gen']) >= generation)) return true
    }
    if (client !== undefined && this.#clients.has(client)) return true
    if (keyId !== undefined && this.#keys.has(keyId)) return true
    if (identity.kind === 'api-key' && credentialId !== undefined && this.#apiKeys.has(credentialId)) return true
    return this.#tokens.size > 0 && credentialId !== undefined && this.#tokens.has(tokenKey(issuer, credentialId))
  }

  generationOf(subject: string): number {
    return this.#generations.get(subject) ?? 0
  }

  learnEnd(id: string, keepUntil: number): void {
    this.#take({ topic: revokedTopics.session, key: id, data: true, keepUntil, at: this.#env.clock.now() })
    this.#changed()
  }

  whenChanged(run: () => void): () => void {
    this.#watchers.add(run)
    return () => void this.#watchers.delete(run)
  }

  reload(live: readonly BusMessage[]): void {
    for (const message of live) this.#take(message)
    this.#changed()
  }

  hear(message: BusMessage): void {
    if (!this.#take(message)) return
    this.#seconds.observe(Math.max(0, this.#env.clock.now() - message.at) / 1000)
    this.#changed()
  }

  close(): void {
    this.#isClosed = true
    this.#sweep?.cancel()
    this.#following?.stop()
    this.#following = undefined
    this.#watchers.clear()
  }

  #take({ topic, key, data, keepUntil }: BusMessage): boolean {
    const until = this.#until.get(topic)
    if (until === undefined || key === '') return false
    const before = until.get(key)
    // Also one whose time is up by now: clocks differ, and it is swept soon.
    until.set(key, before === undefined ? keepUntil : Math.max(before, keepUntil))
    if (topic === revokedTopics.subject && typeof data === 'number') {
      this.#generations.set(key, Math.max(data, this.#generations.get(key) ?? 0))
    }
    return true
  }

  #changed(): void {
    this.epoch++
    for (const run of this.#watchers) run()
  }

  async #follow(): Promise<void> {
    const { stores, clock, log } = this.#env
    while (!this.#isClosed) {
      try {
        const following = await stores.bus.follow(this)
        if (this.#isClosed) following.stop()
        else this.#following = following
        return
      } catch (error) {
        log.warn('what is revoked cannot be loaded: callers with sessions and tokens are answered with 503', { error })
        await new Promise<void>((resolve) => void clock.after(retryMs, resolve))
      }
    }
  }

  #sweepLater(): void {
    this.#sweep = this.#env.clock.after(sweepMs, () => {
      const now = this.#env.clock.now()
      for (const [topic, until] of this.#until) {
        for (const [key, end] of until) {
          if (end + skewMs > now) continue
          until.delete(key)
          if (topic === revokedTopics.subject) this.#generations.delete(key)
        }
      }
      this.#sweepLater()
    })
  }
}
