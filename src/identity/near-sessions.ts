import type { Clock } from '../core/clock.ts'
import type { Closable } from '../core/lasting.ts'
import type { StoredRecord, Stores } from '../core/stores.ts'
import type { OwnIssuerSpec } from './identity-spec.ts'
import type { KnownIdentity } from './known-identity.ts'
import { NearMemory } from './near-memory.ts'
import type { Revocations } from './revocations.ts'
import type { SessionValue } from './session-record.ts'
import { sessionChange, sessionIdentity, sessionValue, touchMs } from './session-record.ts'

const defaultMaxSessions = 50_000
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
  readonly #touched: (id: string) => void
  readonly #near: NearMemory<NearSession, StoredRecord>

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
    this.#near = new NearMemory({
      most: maxSessions,
      clock,
      read: (id) => stores.records.get('session', id),
      admit: (record) => this.#admit(record),
      hasEnded: ({ endsAt, usedAt }, now) => now >= endsAt || now - usedAt >= spec.sessions.idleMs,
    })
  }

  get size(): number {
    return this.#near.size
  }

  find(id: string): NearSession | undefined {
    return this.#near.find(id)
  }

  forget(id: string): void {
    this.#near.forget(id)
  }

  /** Reads a session; undefined when there is none. Rejects with `store-down`. */
  load(id: string): Promise<NearSession | undefined> {
    return this.#near.load(id)
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
    this.#near.clear()
  }

  async #write(session: NearSession, change: ReturnType<typeof sessionChange>, value: SessionValue): Promise<void> {
    try {
      const version = await this.#stores.records.update('session', session.record, change)
      if (version === undefined) this.#near.forget(session.id)
      else {
        session.record = { ...session.record, ...change, version }
        session.value = value
      }
    } catch {
      session.touchAt = Math.min(session.touchAt, this.#clock.now() + retryMs)
    }
  }

  #admit(record: StoredRecord): NearSession | undefined {
    const session = new NearSession(record, this.#spec)
    session.epoch = this.#revocations.epoch
    return this.#revocations.isRevoked(session.identity, undefined) ? undefined : session
  }
}
