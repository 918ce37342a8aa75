import type { CacheRecord } from './cache-record.ts'

/** What is to leave the cache. */
export interface Purge {
  readonly kind: 'url' | 'prefix' | 'tag'
  /** A URL or the beginning of one; one that begins with "/" is meant on every host. Or a tag. */
  readonly value: string
  /** Stale instead of gone: it may still be used where staleness is allowed, and asked about instead of fetched anew. */
  readonly isSoft: boolean
}

/** A purge on its way through the cache: it concerns what was asked for before its epoch. */
export interface RunningPurge extends Purge {
  readonly epoch: number
  /** Of a tag. */
  readonly hash: readonly [number, number]
}

/** Longest value of a purge, in characters. */
export const longestPurge = 2048

/** Whether a purge means this record. Keys begin with their URL and a line feed. */
export function means(purge: RunningPurge, record: CacheRecord): boolean {
  if (record.epoch >= purge.epoch) return false
  if (purge.kind === 'tag') {
    const { tags } = record
    for (let i = 0; i < tags.length; i += 2) if (tags[i] === purge.hash[0] && tags[i + 1] === purge.hash[1]) return true
    return false
  }
  const { key } = record
  const end = key.indexOf('\n')
  const from = purge.value.startsWith('/') ? key.indexOf('/', key.indexOf('://') + 3) : 0
  return key.startsWith(purge.value, from) && (purge.kind === 'prefix' || from + purge.value.length === end)
}

/** What the running purges make of a record. */
export function fateOf(purges: readonly RunningPurge[], record: CacheRecord): 'drop' | 'stale' | 'keep' {
  let fate: 'stale' | 'keep' = 'keep'
  for (const purge of purges) {
    if (!means(purge, record)) continue
    if (!purge.isSoft || record.kind !== 'entry') return 'drop'
    fate = 'stale'
  }
  return fate
}

/** Reads a purge that came as JSON; undefined when it is none. */
export function parsePurge(value: unknown): Purge | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { url, prefix, tag, soft } = value as Record<string, unknown>
  const given = [url, prefix, tag].filter((one) => one !== undefined)
  const [text] = given
  if (given.length !== 1 || typeof text !== 'string' || text === '' || text.length > longestPurge) return undefined
  if (soft !== undefined && typeof soft !== 'boolean') return undefined
  if (Object.keys(value).some((key) => !['url', 'prefix', 'tag', 'soft'].includes(key))) return undefined
  return { kind: url !== undefined ? 'url' : prefix !== undefined ? 'prefix' : 'tag', value: text, isSoft: soft === true }
}
