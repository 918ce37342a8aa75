import type { CacheMemory } from './cache-memory.ts'
import { slabWord, slabWords, word } from './cache-memory.ts'
import type { Freshness } from './freshness.ts'
import type { Extent } from './slab-writer.ts'

/**
 * How a stored thing lies in a slab, from a multiple of 64 bytes on:
 *
 *     secret, generation, hash (2), length, kind, key's bytes, head's bytes, pieces of the body, tags, status, flags,
 *     the record before, URL's place · times (4) · epoch · pieces (slab, generation, place, length) · tags (2 words) · key · head
 *
 * An `entry` is an answer; `vary` lists the fields that tell the answers of one URL apart; `pass` says that answers are
 * not kept, so that nobody waits for one.
 */
export type RecordKind = 'entry' | 'vary' | 'pass'

const kinds: readonly RecordKind[] = ['entry', 'vary', 'pass']
const field = {
  secret: 0,
  generation: 1,
  hashHi: 2,
  hashLo: 3,
  length: 4,
  kind: 5,
  key: 6,
  head: 7,
  pieces: 8,
  tags: 9,
  status: 10,
  flags: 11,
  previous: 12, // where the record before it in the same slab begins, plus one; 0 for the first
  url: 13,
} as const
/** Words 14 to 23 are five 64-bit numbers. */
const realsWord = 14
const fixedBytes = 96
const flag = { mustRevalidate: 1, noCache: 2, credentialed: 4, withCookies: 8 } as const

/** What is stored under a key. */
export interface CacheRecord {
  readonly kind: RecordKind
  readonly key: string
  readonly hashHi: number
  readonly hashLo: number
  readonly status: number
  /** Header lines of an entry, each ended by CRLF; the names of a `vary`, by spaces. Latin1. */
  readonly head: string
  readonly freshness: Freshness
  readonly forWhom: { readonly credentialed: boolean; readonly withCookies: boolean }
  readonly pieces: readonly Extent[]
  /** Hashes of its tags, two words each. */
  readonly tags: readonly number[]
  /** The count of changes when it was asked for. */
  readonly epoch: number
  /** Place of its URL in the epochs of URLs. */
  readonly url: number
}

/** Bytes that a record takes in a slab. */
export function recordBytes(record: CacheRecord): number {
  return fixedBytes + record.pieces.length * 16 + record.tags.length * 4 + Buffer.byteLength(record.key) + record.head.length
}

/** Writes a record into room that was reserved for it. */
export function writeRecord(memory: CacheMemory, room: Extent, record: CacheRecord): void {
  const { words, reals, bytes, header } = memory
  const at = room.at / 4
  const { freshness, forWhom } = record
  words[at + field.generation] = room.generation
  words[at + field.hashHi] = record.hashHi
  words[at + field.hashLo] = record.hashLo
  words[at + field.length] = room.length
  words[at + field.kind] = kinds.indexOf(record.kind)
  words[at + field.key] = Buffer.byteLength(record.key)
  words[at + field.head] = record.head.length
  words[at + field.pieces] = record.pieces.length
  words[at + field.tags] = record.tags.length
  words[at + field.status] = record.status
  words[at + field.flags] =
    (freshness.mustRevalidate ? flag.mustRevalidate : 0) |
    (freshness.noCache ? flag.noCache : 0) |
    (forWhom.credentialed ? flag.credentialed : 0) |
    (forWhom.withCookies ? flag.withCookies : 0)
  words[at + field.url] = record.url
  const last = room.slab * slabWords + slabWord.records
  words[at + field.previous] = memory.table[last]
  const times = (at + realsWord) / 2
  reals[times] = freshness.bornAt
  reals[times + 1] = freshness.freshUntil
  reals[times + 2] = freshness.whileRevalidateUntil
  reals[times + 3] = freshness.ifErrorUntil
  reals[times + 4] = record.epoch
  let next = at + fixedBytes / 4
  for (const piece of record.pieces) {
    words[next] = piece.slab
    words[next + 1] = piece.generation
    words[next + 2] = piece.at
    words[next + 3] = piece.length
    next += 4
  }
  for (const tag of record.tags) words[next++] = tag
  const written = bytes.write(record.key, next * 4, 'utf8')
  bytes.write(record.head, next * 4 + written, 'latin1')
  // Last of all, so that a half-written record is none.
  Atomics.store(words, at + field.secret, secretOf(header, room.at))
  Atomics.store(memory.table, last, room.at - room.slab * memory.slabBytes + 1)
}

/** Calls `visit` with the place of every record of a slab, the latest first. Only for who holds the slab. */
export function eachRecord(memory: CacheMemory, slab: number, visit: (at: number) => void): void {
  const { words, table, slabBytes } = memory
  let previous = table[slab * slabWords + slabWord.records]
  while (previous !== 0) {
    const at = slab * slabBytes + previous - 1
    visit(at)
    previous = words[at / 4 + field.previous]
  }
}

/** Whether any record of the slab's present generation lies there. */
export function isLiveAt(memory: CacheMemory, at: number): boolean {
  const w = at / 4
  return (
    Atomics.load(memory.words, w + field.secret) === secretOf(memory.header, at) &&
    memory.words[w + field.generation] === memory.generation(memory.slabOf(at))
  )
}

/** Reads the record at a place; undefined when none of this generation lies there, or it was dropped while it was read. */
export function readRecord(memory: CacheMemory, at: number, generation: number): CacheRecord | undefined {
  const { words, reals, bytes } = memory
  const w = at / 4
  // In this order: the secret is written last, so what it vouches for is read after it.
  if (Atomics.load(words, w + field.secret) !== secretOf(memory.header, at) || words[w + field.generation] !== generation)
    return undefined
  const length = words[w + field.length]
  const keyBytes = words[w + field.key]
  const headBytes = words[w + field.head]
  const pieceCount = words[w + field.pieces]
  const tagCount = words[w + field.tags]
  // Torn numbers are possible while another worker drops the slab: nothing may be read beyond it.
  if ((pieceCount | tagCount | keyBytes | headBytes) < 0 || length > memory.slabBytes) return undefined
  if (fixedBytes + pieceCount * 16 + tagCount * 4 + keyBytes + headBytes !== length) return undefined
  let next = w + fixedBytes / 4
  const pieces: Extent[] = []
  for (let i = 0; i < pieceCount; i++, next += 4) {
    pieces.push({ slab: words[next], generation: words[next + 1], at: words[next + 2], length: words[next + 3] })
  }
  const tags: number[] = []
  for (let i = 0; i < tagCount; i++) tags.push(words[next++])
  const flags = words[w + field.flags]
  const times = (w + realsWord) / 2
  const record: CacheRecord = {
    kind: kinds[words[w + field.kind]],
    key: bytes.toString('utf8', next * 4, next * 4 + keyBytes),
    hashHi: words[w + field.hashHi],
    hashLo: words[w + field.hashLo],
    status: words[w + field.status],
    head: bytes.toString('latin1', next * 4 + keyBytes, next * 4 + keyBytes + headBytes),
    freshness: {
      bornAt: reals[times],
      freshUntil: reals[times + 1],
      whileRevalidateUntil: reals[times + 2],
      ifErrorUntil: reals[times + 3],
      mustRevalidate: (flags & flag.mustRevalidate) !== 0,
      noCache: (flags & flag.noCache) !== 0,
    },
    forWhom: { credentialed: (flags & flag.credentialed) !== 0, withCookies: (flags & flag.withCookies) !== 0 },
    pieces,
    tags,
    epoch: reals[times + 4],
    url: words[w + field.url],
  }
  return memory.wasStill(memory.slabOf(at), generation) ? record : undefined
}

/** Bound to the place, so that a copy of a record elsewhere is none. */
function secretOf(header: Int32Array, at: number): number {
  const mixed = Math.imul(header[word.secret0] ^ at, 0x9e3779b1) ^ header[word.secret1]
  return mixed === 0 ? 1 : mixed
}
