import type { RecordKind } from '../../core/stores.ts'

/**
 * Where everything lies. All data is divided into 16 parts by a hash of its id (subject, key), and every key of a part
 * carries the part's tag in braces, so that in a Redis Cluster whatever one step touches lies in one slot: a record with
 * its indexes and with the stream that its end is announced on. The tags are chosen so that their slots are spread evenly
 * over the 16384. All of this is part of the stored layout and never changes within one layout number.
 *
 * | key | holds |
 * |---|---|
 * | `velum:{tag}:record:KIND:ID` | hash: own, val, sch, ver, exp |
 * | `velum:{tag}:kind:KIND` | sorted set of the ids of a kind, by their end |
 * | `velum:{tag}:owner:KIND:OWNER` | the same for what belongs to one owner |
 * | `velum:{tag}:family:ID` | hash: own, val, sch, exp, bound, cur, prev, sealed, asked, rot, at, idle, end |
 * | `velum:{tag}:owner:family:OWNER` | sorted set of an owner's families, by their end |
 * | `velum:{tag}:generation:SUBJECT` | an integer |
 * | `velum:{tag}:stream` | stream of announcements: m (the message), p (the id of the one before) |
 * | `velum:{tag}:last` | the id of the last announcement, for who looks whether there is something new |
 * | `velum:{tag}:kept` | hash of the announcements that are kept, by topic and key |
 * | `velum:{tag}:until` | sorted set of the same places, by their end |
 * | `velum:{tag}:probe` | nothing, ever: deleted to find out whether the part can be written |
 * | `velum:{0ax}:audit` | stream of the audit log |
 * | `velum:{0ax}:layout` | the number of this layout |
 */
export const layout = 1

/** Where the key of a stream is published when something was announced there. Only wakes readers up: what they read is the stream. */
export const wakeChannel = 'velum:wake'

const tags = ['0ax', '1oy', '2cx', '3bx', '4ex', '5zz', '6yz', '7xz', '8wz', '9vz', 'aoo', 'bed', 'cli', 'dcd', 'eko', 'fad']

/** The parts, by number. */
export const shards: readonly number[] = tags.map((_, shard) => shard)

/** The part that an id belongs to (FNV-1a over UTF-16 code units). */
export function shardOf(id: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < id.length; i++) hash = Math.imul(hash ^ id.charCodeAt(i), 0x01000193)
  // The low bits of FNV mix worst; fold the high ones in.
  return ((hash >>> 16) ^ (hash >>> 8) ^ hash) & (tags.length - 1)
}

const prefixes = tags.map((tag) => `velum:{${tag}}:`)

/** The keys that an announcement of a part touches, in the order in which scripts expect them. */
export const busKeys: readonly (readonly [stream: string, last: string, kept: string, until: string])[] = prefixes.map((prefix) => [
  `${prefix}stream`,
  `${prefix}last`,
  `${prefix}kept`,
  `${prefix}until`,
])

/** The part that a stream's key belongs to. */
export const shardOfStream: ReadonlyMap<string, number> = new Map(busKeys.map(([stream], shard) => [stream, shard]))

export const auditKey = `${prefixes[0]}audit`
export const layoutKey = `${prefixes[0]}layout`

export function recordKey(kind: RecordKind, id: string): string {
  return `${prefixes[shardOf(id)]}record:${kind}:${id}`
}

export function kindKey(shard: number, kind: RecordKind): string {
  return `${prefixes[shard]}kind:${kind}`
}

export function ownerKey(shard: number, kind: RecordKind | 'family', owner: string): string {
  return `${prefixes[shard]}owner:${kind}:${owner}`
}

export function familyKey(id: string): string {
  return `${prefixes[shardOf(id)]}family:${id}`
}

export function generationKey(subject: string): string {
  return `${prefixes[shardOf(subject)]}generation:${subject}`
}

/** A key that holds nothing, to find out whether a part can be written. */
export function probeKey(shard: number): string {
  return `${prefixes[shard]}probe`
}
