import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { PackedFamily, PackedMessage, PackedRecord } from '../store-verbs.ts'

/** Rows as they are read: like what is packed, with times as they are stored. */
export type RecordRow = PackedRecord
export type FamilyRow = PackedFamily
export type KeptRow = PackedMessage

const recordColumns = 'id, owner, value, schema, version, expires_at AS expiresAt'
const familyColumns = `id, owner, value, schema, expires_at AS expiresAt, bound, current, previous, sealed, asked, rotations,
  rotated_at AS rotatedAt, idle_at AS idleAt, ended`

const texts = {
  record: `SELECT ${recordColumns} FROM records WHERE kind = ? AND id = ? AND expires_at > ?`,
  deleteExpiredRecord: 'DELETE FROM records WHERE kind = ? AND id = ? AND expires_at <= ?',
  insertRecord: `INSERT INTO records (kind, id, owner, value, schema, version, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT DO NOTHING`,
  updateRecord: `UPDATE records SET value = ?, schema = ?, expires_at = ?, version = version + 1
    WHERE kind = ? AND id = ? AND version = ? AND expires_at > ?`,
  deleteRecord: `DELETE FROM records WHERE kind = ? AND id = ? RETURNING ${recordColumns}`,
  ownedRecords: `SELECT ${recordColumns} FROM records WHERE kind = ? AND owner = ? AND owner <> '' AND expires_at > ?
    ORDER BY expires_at DESC, id LIMIT ?`,
  listRecords: `SELECT ${recordColumns} FROM records WHERE kind = ? AND id > ? AND expires_at > ? ORDER BY id LIMIT ?`,
  family: `SELECT ${familyColumns} FROM families WHERE id = ? AND expires_at > ?`,
  deleteExpiredFamily: 'DELETE FROM families WHERE id = ? AND expires_at <= ?',
  insertFamily: `INSERT INTO families (id, owner, value, schema, expires_at, bound, current, previous, sealed, asked, rotations,
    rotated_at, idle_at, ended) VALUES (:id, :owner, :value, :schema, :expiresAt, :bound, :current, :previous, :sealed, :asked,
    :rotations, :rotatedAt, :idleAt, :ended) ON CONFLICT DO NOTHING`,
  rotateFamily: `UPDATE families SET current = ?, previous = ?, sealed = ?, asked = ?, rotations = ?, rotated_at = ?, idle_at = ?
    WHERE id = ?`,
  endFamily: "UPDATE families SET ended = ?, sealed = '' WHERE id = ?",
  ownedFamilies: `SELECT ${familyColumns} FROM families WHERE owner = ? AND ended = '' AND expires_at > ? AND idle_at > ?
    ORDER BY expires_at DESC, id LIMIT ?`,
  generation: 'SELECT number FROM generations WHERE subject = ?',
  raise: `INSERT INTO generations (subject, number) VALUES (?, 1) ON CONFLICT DO UPDATE SET number = number + 1 RETURNING number`,
  keep: 'INSERT OR REPLACE INTO kept (topic, key, data, keep_until, at) VALUES (?, ?, ?, ?, ?)',
  forget: 'DELETE FROM kept WHERE topic = ? AND key = ?',
  live: 'SELECT topic, key, data, keep_until AS keepUntil, at FROM kept WHERE keep_until > ?',
  insertAudit: 'INSERT INTO audit (at, event, facts) VALUES (?, ?, ?)',
  trimAudit: 'DELETE FROM audit WHERE number <= ?',
  audit: 'SELECT number, at, event, facts FROM audit WHERE number < ? ORDER BY number DESC LIMIT ?',
} as const

const sweeps = [
  'DELETE FROM records WHERE (kind, id) IN (SELECT kind, id FROM records WHERE expires_at <= ? LIMIT ?)',
  'DELETE FROM families WHERE id IN (SELECT id FROM families WHERE expires_at <= ? LIMIT ?)',
  'DELETE FROM kept WHERE (topic, key) IN (SELECT topic, key FROM kept WHERE keep_until <= ? LIMIT ?)',
]

/** Every statement there is, prepared once. */
export type Statements = { readonly [Name in keyof typeof texts]: StatementSync } & {
  /** One per table that expires: the time, and how many rows at most. */
  readonly sweeps: readonly StatementSync[]
}

export function prepareStatements(db: DatabaseSync): Statements {
  const prepared = Object.entries(texts).map(([name, text]) => [name, db.prepare(text)])
  return { ...Object.fromEntries(prepared), sweeps: sweeps.map((text) => db.prepare(text)) } as Statements
}
