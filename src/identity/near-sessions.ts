import type { Clock } from '../core/clock.ts'
import type { Closable } from '../core/lasting.ts'
import type { StoredRecord, Stores } from '../core/stores.ts'
import type { OwnIssuerSpec } from './identity-spec.ts'
import type { KnownIdentity } from './known-identity.ts'
import type { Revocations } from './revocations.ts'
import type { SessionValue } from './session-record.ts'
import { sessionChange, sessionIdentity, sessionValue, touchMs } from './session-record.ts'

const defaultMaxSessions = 50_000
/** So many are looked at for each that is read, so that what has ended makes up no more than a third of what is kept. */
const sweptPerSession = 4
/** How soon last seen is tried again when the store did not take it. */
const retryMs = 5000

/** A session that a worker knows. */
export class NearSession {
  readonly id: string
  readonly hash: string
  readonly endsAt: number
  readonly identity: KnownIdentity
  record: StoredRecord
  value: SessionValue
  /** The state of revocations at which it was looked at; see `Revocations.epoch`. */
  epoch = 0
  /** Of the latest request here, or anywhere as far as the store said. */
  usedAt: number
  /** When last seen may be written again. */
  touchAt: number
  /** Looked up since the hand last passed. */
  isUsed = true

  constructor(record: StoredRecord, spec: OwnIssuerSpec) {
    const value = sessionValue(record)
    this.id = record.id
    this.record = record
    this.value = value
    this.hash = value.secret
    this.endsAt = value.endsAt
    this.identity = sessionIdentity(record.id, value, spec)
    this.usedAt = value.seenAt
    this.touchAt = value.seenAt + touchMs(spec.sessions)
  }
}

/**
 * A worker's near copy of sessions. A usual request finds its session here and asks nobody; a session that is not here is
 * read once, however many requests wait for it. What was revoked while it was being read does not get in.
 */
export class NearSessions implements Closable {
  readonly #stores: Stores
  readonly #spec: OwnIssuerSpec
  readonly #revocations: Revocations
  readonly #clock: Clock
  readonly #maxSessions: number
  readonly #touched: (id: string) => void
  readonly #known = new Map<string, NearSession>()
  readonly #loading = new Map<string, Promise<NearSession | undefined>>()
  #hand: MapIterator<NearSession> | undefined
  #sweepHand: MapIterator<NearSession> | undefined

  /** `touched` is told, at most once a minute each, of sessions in use that a provider vouched for. */
  constructor(
    stores: Stores,
    spec: OwnIssuerSpec,
    revocations: Revocations,
    clock: Clock,
    maxSessions = defaultMaxSessions,
    touched: (id: string) => void = () => undefined,
  ) {
    this.#touched = touched
    this.#stores = stores
    this.#spec = spec
    this.#revocations = revocations
    this.#clock = clock
    this.#maxSessions = maxSessions
  }

  get size(): number {
    return this.#known.size
  }

  find(id: string): NearSession | undefined {
    const session = this.#known.get(id)
    if (session !== undefined) session.isUsed = true
    return session
  }

  forget(id: string): void {
    this.#known.delete(id)
  }

  /** Reads a session; undefined when there is none. Rejects with `store-down`. */
  load(id: string): Promise<NearSession | undefined> {
    let loading = this.#loading.get(id)
    if (loading === undefined) {
      loading = this.#load(id).finally(() => this.#loading.delete(id))
      this.#loading.set(id, loading)
    }
    return loading
  }

  /** Writes last seen, in the background. A session that was changed or ended meanwhile is read anew by its next request. */
  touch(session: NearSession, address: string): void {
    const now = this.#clock.now()
    session.touchAt = now + touchMs(this.#spec.sessions)
    const value = { ...session.value, seenAt: now, address }
    const change = sessionChange(value, session.record.value, this.#spec.sessions)
    void this.#write(session, change, value)
    if (value.provider !== undefined) this.#touched(session.id)
  }

  close(): void {
    this.#known.clear()
  }

  async #write(session: NearSession, change: ReturnType<typeof sessionChange>, value: SessionValue): Promise<void> {
    try {
      const version = await this.#stores.records.update('session', session.record, change)
      if (version === undefined) this.#known.delete(session.id)
      else {
        session.record = { ...session.record, ...change, version }
        session.value = value
      }
    } catch {
      session.touchAt = Math.min(session.touchAt, this.#clock.now() + retryMs)
    }
  }

  async #load(id: string): Promise<NearSession | undefined> {
    const record = await this.#stores.records.get('session', id)
    if (record === undefined) return undefined
    const session = new NearSession(record, this.#spec)
    session.epoch = this.#revocations.epoch
    if (this.#revocations.isRevoked(session.identity, undefined)) return undefined
    this.#sweep()
    if (this.#known.size >= this.#maxSessions) this.#evict()
    this.#known.set(id, session)
    return session
  }

  /**
   * Drops of the next few what a look-up would not believe any more. Nobody asks for a session that was left or that ended
   * on another worker: it would stay until there is no room.
   */
  #sweep(): void {
    const now = this.#clock.now()
    for (let looked = 0; looked < sweptPerSession; looked++) {
      this.#sweepHand ??= this.#known.values()
      const { value: session, done } = this.#sweepHand.next()
      if (done === true) return void (this.#sweepHand = undefined)
      if (now >= session.endsAt || now - session.usedAt >= this.#spec.sessions.idleMs) this.#known.delete(session.id)
    }
  }

  /** Drops the first session under the hand that was not used since it came by last. */
  #evict(): void {
    for (;;) {
      this.#hand ??= this.#known.values()
      const { value: session, done } = this.#hand.next()
      if (done === true) {
        this.#hand = undefined
        continue
      }
      if (!session.isUsed) return void this.#known.delete(session.id)
      session.isUsed = false
    }
  }
}
