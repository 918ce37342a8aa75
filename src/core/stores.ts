import { EnvironmentFault } from './environment-fault.ts'
import type { MaybePromise } from './handler.ts'

/**
 * What outlives a request: sessions, token families, users, keys, revocations, the audit log. Every verb is one atomic
 * step; nobody has to read, think and write. A store that cannot answer throws the Fault `store-down`, which is never to
 * be read as "not found": a caller that gets it knows nothing, not even whether its write happened.
 *
 * Values are JSON and carry the number of their schema. Two neighbouring versions of Velum share one store during a
 * rolling update, so: a new schema only adds members; a reader takes its own schema and both neighbours, ignores what it
 * does not know, and keeps it when it updates (`{ ...record.value, lastSeenAt }`).
 *
 * All times are milliseconds since 1970; Infinity means never.
 */
export interface Stores {
  readonly kind: 'memory' | 'sqlite' | 'redis'
  readonly records: Records
  readonly families: Families
  readonly generations: Generations
  readonly bus: Bus
  readonly audit: AuditLog
  /** False while the store is known not to answer: what is asked now fails at once. */
  readonly isUp: boolean
  /** Ends what is under way with `store-down`; resolves when everything is released. */
  close(): Promise<void>
}

/** The store cannot be used, and waiting will not help: another gateway holds it, it is too old, it may forget. Exit code 3. */
export class StoreUnusable extends EnvironmentFault {
  constructor(message: string, options?: { cause: unknown }) {
    super(message, options)
    this.name = 'StoreUnusable'
  }
}

/**
 * Every kind of record. `login` is a login under way (state, nonce, challenge): taken out once, by `remove`.
 * `login-failures` counts failed logins by address, account or device. `provider-session` leads from a login at a provider to
 * its session here. `acme-account` and `acme-certificate` are what authorities know us by and have issued, sealed.
 */
export const recordKinds = [
  'session',
  'user',
  'login',
  'account',
  'passkey',
  'api-key',
  'signing-key',
  'login-failures',
  'provider-session',
  'acme-account',
  'acme-certificate',
] as const
export type RecordKind = (typeof recordKinds)[number]

/** A stored thing as it was at one version. */
export interface StoredRecord {
  readonly id: string
  /** Whose it is (`owned`); '' for nobody's. */
  readonly owner: string
  readonly value: Readonly<Record<string, unknown>>
  readonly schema: number
  /** What a compare-and-set must name. Never repeats, also not when a record is made anew under its old id. */
  readonly version: number
  readonly expiresAt: number
}

/** What makes a record. */
export interface NewRecord {
  readonly kind: RecordKind
  /** 1 to 256 characters. */
  readonly id: string
  /** Whose it is, for `owned`; '' for nobody's. Never changes. */
  readonly owner: string
  readonly value: Readonly<Record<string, unknown>>
  readonly schema: number
  readonly expiresAt: number
}

/** What an update puts in the place of what is there. Id and owner stay. */
export interface RecordChange {
  readonly value: Readonly<Record<string, unknown>>
  readonly schema: number
  readonly expiresAt: number
}

/** Some records of a kind, and where to go on; '' when that was all. */
export interface RecordPage {
  readonly records: readonly StoredRecord[]
  readonly next: string
}

/** Small records by kind and id. An expired record is not there. */
export interface Records {
  get(kind: RecordKind, id: string): MaybePromise<StoredRecord | undefined>
  /** Writes it and its place in the owner's index; undefined when the id is taken, else the version. */
  create(record: NewRecord): MaybePromise<number | undefined>
  /**
   * Puts the change in the place of exactly the version that was read; undefined when that is gone or changed, else the
   * new version. Never revives what was removed or has expired.
   */
  update(kind: RecordKind, read: StoredRecord, change: RecordChange): MaybePromise<number | undefined>
  /**
   * Takes out whatever is there, index included, and returns it: of several callers one gets it. The notice is appended
   * in the same step, whether or not something was there, so that ending a thing twice is harmless.
   */
  remove(kind: RecordKind, id: string, notice?: Notice): MaybePromise<StoredRecord | undefined>
  /** What an owner has of a kind, the longest-lived first, at most `limit`. */
  owned(kind: RecordKind, owner: string, limit: number): MaybePromise<readonly StoredRecord[]>
  /** Everything of a kind, page by page from cursor '', in no order; about `limit` a page. Administrative, not for requests. */
  list(kind: RecordKind, cursor: string, limit: number): MaybePromise<RecordPage>
}

/** One login on one device, as refresh tokens carry it on. Tokens appear here only as hashes. */
export interface Family {
  readonly id: string
  readonly owner: string
  /** What access tokens are minted from: fixed at login, never changed by a rotation. */
  readonly value: Readonly<Record<string, unknown>>
  readonly schema: number
  /** How often it was rotated. */
  readonly rotations: number
  /** Of the last rotation, or of the login. */
  readonly rotatedAt: number
  readonly idleAt: number
  /** The absolute end; no rotation moves it. */
  readonly expiresAt: number
  /** Why it was ended (`reuse`, `logout` …); undefined while it is active. */
  readonly ended: string | undefined
}

/** What makes a family. */
export interface NewFamily {
  readonly id: string
  readonly owner: string
  readonly value: Readonly<Record<string, unknown>>
  readonly schema: number
  /** Hash of the first refresh token's secret. */
  readonly token: string
  /** Who may use it: client and key binding in one text, compared as it is. */
  readonly bound: string
  readonly idleMs: number
  readonly expiresAt: number
}

/** One use of a refresh token. */
export interface Rotation {
  readonly id: string
  /**
   * Hash of the presented secret. The token must have proven before (by a MAC) that Velum once issued it: anything that
   * is neither current nor previous ends the family, and who only knows a family's id must not be able to do that.
   */
  readonly presented: string
  /** Hash of the successor's secret, and the successor itself, sealed, for who asks again within the grace. */
  readonly successor: string
  readonly sealed: string
  /** Must equal the family's. */
  readonly bound: string
  /** What is asked for (scopes, audience) as one text: a retry within the grace must ask for the same. */
  readonly asked: string
  /** How long after its rotation the previous token still gets the same successor. */
  readonly graceMs: number
  readonly idleMs: number
  /** Appended in the same step when this turns out to be a reuse. */
  readonly onReuse: Notice
}

/**
 * What became of a rotation. `mismatched`: another client, or a retry that asks for something else; nothing changed.
 * `overtaken`: it was sent before the last rotation and arrives after it, as after a partition; nothing changed, and it
 * tells of no theft. `reused`: this call ended the family; `isLate` when it was the previous token after its grace, not an
 * older one.
 */
export type RotationOutcome =
  | { readonly kind: 'rotated'; readonly family: Family }
  | { readonly kind: 'replayed'; readonly family: Family; readonly sealed: string }
  | { readonly kind: 'mismatched'; readonly family: Family }
  | { readonly kind: 'overtaken'; readonly family: Family }
  | { readonly kind: 'reused'; readonly family: Family; readonly isLate: boolean }
  | { readonly kind: 'ended'; readonly family: Family }
  | { readonly kind: 'expired' }
  | { readonly kind: 'unknown' }

/** Families of refresh tokens. Ending one and rotating it meet in one place, so that a refresh in flight cannot outlive the end. */
export interface Families {
  /** False when the id is taken. */
  create(family: NewFamily): MaybePromise<boolean>
  /** Also one that has ended, until its absolute end; undefined afterwards. */
  get(id: string): MaybePromise<Family | undefined>
  rotate(rotation: Rotation): MaybePromise<RotationOutcome>
  /** Ends it for good; the notice is appended in the same step, always. Returns the family that was active, if any. */
  end(id: string, reason: string, notice?: Notice): MaybePromise<Family | undefined>
  /** The active families of an owner, the longest-lived first, at most `limit`. */
  owned(owner: string, limit: number): MaybePromise<readonly Family[]>
}

/**
 * An integer per subject (or client, tenant …) that only grows and is never forgotten. What was issued under a lower one
 * is void: that ends everything of a subject without knowing any list. Read it here when issuing, not from a copy.
 */
export interface Generations {
  /** 0 until it was raised for the first time. */
  of(subject: string): MaybePromise<number>
  /** Adds one and announces the new number in the same step, as `{ topic, key: subject, data: number, keepUntil }`. */
  raise(subject: string, topic: string, keepUntil: number): MaybePromise<number>
}

/** What every node must hear about one record or family: it goes on the bus with the id as its key. */
export interface Notice {
  readonly topic: string
  /** JSON. */
  readonly data: unknown
  /** How long nodes that start later must still hear it; 0: not at all. */
  readonly keepUntil: number
}

/**
 * Something every node must hear. With a key, the latest under topic and key is kept until `keepUntil` for nodes that
 * start later; a `keepUntil` that has passed forgets what was kept. Without a key (''), nothing is kept.
 */
export interface Announcement extends Notice {
  readonly key: string
}

/** An announcement as followers get it. */
export interface BusMessage extends Announcement {
  /** When it was appended, by the clock of the node that did. */
  readonly at: number
}

/** Who follows the bus. Both are called synchronously; what they throw is a bug. */
export interface BusListener {
  /**
   * Everything that is kept and alive. Called once before `follow` resolves, and again whenever the place in the stream
   * was lost (`isFirst` false): messages that are not kept may have been missed then. Revocations should be merged, since
   * a store that lost its memory must not bring back the revoked.
   */
  reload(live: readonly BusMessage[], isFirst: boolean): void
  /** One message; may repeat what was heard before. Messages under one key come in order. */
  hear(message: BusMessage): void
}

/** A follower at work. */
export interface Following {
  /**
   * Monotonic milliseconds of a moment up to which everything appended anywhere has been heard. It falls behind while
   * the store does not answer: `clock.monotonic() - caughtUpAt` is the lag, and past a bound the node knows too little.
   */
  readonly caughtUpAt: number
  stop(): void
}

/** An append-only stream that every node and worker hears: revocations, purges, penalties. At least once, within a second. */
export interface Bus {
  /** Resolves when the store holds it. */
  append(announcement: Announcement): MaybePromise<void>
  /** Resolves once `reload` has had everything that is alive; rejects with `store-down` when that cannot be had. */
  follow(listener: BusListener): Promise<Following>
}

/** One thing that happened to identities. No secrets, no tokens: ids only. */
export interface AuditEntry {
  readonly at: number
  /** `login`, `login-failed`, `refresh-reused`, `session-ended` … */
  readonly event: string
  readonly facts: Readonly<Record<string, unknown>>
}

/** The audit log: entries are added and never changed. The oldest leave when the store's bound is reached. */
export interface AuditLog {
  append(entry: AuditEntry): MaybePromise<void>
  /** The newest first, page by page from cursor ''. */
  list(cursor: string, limit: number): MaybePromise<{ readonly entries: readonly AuditEntry[]; readonly next: string }>
}
