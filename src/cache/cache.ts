import type { Clock } from '../core/clock.ts'
import type { Link } from '../core/link.ts'
import type { Log } from '../core/log.ts'
import { CacheMemory } from './cache-memory.ts'
import type { CacheRecord } from './cache-record.ts'
import { CacheStorage } from './cache-storage.ts'
import type { Stored } from './cache-storage.ts'
import { Claims } from './claims.ts'
import { joinVary, variantOf } from './vary.ts'
import { fateOf } from './purges.ts'
import type { RunningPurge } from './purges.ts'
import { mostVaryNames } from './storable.ts'
import type { Headers } from '../core/headers.ts'

/** Main tells workers which purges are running; a worker asks for them when it begins. */
export const purgeTopic = 'cache/purges'

/** What lies under a key for one request. */
export interface Found {
  /** The key of the variant that fits the request. */
  readonly key: string
  /** The answer; undefined when there is none. */
  readonly stored: Stored | undefined
  /** Whether it was made stale before its time. */
  readonly isPurged: boolean
  /** Answers under this key are not kept at present: nobody should wait for one. */
  readonly isPassing: boolean
  /** Whether other variants are stored. */
  readonly hasVariants: boolean
}

/**
 * The cache of one worker: what all workers of the node have stored, who is fetching, what is being purged. Until it has
 * heard from main what is being purged, it finds nothing.
 */
export class Cache {
  readonly storage: CacheStorage
  readonly claims: Claims
  readonly clock: Clock
  #purges: readonly RunningPurge[] | undefined
  readonly #unhear: () => void

  constructor(memory: SharedArrayBuffer, worker: number, { clock, link, log }: { clock: Clock; link: Link; log: Log }) {
    this.storage = new CacheStorage(new CacheMemory(memory, worker))
    this.claims = new Claims(this.storage.memory)
    this.clock = clock
    this.#unhear = link.hear(purgeTopic, (message) => {
      this.#purges = message as readonly RunningPurge[]
    })
    void this.#hearPurges(link, log)
  }

  get epoch(): number {
    return this.storage.memory.epoch
  }

  find(key: string, request: Headers): Found {
    let found = this.#live(key)
    if (found === undefined || found.record.kind === 'entry') return this.#found(key, found, false)
    if (found.record.kind === 'pass')
      return { key, stored: undefined, isPurged: false, isPassing: this.#isFresh(found), hasVariants: false }
    const variant = `${key}\n${found.record.head}${variantOf(namesOf(found.record), request)}`
    found = this.#live(variant)
    if (found?.record.kind === 'pass') {
      return { key: variant, stored: undefined, isPurged: false, isPassing: this.#isFresh(found), hasVariants: true }
    }
    return this.#found(variant, found, true)
  }

  /**
   * The key under which an answer that varies on these fields is to be kept; undefined when there are too many of them.
   * Says so under the URL's own key where it does not already.
   */
  variantKey(
    key: string,
    vary: readonly string[],
    request: Headers,
    record: Pick<CacheRecord, 'epoch' | 'url' | 'freshness'>,
  ): string | undefined {
    const found = this.#live(key)
    const known = found?.record.kind === 'vary' ? namesOf(found.record) : undefined
    if (known === undefined && vary.length === 0) return key
    const names = known === undefined ? vary : joinVary(known, vary)
    if (names.length > mostVaryNames) return undefined
    const head = names.join(' ')
    if (known === undefined || names.length !== known.length) {
      const isSaid = this.storage.put({
        ...record,
        kind: 'vary',
        key,
        status: 0,
        head,
        forWhom: { credentialed: false, withCookies: false },
        pieces: [],
        tags: [],
      })
      if (!isSaid) return undefined
    }
    return `${key}\n${head}${variantOf(names, request)}`
  }

  async #hearPurges(link: Link, log: Log): Promise<void> {
    try {
      const purges = await link.ask(purgeTopic, undefined)
      this.#purges ??= purges as readonly RunningPurge[]
    } catch (error) {
      log.error('the cache stays empty: what is being purged cannot be known', { error })
    }
  }

  /** Called when the last Generation that uses it has gone. */
  close(): void {
    this.#unhear()
  }

  #found(key: string, stored: Stored | undefined, hasVariants: boolean): Found {
    const isPurged =
      stored !== undefined && (stored.isStale || (this.#purges!.length > 0 && fateOf(this.#purges!, stored.record) === 'stale'))
    return { key, stored, isPurged, isPassing: false, hasVariants }
  }

  #live(key: string): Stored | undefined {
    if (this.#purges === undefined) return undefined
    const stored = this.storage.find(key)
    if (stored === undefined || this.#purges.length === 0) return stored
    return fateOf(this.#purges, stored.record) === 'drop' ? undefined : stored
  }

  #isFresh({ record }: Stored): boolean {
    return record.freshness.freshUntil > this.clock.now()
  }
}

function namesOf({ head }: CacheRecord): string[] {
  return head.split(' ')
}
