import { randomInt } from 'node:crypto'
import type { MaybePromise } from '../core/handler.ts'
import { isPromise } from '../core/handler.ts'
import type {
  AuditEntry,
  AuditLog,
  Bus,
  Families,
  Family,
  Generations,
  Notice,
  Records,
  RotationOutcome,
  StoredRecord,
  Stores,
} from '../core/stores.ts'
import type { CallStore, PackedEntry, PackedFamily, PackedNotice, PackedOutcome, PackedRecord } from './store-verbs.ts'

/** What a driver brings besides its verbs. */
export interface StoreParts {
  readonly kind: Stores['kind']
  readonly call: CallStore
  readonly follow: Bus['follow']
  readonly isUp: () => boolean
  readonly now: () => number
  readonly close: () => Promise<void>
}

/** Longest id, owner, subject, topic and key, in UTF-16 units; longest value as JSON. Far above what Velum stores. */
const maxKeyLength = 256
const maxValueLength = 65_536

/** The interface of `core/stores` over a driver's verbs: what is true of all drivers, such as what a key may be, is said here. */
export function createStores(parts: StoreParts): Stores {
  const { call } = parts
  return {
    get kind() {
      return parts.kind
    },
    records: createRecords(call),
    families: createFamilies(call, parts.now),
    generations: createGenerations(call),
    bus: {
      append(announcement) {
        if (announcement.key !== '') requireKey('key', announcement.key)
        return call('append', { ...packNotice(announcement), key: announcement.key })
      },
      follow: parts.follow,
    },
    audit: createAudit(call),
    get isUp() {
      return parts.isUp()
    },
    close: parts.close,
  }
}

function createRecords(call: CallStore): Records {
  return {
    get: (kind, id) => (isKey(id) ? map(call('get', kind, id), unpackRecord) : undefined),
    create({ kind, id, owner, value, schema, expiresAt }) {
      requireKey('id', id)
      if (owner !== '') requireKey('owner', owner)
      // Random, so that who read a record that was removed and made anew does not hold its version.
      const version = randomInt(1, 2 ** 47)
      const packed = { id, owner, value: pack(value), schema, version, expiresAt }
      return map(call('create', kind, packed), (isCreated) => (isCreated ? version : undefined))
    },
    update(kind, { id, owner, version }, { value, schema, expiresAt }) {
      if (!isKey(id)) return undefined
      return call('update', kind, { id, owner, version }, { value: pack(value), schema, expiresAt })
    },
    remove(kind, id, notice) {
      if (!isKey(id)) return undefined
      return map(call('remove', kind, id, notice === undefined ? undefined : packNotice(notice)), unpackRecord)
    },
    owned: (kind, owner, limit) => (isKey(owner) ? map(call('owned', kind, owner, limit), (records) => records.map(toRecord)) : []),
    list: (kind, cursor, limit) =>
      map(call('list', kind, cursor, limit), ({ records, next }) => ({ records: records.map(toRecord), next })),
  }
}

function createFamilies(call: CallStore, clockNow: () => number): Families {
  return {
    create({ id, owner, value, schema, token, bound, idleMs, expiresAt }) {
      requireKey('id', id)
      requireKey('owner', owner)
      if (token === '') throw new RangeError('a family starts with a token')
      const now = clockNow()
      const idleAt = Math.min(now + idleMs, expiresAt)
      const rest = { previous: '', sealed: '', asked: '', rotations: 0, rotatedAt: now, idleAt, ended: '' }
      return call('createFamily', { id, owner, value: pack(value), schema, expiresAt, bound, current: token, ...rest })
    },
    get: (id) => (isKey(id) ? map(call('family', id), unpackFamily) : undefined),
    rotate(rotation) {
      if (!isKey(rotation.id) || rotation.presented === '') return { kind: 'unknown' }
      return map(call('rotate', { ...rotation, onReuse: packNotice(rotation.onReuse) }), toOutcome)
    },
    end(id, reason, notice) {
      if (reason === '') throw new RangeError('a family ends for a reason')
      if (!isKey(id)) return undefined
      return map(call('endFamily', id, reason, notice === undefined ? undefined : packNotice(notice)), unpackFamily)
    },
    owned: (owner, limit) => (isKey(owner) ? map(call('ownedFamilies', owner, limit), (families) => families.map(toFamily)) : []),
  }
}

function createGenerations(call: CallStore): Generations {
  return {
    of: (subject) => (isKey(subject) ? call('generation', subject) : 0),
    raise(subject, topic, keepUntil) {
      requireKey('subject', subject)
      requireKey('topic', topic)
      return call('raise', subject, topic, keepUntil)
    },
  }
}

function createAudit(call: CallStore): AuditLog {
  return {
    append: ({ at, event, facts }) => call('writeAudit', { at, event, facts: pack(facts) }),
    list: (cursor, limit) =>
      map(call('readAudit', cursor, limit), ({ entries, next }) => ({ entries: entries.map(toEntry), next })),
  }
}

/** Without a promise where there was none. */
function map<T, R>(value: MaybePromise<T>, use: (value: T) => R): MaybePromise<R> {
  return isPromise(value) ? value.then(use) : use(value)
}

/** What cannot have been stored is simply not there: a client's text may be asked for as it is. */
function isKey(text: string): boolean {
  return text.length > 0 && text.length <= maxKeyLength && !text.includes('\0') && text.isWellFormed()
}

function requireKey(what: string, text: string): void {
  if (!isKey(text)) throw new RangeError(`the ${what} cannot be stored: 1 to ${maxKeyLength} characters of well-formed text`)
}

function pack(value: unknown): string {
  const text = JSON.stringify(value)
  if (text === undefined || text.length > maxValueLength) throw new RangeError('the value cannot be stored: it is too large')
  return text
}

function packNotice({ topic, data, keepUntil }: Notice): PackedNotice {
  requireKey('topic', topic)
  return { topic, data: pack(data), keepUntil }
}

function unpackRecord(packed: PackedRecord | undefined): StoredRecord | undefined {
  return packed === undefined ? undefined : toRecord(packed)
}

function toRecord({ id, owner, value, schema, version, expiresAt }: PackedRecord): StoredRecord {
  return { id, owner, value: JSON.parse(value) as StoredRecord['value'], schema, version, expiresAt }
}

function unpackFamily(packed: PackedFamily | undefined): Family | undefined {
  return packed === undefined ? undefined : toFamily(packed)
}

function toFamily(packed: PackedFamily): Family {
  const { id, owner, value, schema, rotations, rotatedAt, idleAt, expiresAt, ended } = packed
  const parsed = JSON.parse(value) as Family['value']
  return { id, owner, value: parsed, schema, rotations, rotatedAt, idleAt, expiresAt, ended: ended === '' ? undefined : ended }
}

function toOutcome({ kind, family: packed, isLate }: PackedOutcome): RotationOutcome {
  if (kind === 'unknown' || kind === 'expired') return { kind }
  const family = toFamily(packed!)
  if (kind === 'replayed') return { kind, family, sealed: packed!.sealed }
  return kind === 'reused' ? { kind, family, isLate } : { kind, family }
}

function toEntry({ at, event, facts }: PackedEntry): AuditEntry {
  return { at, event, facts: JSON.parse(facts) as AuditEntry['facts'] }
}
