import type { RecordKind } from '../../core/stores.ts'
import { longestLivedFirst } from '../memory/owned-table.ts'
import type {
  AsyncStoreEngine,
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
} from '../store-verbs.ts'
import { never, storedTime } from '../stored-time.ts'
import { auditKey, busKeys, familyKey, generationKey, kindKey, ownerKey, recordKey, shardOf, shards } from './key-layout.ts'
import type { RedisConnection } from './redis-connection.ts'
import { entryFrom, familyFrom, messageFromKept, outcomeFrom, recordFrom } from './replies.ts'
import * as scripts from './scripts.ts'

/** Entries of the audit log that are kept, at least. */
const maxAuditEntries = 100_000
/** The server forgets by its own clock, what is there is decided by the nodes': this is how far they may differ. */
const slackMs = 60_000
/** Entries read at once where a whole set is read. */
const pageSize = 500

/** All verbs over Redis: each write is one script on keys of one part. */
export class RedisEngine implements AsyncStoreEngine {
  readonly #redis: RedisConnection

  constructor(redis: RedisConnection) {
    this.#redis = redis
  }

  async get(now: number, kind: RecordKind, id: string): Promise<PackedRecord | undefined> {
    const fields = await this.#redis.send(shardOf(id), ['HMGET', recordKey(kind, id), 'own', 'val', 'sch', 'ver', 'exp'])
    return recordFrom(id, fields, now)
  }

  async create(now: number, kind: RecordKind, record: PackedRecord): Promise<boolean> {
    const shard = shardOf(record.id)
    const args = writeArgs(now, record, record.version, record)
    return (await this.#redis.run(shard, scripts.createRecord, placeKeys(shard, kind, record), args)) === 1
  }

  async update(now: number, kind: RecordKind, read: RecordPlace, change: PackedChange): Promise<number | undefined> {
    const shard = shardOf(read.id)
    const args = writeArgs(now, read, read.version, change)
    const version = await this.#redis.run(shard, scripts.updateRecord, placeKeys(shard, kind, read), args)
    return version === null ? undefined : Number(version)
  }

  async remove(now: number, kind: RecordKind, id: string, notice: PackedNotice | undefined): Promise<PackedRecord | undefined> {
    const shard = shardOf(id)
    const reply = await this.#withOwner(shard, recordKey(kind, id), (owner) => {
      const keys = [...placeKeys(shard, kind, { id, owner }), ...busKeys[shard]]
      return this.#redis.run(shard, scripts.removeRecord, keys, [id, owner, time(now), ...noticeArgs(notice)])
    })
    return recordFrom(id, reply, now)
  }

  async owned(now: number, kind: RecordKind, owner: string, limit: number): Promise<readonly PackedRecord[]> {
    const read = async (id: string): Promise<PackedRecord | undefined> => {
      const record = await this.get(now, kind, id)
      return record?.owner === owner ? record : undefined
    }
    return this.#owned(now, (shard) => ownerKey(shard, kind, owner), limit, read)
  }

  async list(now: number, kind: RecordKind, cursor: string, limit: number): Promise<{ records: PackedRecord[]; next: string }> {
    const records: PackedRecord[] = []
    let [shard, place] = cursor === '' ? [0, '0'] : readCursor(cursor)
    while (shard < shards.length) {
      const [next, entries] = (await this.#redis.send(shard, ['ZSCAN', kindKey(shard, kind), place, 'COUNT', String(limit)])) as [
        string,
        string[],
      ]
      const ids = entries.filter((_, i) => i % 2 === 0)
      for (const record of await Promise.all(ids.map((id) => this.get(now, kind, id)))) {
        if (record !== undefined) records.push(record)
      }
      place = next
      if (place === '0') shard++
      if (records.length >= limit) break
    }
    return { records, next: shard < shards.length ? `${shard}:${place}` : '' }
  }

  async createFamily(now: number, family: PackedFamily): Promise<boolean> {
    const shard = shardOf(family.id)
    const { id, owner, value, schema, bound, current, previous, sealed, asked, rotations, ended } = family
    const ends = time(family.expiresAt)
    const values = [owner, value, String(schema), ends, bound, current, previous, sealed, asked, String(rotations)]
    values.push(time(family.rotatedAt), time(family.idleAt), ended)
    const fields = scripts.familyFields.flatMap((name, i) => [name, values[i]])
    const keys = [familyKey(id), ownerKey(shard, 'family', owner)]
    const args = [id, time(now), ends, serverEnd(family.expiresAt), ...fields]
    return (await this.#redis.run(shard, scripts.createFamily, keys, args)) === 1
  }

  async family(now: number, id: string): Promise<PackedFamily | undefined> {
    const family = familyFrom(id, await this.#redis.send(shardOf(id), ['HMGET', familyKey(id), ...scripts.familyFields]))
    return family === undefined || family.expiresAt <= now ? undefined : family
  }

  async rotate(now: number, rotation: PackedRotation): Promise<PackedOutcome> {
    const { id, presented, successor, sealed, bound, asked, graceMs, idleMs, onReuse } = rotation
    const shard = shardOf(id)
    const args = [id, time(now), presented, successor, sealed, bound, asked, String(graceMs), time(now + idleMs)]
    const reply = await this.#redis.run(
      shard,
      scripts.rotate,
      [familyKey(id), ...busKeys[shard]],
      [...args, ...noticeArgs(onReuse)],
    )
    return outcomeFrom(id, reply)
  }

  async endFamily(now: number, id: string, reason: string, notice: PackedNotice | undefined): Promise<PackedFamily | undefined> {
    const shard = shardOf(id)
    const reply = await this.#withOwner(shard, familyKey(id), (owner) => {
      const keys = [familyKey(id), ownerKey(shard, 'family', owner), ...busKeys[shard]]
      return this.#redis.run(shard, scripts.endFamily, keys, [id, owner, time(now), reason, ...noticeArgs(notice)])
    })
    return familyFrom(id, reply)
  }

  async ownedFamilies(now: number, owner: string, limit: number): Promise<readonly PackedFamily[]> {
    const read = async (id: string): Promise<PackedFamily | undefined> => {
      const family = await this.family(now, id)
      return family?.owner === owner && family.ended === '' && family.idleAt > now ? family : undefined
    }
    return this.#owned(now, (shard) => ownerKey(shard, 'family', owner), limit, read)
  }

  async generation(_now: number, subject: string): Promise<number> {
    return Number((await this.#redis.send(shardOf(subject), ['GET', generationKey(subject)])) ?? 0)
  }

  async raise(now: number, subject: string, topic: string, keepUntil: number): Promise<number> {
    const shard = shardOf(subject)
    const args = [subject, time(now), topic, time(keepUntil)]
    return Number(await this.#redis.run(shard, scripts.raise, [generationKey(subject), ...busKeys[shard]], args))
  }

  async append(now: number, { topic, key, data, keepUntil }: PackedAnnouncement): Promise<void> {
    // Messages under one key, and those of a topic without keys, keep their order: they lie in one stream.
    const shard = shardOf(key === '' ? topic : key)
    await this.#redis.run(shard, scripts.append, busKeys[shard], [key, time(now), topic, data, time(keepUntil)])
  }

  async live(now: number): Promise<readonly PackedMessage[]> {
    const live: PackedMessage[] = []
    await Promise.all(
      shards.map(async (shard) => {
        // By place: a scan may show an entry twice.
        const places = new Map<string, PackedMessage>()
        let cursor = '0'
        do {
          const command = ['HSCAN', busKeys[shard][2], cursor, 'COUNT', String(pageSize)]
          const [next, entries] = (await this.#redis.send(shard, command)) as [string, string[]]
          for (let i = 0; i < entries.length; i += 2) places.set(entries[i], messageFromKept(entries[i], entries[i + 1]))
          cursor = next
        } while (cursor !== '0')
        for (const message of places.values()) if (message.keepUntil > now) live.push(message)
      }),
    )
    return live
  }

  async writeAudit(_now: number, { at, event, facts }: PackedEntry): Promise<void> {
    const trimmed = ['MAXLEN', '~', String(maxAuditEntries)]
    await this.#redis.send(0, ['XADD', auditKey, ...trimmed, '*', 'at', time(at), 'event', event, 'facts', facts])
  }

  async readAudit(_now: number, cursor: string, limit: number): Promise<{ entries: PackedEntry[]; next: string }> {
    const from = cursor === '' ? '+' : `(${cursor}`
    const command = ['XREVRANGE', auditKey, from, '-', 'COUNT', String(limit)]
    const rows = (await this.#redis.send(0, command)) as [string, string[]][]
    return { entries: rows.map(([, fields]) => entryFrom(fields)), next: rows.length < limit ? '' : rows[rows.length - 1][0] }
  }

  /** Runs what needs to know an owner only the store knows; again when that changed in between, which takes a new owner each time. */
  async #withOwner(shard: number, key: string, run: (owner: string) => Promise<unknown>): Promise<unknown> {
    for (;;) {
      const owner = (await this.#redis.send(shard, ['HGET', key, 'own'])) as string | null
      const reply = await run(owner ?? '')
      if (reply !== 0) return reply
    }
  }

  /** Reads indexes of all parts, the longest-lived first, until there are enough of those that `read` finds. */
  async #owned<Row extends { readonly id: string; readonly owner: string; readonly expiresAt: number }>(
    now: number,
    keyOf: (shard: number) => string,
    limit: number,
    read: (id: string) => Promise<Row | undefined>,
  ): Promise<readonly Row[]> {
    const rows: Row[] = []
    await Promise.all(
      shards.map(async (shard) => {
        let found = 0
        for (let offset = 0; found < limit; offset += limit) {
          const range = ['+inf', `(${time(now)}`, 'LIMIT', String(offset), String(limit)]
          const ids = (await this.#redis.send(shard, ['ZREVRANGEBYSCORE', keyOf(shard), ...range])) as string[]
          for (const row of await Promise.all(ids.map(read))) {
            if (row === undefined) continue
            rows.push(row)
            found++
          }
          if (ids.length < limit) break
        }
      }),
    )
    return rows.sort(longestLivedFirst).slice(0, limit)
  }
}

function placeKeys(shard: number, kind: RecordKind, { id, owner }: { readonly id: string; readonly owner: string }): string[] {
  return [recordKey(kind, id), kindKey(shard, kind), ownerKey(shard, kind, owner)]
}

function writeArgs(
  now: number,
  { id, owner }: { readonly id: string; readonly owner: string },
  version: number,
  change: PackedChange,
) {
  const { value, schema, expiresAt } = change
  return [id, owner, value, String(schema), String(version), time(expiresAt), time(now), serverEnd(expiresAt)]
}

function noticeArgs(notice: PackedNotice | undefined): [topic: string, data: string, keepUntil: string] {
  return notice === undefined ? ['', '', '0'] : [notice.topic, notice.data, time(notice.keepUntil)]
}

function time(ms: number): string {
  return String(storedTime(ms))
}

/** When the server may forget; '' for never. */
function serverEnd(expiresAt: number): string {
  return expiresAt >= never ? '' : time(expiresAt + slackMs)
}

function readCursor(cursor: string): [shard: number, place: string] {
  const [shard, place] = cursor.split(':')
  return [Number(shard), place ?? '0']
}
