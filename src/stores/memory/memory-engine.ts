import type { RecordKind } from '../../core/stores.ts'
import { decideRotation } from '../rotation.ts'
import type {
  PackedAnnouncement,
  PackedChange,
  PackedEntry,
  PackedFamily,
  PackedMessage,
  PackedNotice,
  PackedOutcome,
  PackedRecord,
  PackedRotation,
  RecordPlace,
  StoreEngine,
} from '../store-verbs.ts'
import { OwnedTable } from './owned-table.ts'

/** Entries of the audit log that are kept. */
const maxAuditEntries = 10_000

/** All verbs over maps: what a test stands on, and the plainest statement of what every driver must do. */
export class MemoryEngine implements StoreEngine {
  readonly #records = new Map<RecordKind, OwnedTable<PackedRecord>>()
  readonly #families = new OwnedTable<PackedFamily>()
  readonly #generations = new Map<string, number>()
  readonly #kept = new Map<string, PackedMessage>()
  readonly #audit: PackedEntry[] = []
  /** Entries that have left the audit log: the number of the oldest one. */
  #auditGone = 0
  readonly #appended: (message: PackedMessage) => void

  /** `appended` hears every message on the bus, before the verb that appended it returns. */
  constructor(appended: (message: PackedMessage) => void) {
    this.#appended = appended
  }

  get(now: number, kind: RecordKind, id: string): PackedRecord | undefined {
    return this.#table(kind).get(id, now)
  }

  create(now: number, kind: RecordKind, record: PackedRecord): boolean {
    const table = this.#table(kind)
    if (table.get(record.id, now) !== undefined) return false
    table.set(record)
    return true
  }

  update(now: number, kind: RecordKind, read: RecordPlace, change: PackedChange): number | undefined {
    const table = this.#table(kind)
    const record = table.get(read.id, now)
    if (record?.version !== read.version) return undefined
    const version = record.version + 1
    table.set({ ...record, ...change, version })
    return version
  }

  remove(now: number, kind: RecordKind, id: string, notice: PackedNotice | undefined): PackedRecord | undefined {
    const table = this.#table(kind)
    const record = table.get(id, now)
    table.delete(id)
    this.#announce(now, id, notice)
    return record
  }

  owned(now: number, kind: RecordKind, owner: string, limit: number): readonly PackedRecord[] {
    return this.#table(kind).owned(owner, now).slice(0, limit)
  }

  list(now: number, kind: RecordKind, cursor: string, limit: number): { records: PackedRecord[]; next: string } {
    const records = this.#table(kind).after(cursor, limit, now)
    return { records, next: records.length < limit ? '' : records[records.length - 1].id }
  }

  createFamily(now: number, family: PackedFamily): boolean {
    if (this.#families.get(family.id, now) !== undefined) return false
    this.#families.set(family)
    return true
  }

  family(now: number, id: string): PackedFamily | undefined {
    return this.#families.get(id, now)
  }

  rotate(now: number, rotation: PackedRotation): PackedOutcome {
    const outcome = decideRotation(this.#families.get(rotation.id, now), rotation, now)
    if (outcome.kind === 'rotated' || outcome.kind === 'reused') this.#families.set(outcome.family!)
    if (outcome.kind === 'reused') this.#announce(now, rotation.id, rotation.onReuse)
    return outcome
  }

  endFamily(now: number, id: string, reason: string, notice: PackedNotice | undefined): PackedFamily | undefined {
    const family = this.#families.get(id, now)
    const isActive = family?.ended === ''
    if (isActive) this.#families.set({ ...family, ended: reason, sealed: '' })
    this.#announce(now, id, notice)
    return isActive ? family : undefined
  }

  ownedFamilies(now: number, owner: string, limit: number): readonly PackedFamily[] {
    const active = this.#families.owned(owner, now).filter(({ ended, idleAt }) => ended === '' && idleAt > now)
    return active.slice(0, limit)
  }

  generation(_now: number, subject: string): number {
    return this.#generations.get(subject) ?? 0
  }

  raise(now: number, subject: string, topic: string, keepUntil: number): number {
    const generation = (this.#generations.get(subject) ?? 0) + 1
    this.#generations.set(subject, generation)
    this.#announce(now, subject, { topic, data: String(generation), keepUntil })
    return generation
  }

  append(now: number, { key, ...notice }: PackedAnnouncement): void {
    this.#announce(now, key, notice)
  }

  live(now: number): readonly PackedMessage[] {
    return [...this.#kept.values()].filter(({ keepUntil }) => keepUntil > now)
  }

  writeAudit(_now: number, entry: PackedEntry): void {
    this.#audit.push(entry)
    if (this.#audit.length <= maxAuditEntries) return
    this.#audit.shift()
    this.#auditGone++
  }

  readAudit(_now: number, cursor: string, limit: number): { entries: PackedEntry[]; next: string } {
    const end = cursor === '' ? this.#audit.length : Math.max(0, Number(cursor) - this.#auditGone)
    const start = Math.max(0, end - limit)
    const entries = this.#audit.slice(start, end).toReversed()
    return { entries, next: start === 0 ? '' : String(start + this.#auditGone) }
  }

  /** Forgets what has expired, of every table at most `limit` looked at; returns how much it forgot. */
  sweep(now: number, limit: number): number {
    let count = this.#families.sweep(now, limit)
    for (const table of this.#records.values()) count += table.sweep(now, limit)
    for (const [place, { keepUntil }] of this.#kept) {
      if (keepUntil <= now && this.#kept.delete(place)) count++
    }
    return count
  }

  #table(kind: RecordKind): OwnedTable<PackedRecord> {
    let table = this.#records.get(kind)
    if (table === undefined) this.#records.set(kind, (table = new OwnedTable()))
    return table
  }

  #announce(at: number, key: string, notice: PackedNotice | undefined): void {
    if (notice === undefined) return
    const message = { ...notice, key, at }
    if (key !== '') {
      const place = `${notice.topic}\0${key}`
      if (notice.keepUntil > at) this.#kept.set(place, message)
      else this.#kept.delete(place)
    }
    this.#appended(message)
  }
}
