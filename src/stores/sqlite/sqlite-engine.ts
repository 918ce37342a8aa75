import type { DatabaseSync } from 'node:sqlite'
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
import { storedTime, timeFromStored } from '../stored-time.ts'
import { prepareStatements } from './statements.ts'
import type { FamilyRow, KeptRow, RecordRow, Statements } from './statements.ts'

/** Entries of the audit log that are kept. */
const maxAuditEntries = 1_000_000

/** All verbs over one open database. Atomicity is the caller's transaction around each verb. */
export class SqliteEngine implements StoreEngine {
  readonly #sql: Statements
  readonly #appended: (message: PackedMessage) => void

  /** `appended` hears every message on the bus; they count once the transaction is committed. */
  constructor(db: DatabaseSync, appended: (message: PackedMessage) => void) {
    this.#sql = prepareStatements(db)
    this.#appended = appended
  }

  get(now: number, kind: RecordKind, id: string): PackedRecord | undefined {
    return recordFrom(this.#sql.record.get(kind, id, now) as RecordRow | undefined)
  }

  create(now: number, kind: RecordKind, record: PackedRecord): boolean {
    this.#sql.deleteExpiredRecord.run(kind, record.id, now)
    const { id, owner, value, schema, version, expiresAt } = record
    return this.#sql.insertRecord.run(kind, id, owner, value, schema, version, storedTime(expiresAt)).changes === 1
  }

  update(now: number, kind: RecordKind, { id, version }: RecordPlace, change: PackedChange): number | undefined {
    const { value, schema, expiresAt } = change
    const { changes } = this.#sql.updateRecord.run(value, schema, storedTime(expiresAt), kind, id, version, now)
    return changes === 1 ? version + 1 : undefined
  }

  remove(now: number, kind: RecordKind, id: string, notice: PackedNotice | undefined): PackedRecord | undefined {
    const row = this.#sql.deleteRecord.get(kind, id) as RecordRow | undefined
    this.#announce(now, id, notice)
    return row === undefined || row.expiresAt <= now ? undefined : recordFrom(row)
  }

  owned(now: number, kind: RecordKind, owner: string, limit: number): readonly PackedRecord[] {
    return (this.#sql.ownedRecords.all(kind, owner, now, limit) as unknown as RecordRow[]).map((row) => recordFrom(row)!)
  }

  list(now: number, kind: RecordKind, cursor: string, limit: number): { records: PackedRecord[]; next: string } {
    const rows = this.#sql.listRecords.all(kind, cursor, now, limit) as unknown as RecordRow[]
    return { records: rows.map((row) => recordFrom(row)!), next: rows.length < limit ? '' : rows[rows.length - 1].id }
  }

  createFamily(now: number, family: PackedFamily): boolean {
    this.#sql.deleteExpiredFamily.run(family.id, now)
    const { changes } = this.#sql.insertFamily.run({
      ...family,
      expiresAt: storedTime(family.expiresAt),
      rotatedAt: storedTime(family.rotatedAt),
      idleAt: storedTime(family.idleAt),
    })
    return changes === 1
  }

  family(now: number, id: string): PackedFamily | undefined {
    return familyFrom(this.#sql.family.get(id, now) as FamilyRow | undefined)
  }

  rotate(now: number, rotation: PackedRotation): PackedOutcome {
    const outcome = decideRotation(this.family(now, rotation.id), rotation, now)
    if (outcome.kind === 'rotated') {
      const { current, previous, sealed, asked, rotations, rotatedAt, idleAt, id } = outcome.family!
      this.#sql.rotateFamily.run(current, previous, sealed, asked, rotations, storedTime(rotatedAt), storedTime(idleAt), id)
    } else if (outcome.kind === 'reused') {
      this.#sql.endFamily.run(outcome.family!.ended, rotation.id)
      this.#announce(now, rotation.id, rotation.onReuse)
    }
    return outcome
  }

  endFamily(now: number, id: string, reason: string, notice: PackedNotice | undefined): PackedFamily | undefined {
    const family = this.family(now, id)
    const isActive = family?.ended === ''
    if (isActive) this.#sql.endFamily.run(reason, id)
    this.#announce(now, id, notice)
    return isActive ? family : undefined
  }

  ownedFamilies(now: number, owner: string, limit: number): readonly PackedFamily[] {
    return (this.#sql.ownedFamilies.all(owner, now, now, limit) as unknown as FamilyRow[]).map((row) => familyFrom(row)!)
  }

  generation(_now: number, subject: string): number {
    return (this.#sql.generation.get(subject) as { number: number } | undefined)?.number ?? 0
  }

  raise(now: number, subject: string, topic: string, keepUntil: number): number {
    const { number } = this.#sql.raise.get(subject) as { number: number }
    this.#announce(now, subject, { topic, data: String(number), keepUntil })
    return number
  }

  append(now: number, { key, ...notice }: PackedAnnouncement): void {
    this.#announce(now, key, notice)
  }

  live(now: number): readonly PackedMessage[] {
    const rows = this.#sql.live.all(now) as unknown as KeptRow[]
    return rows.map(({ topic, key, data, keepUntil, at }) => ({ topic, key, data, keepUntil: timeFromStored(keepUntil), at }))
  }

  writeAudit(_now: number, { at, event, facts }: PackedEntry): void {
    const { lastInsertRowid } = this.#sql.insertAudit.run(storedTime(at), event, facts)
    // Seldom, since each look at the oldest entries costs more than adding one.
    if (Number(lastInsertRowid) % 1000 === 0) this.#sql.trimAudit.run(Number(lastInsertRowid) - maxAuditEntries)
  }

  readAudit(_now: number, cursor: string, limit: number): { entries: PackedEntry[]; next: string } {
    const before = cursor === '' ? Number.MAX_SAFE_INTEGER : Number(cursor)
    const rows = this.#sql.audit.all(before, limit) as unknown as (PackedEntry & { number: number })[]
    const entries = rows.map(({ at, event, facts }) => ({ at, event, facts }))
    return { entries, next: rows.length < limit ? '' : String(rows[rows.length - 1].number) }
  }

  /** Deletes what has expired, of every table at most `limit` rows; returns how many. */
  sweep(now: number, limit: number): number {
    let count = 0
    for (const statement of this.#sql.sweeps) count += Number(statement.run(now, limit).changes)
    return count
  }

  #announce(at: number, key: string, notice: PackedNotice | undefined): void {
    if (notice === undefined) return
    const { topic, data, keepUntil } = notice
    if (key !== '') {
      if (keepUntil > at) this.#sql.keep.run(topic, key, data, storedTime(keepUntil), storedTime(at))
      else this.#sql.forget.run(topic, key)
    }
    this.#appended({ topic, key, data, keepUntil, at })
  }
}

function recordFrom(row: RecordRow | undefined): PackedRecord | undefined {
  return row === undefined ? undefined : { ...row, expiresAt: timeFromStored(row.expiresAt) }
}

function familyFrom(row: FamilyRow | undefined): PackedFamily | undefined {
  if (row === undefined) return undefined
  return { ...row, expiresAt: timeFromStored(row.expiresAt), idleAt: timeFromStored(row.idleAt) }
}
