import type { MaybePromise } from '../core/handler.ts'
import type { RecordKind } from '../core/stores.ts'

/**
 * What a driver does: the verbs of `core/stores` with values as JSON text, so that all drivers keep exactly the same, and
 * nothing that a caller still holds. Plain, cloneable data: calls cross threads as they are.
 */
export interface StoreVerbs {
  get(kind: RecordKind, id: string): PackedRecord | undefined
  /** False when the id is taken. */
  create(kind: RecordKind, record: PackedRecord): boolean
  update(kind: RecordKind, read: RecordPlace, change: PackedChange): number | undefined
  remove(kind: RecordKind, id: string, notice: PackedNotice | undefined): PackedRecord | undefined
  owned(kind: RecordKind, owner: string, limit: number): readonly PackedRecord[]
  list(kind: RecordKind, cursor: string, limit: number): { readonly records: readonly PackedRecord[]; readonly next: string }
  createFamily(family: PackedFamily): boolean
  family(id: string): PackedFamily | undefined
  rotate(rotation: PackedRotation): PackedOutcome
  endFamily(id: string, reason: string, notice: PackedNotice | undefined): PackedFamily | undefined
  ownedFamilies(owner: string, limit: number): readonly PackedFamily[]
  generation(subject: string): number
  raise(subject: string, topic: string, keepUntil: number): number
  append(announcement: PackedAnnouncement): void
  live(): readonly PackedMessage[]
  writeAudit(entry: PackedEntry): void
  readAudit(cursor: string, limit: number): { readonly entries: readonly PackedEntry[]; readonly next: string }
}

export type StoreVerb = keyof StoreVerbs

export interface RecordPlace {
  readonly id: string
  readonly owner: string
  readonly version: number
}

export interface PackedChange {
  readonly value: string
  readonly schema: number
  readonly expiresAt: number
}

export interface PackedRecord extends RecordPlace, PackedChange {}

export interface PackedFamily extends PackedChange {
  readonly id: string
  readonly owner: string
  readonly bound: string
  /** Hashes of the token in use and of the one before; '' before the first rotation. */
  readonly current: string
  readonly previous: string
  /** Of the last rotation, for who asks again. */
  readonly sealed: string
  readonly asked: string
  readonly rotations: number
  readonly rotatedAt: number
  readonly idleAt: number
  /** '' while active. */
  readonly ended: string
}

export interface PackedNotice {
  readonly topic: string
  readonly data: string
  readonly keepUntil: number
}

export interface PackedAnnouncement extends PackedNotice {
  readonly key: string
}

export interface PackedMessage extends PackedAnnouncement {
  readonly at: number
}

export interface PackedRotation {
  readonly id: string
  readonly presented: string
  readonly successor: string
  readonly sealed: string
  readonly bound: string
  readonly asked: string
  readonly graceMs: number
  readonly idleMs: number
  readonly onReuse: PackedNotice
}

export interface PackedOutcome {
  readonly kind: 'rotated' | 'replayed' | 'mismatched' | 'overtaken' | 'reused' | 'ended' | 'expired' | 'unknown'
  /** As it is afterwards; undefined for `expired` and `unknown`. */
  readonly family: PackedFamily | undefined
  /** Of a reuse: the previous token, after its grace. */
  readonly isLate: boolean
}

export interface PackedEntry {
  readonly at: number
  readonly event: string
  readonly facts: string
}

/** A driver that answers at once; `now` is the caller's clock, in ms since 1970. */
export type StoreEngine = {
  [V in StoreVerb]: (now: number, ...args: Parameters<StoreVerbs[V]>) => ReturnType<StoreVerbs[V]>
}

/** A driver that has to be waited for. */
export type AsyncStoreEngine = {
  [V in StoreVerb]: (now: number, ...args: Parameters<StoreVerbs[V]>) => Promise<ReturnType<StoreVerbs[V]>>
}

/** One call as a message. */
export interface StoreCall {
  readonly verb: StoreVerb
  readonly args: readonly unknown[]
}

/** How the verbs are reached. Throws (or rejects with) the Fault `store-down` when they cannot be. */
export type CallStore = <V extends StoreVerb>(
  verb: V,
  ...args: Parameters<StoreVerbs[V]>
) => MaybePromise<ReturnType<StoreVerbs[V]>>

/** Runs a call that came as a message. */
export function runCall(engine: StoreEngine | AsyncStoreEngine, now: number, call: StoreCall): unknown {
  const verbs = engine as unknown as Record<StoreVerb, (now: number, ...args: readonly unknown[]) => unknown>
  return verbs[call.verb](now, ...call.args)
}
