import type { PackedEntry, PackedFamily, PackedMessage, PackedOutcome, PackedRecord } from '../store-verbs.ts'
import { timeFromStored } from '../stored-time.ts'

/** A record of the fields own, val, sch, ver, exp; undefined when there is none, or its time has come. */
export function recordFrom(id: string, reply: unknown, now: number): PackedRecord | undefined {
  const [owner, value, schema, version, ends] = (reply ?? []) as (string | null | undefined)[]
  if (typeof owner !== 'string' || typeof value !== 'string') return undefined
  const expiresAt = timeFromStored(Number(ends))
  if (expiresAt <= now) return undefined
  return { id, owner, value, schema: Number(schema), version: Number(version), expiresAt }
}

/** A family of `familyFields`; undefined when there is none. */
export function familyFrom(id: string, reply: unknown): PackedFamily | undefined {
  const fields = (reply ?? [null]) as (string | null)[]
  if (fields[0] === null) return undefined
  const [owner, value, schema, ends, bound, current, previous, sealed, asked, rotations, rotatedAt, idleAt, ended] =
    fields as string[]
  return {
    id,
    owner,
    value,
    schema: Number(schema),
    expiresAt: timeFromStored(Number(ends)),
    bound,
    current,
    previous,
    sealed,
    asked,
    rotations: Number(rotations),
    rotatedAt: Number(rotatedAt),
    idleAt: timeFromStored(Number(idleAt)),
    ended,
  }
}

/** What the script `rotate` returns. */
export function outcomeFrom(id: string, reply: unknown): PackedOutcome {
  const [kind, isLate, family] = reply as [PackedOutcome['kind'], string | undefined, unknown]
  return { kind, family: family === undefined ? undefined : familyFrom(id, family), isLate: isLate === 'late' }
}

/** A message that is kept: its place is topic and key, its value the rest. */
export function messageFromKept(place: string, value: string): PackedMessage {
  return messageFrom(`${place}\0${value}`)
}

/** A message of the stream: topic, key, keep until, at, data. The data is last, and the only part that may hold anything. */
export function messageFrom(text: string): PackedMessage {
  const [topic, key, keepUntil, at] = text.split('\0', 4)
  const data = text.slice(topic.length + key.length + keepUntil.length + at.length + 4)
  return { topic, key, data, keepUntil: timeFromStored(Number(keepUntil)), at: Number(at) }
}

/** An entry of the audit log of its fields. */
export function entryFrom(fields: readonly string[]): PackedEntry {
  return { at: Number(fields[1]), event: fields[3], facts: fields[5] }
}
