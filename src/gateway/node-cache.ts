import { randomUUID } from 'node:crypto'
import type { Clock } from '../core/clock.ts'
import type { Closable } from '../core/lasting.ts'
import type { Hub } from '../core/link.ts'
import type { Log } from '../core/log.ts'
import type { Count, Level, Meter } from '../core/meter.ts'
import type { Following, Stores } from '../core/stores.ts'
import { allocateCache, CacheMemory } from '../cache/cache-memory.ts'
import { CacheStorage } from '../cache/cache-storage.ts'
import { releaseClaims } from '../cache/claims.ts'
import { purgeTopic } from '../cache/cache.ts'
import { fateOf, parsePurge } from '../cache/purges.ts'
import type { Purge, RunningPurge } from '../cache/purges.ts'

/** Topic of the bus: every node purges what one was told to. */
const busTopic = 'cache-purge'
/** Places of the index that are looked at between two turns of main's event loop: about a millisecond. */
const sweepPlaces = 4096
const watchEveryMs = 10_000
/** For so long a purge stands before what it means is taken out; answers asked for before it that arrive later are not kept. */
const purgeMs = 60_000
const mostRunning = 256

/** A purge, and when it may end, by the monotonic clock. */
interface Standing {
  readonly purge: RunningPurge
  readonly endsAt: number
}

export interface NodeCacheOptions {
  readonly maxBytes: number
  /** Worker numbers that may ever be in use. */
  readonly workers: number
  readonly hub: Hub
  readonly clock: Clock
  readonly log: Log
  readonly meter: Meter
  /** The open store; undefined while no configuration needed one. */
  readonly store: () => { readonly stores: Stores } | undefined
}

/**
 * Main's part of the cache: the memory that all workers share, and purges. A purge holds from the moment workers hear of
 * it. It stands for a while, since what was asked for before it is still on its way; then nothing of that is let in any
 * more, what the purge means is taken out of the index piece by piece, and only then it is over.
 */
export class NodeCache implements Closable {
  readonly memory: SharedArrayBuffer
  readonly #options: NodeCacheOptions
  /** Tells what this node said on the bus from what others did. */
  readonly #id = randomUUID()
  readonly #view: CacheMemory
  readonly #storage: CacheStorage
  readonly #unanswer: () => void
  readonly #counts: { readonly dropped: Count; readonly full: Count }
  readonly #bytes: Level
  #standing: Standing[] = []
  #isSettling = false
  #following: Following | undefined
  #usedBytes = 0
  #counted = { dropped: 0, full: 0 }
  #isClosed = false

  constructor(options: NodeCacheOptions) {
    const { maxBytes, workers, hub, meter, clock } = options
    this.#options = options
    this.memory = allocateCache({ maxBytes, workers })
    this.#view = new CacheMemory(this.memory, workers)
    this.#storage = new CacheStorage(this.#view)
    this.#unanswer = hub.answer(purgeTopic, () => this.#running())
    const help = 'Answers that left the cache because its memory is bounded, and those that found no room in it.'
    this.#counts = {
      dropped: meter.counter('velum_cache_evictions_total', help, { cause: 'dropped' }),
      full: meter.counter('velum_cache_evictions_total', help, { cause: 'full' }),
    }
    this.#bytes = meter.gauge('velum_cache_bytes', 'Memory of the cache that holds answers.')
    clock.after(watchEveryMs, this.#watch)
  }

  /** Hears what other nodes purge. Resolves at once where it does already, or there is no store. */
  async prepare(): Promise<void> {
    const stores = this.#options.store()?.stores
    if (stores === undefined || this.#following !== undefined) return
    this.#following = await stores.bus.follow({
      // Messages may have been missed, and nobody knows which: nothing older may be served as fresh.
      reload: (_live, isFirst) => {
        if (!isFirst) this.#run({ kind: 'prefix', value: '/', isSoft: true })
      },
      hear: (message) => {
        if (message.topic !== busTopic) return
        // Only what is known: a node of a later version may say more.
        const { url, prefix, tag, soft, from } = (message.data ?? {}) as Record<string, unknown>
        const purge = from === this.#id ? undefined : parsePurge({ url, prefix, tag, soft })
        if (purge !== undefined) this.#run(purge)
      },
    })
  }

  /** Takes something out of the cache of every node; this one's own at once. Rejects with `store-down` when others may not hear of it. */
  async purge(purge: Purge): Promise<void> {
    const stores = this.#options.store()?.stores
    this.#run(purge)
    if (stores === undefined) return
    const data = { [purge.kind]: purge.value, soft: purge.isSoft, from: this.#id }
    await stores.bus.append({ topic: busTopic, key: '', data, keepUntil: 0 })
  }

  /** What the cache of this node holds, for the admin surface. */
  get state(): { readonly maxBytes: number; readonly usedBytes: number; readonly purges: number } {
    return { maxBytes: this.#view.slabs * this.#view.slabBytes, usedBytes: this.#view.usedBytes, purges: this.#standing.length }
  }

  /** Frees what a dead worker held; before another one starts under its number. */
  release(worker: number): void {
    this.#view.releaseWorker(worker)
    releaseClaims(this.#view, worker)
  }

  close(): void {
    this.#isClosed = true
    this.#unanswer()
    this.#following?.stop()
  }

  #run(purge: Purge): void {
    const { clock, log } = this.#options
    const hash = purge.kind === 'tag' ? this.#storage.tagHash(purge.value) : ([0, 0] as const)
    const running: RunningPurge = { ...purge, hash, epoch: this.#view.nextEpoch() }
    const endsAt = clock.monotonic() + purgeMs
    // Very many at once cost every request more than an empty cache would: then everything goes.
    if (this.#standing.length < mostRunning) this.#standing.push({ purge: running, endsAt })
    else this.#standing = [{ purge: { ...running, kind: 'prefix', value: '/', isSoft: false }, endsAt }]
    this.#tell()
    log.info('cache purged', { [purge.kind]: purge.value, soft: purge.isSoft })
    if (this.#isSettling) return
    this.#isSettling = true
    clock.after(purgeMs, () => void this.#settle())
  }

  /** Ends the purges whose time has come, one pass for all of them. */
  async #settle(): Promise<void> {
    const { clock } = this.#options
    const now = clock.monotonic()
    const due = this.#standing.filter(({ endsAt }) => endsAt <= now)
    const purges = due.map(({ purge }) => purge)
    // From here on nothing is stored that was asked for before the latest of them, so the pass meets all there is.
    if (purges.length > 0) this.#view.raiseFloor(purges.at(-1)!.epoch)
    for (let place = 0; purges.length > 0 && place < this.#storage.places && !this.#isClosed; place += sweepPlaces) {
      this.#storage.sweep(place, place + sweepPlaces, (record) => fateOf(purges, record))
      await new Promise<void>((resolve) => void setImmediate(resolve))
    }
    if (this.#isClosed) return
    this.#standing = this.#standing.filter((one) => !due.includes(one))
    if (purges.length > 0) this.#tell()
    this.#isSettling = this.#standing.length > 0
    if (this.#isSettling) clock.after(this.#standing[0].endsAt - clock.monotonic(), () => void this.#settle())
  }

  #running(): readonly RunningPurge[] {
    return this.#standing.map(({ purge }) => purge)
  }

  #tell(): void {
    this.#options.hub.tellAll(purgeTopic, this.#running())
  }

  readonly #watch = (): void => {
    if (this.#isClosed) return
    const used = this.#view.usedBytes
    this.#bytes.add(used - this.#usedBytes)
    this.#usedBytes = used
    const now = { dropped: this.#view.counted('dropped'), full: this.#view.counted('full') }
    for (const what of ['dropped', 'full'] as const) {
      const grown = (now[what] - this.#counted[what]) >>> 0
      if (grown > 0) this.#counts[what].add(grown)
    }
    this.#counted = now
    this.#options.clock.after(watchEveryMs, this.#watch)
  }
}
