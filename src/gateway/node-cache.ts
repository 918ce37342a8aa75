import type { Clock } from '../core/clock.ts'
import type { Closable } from '../core/lasting.ts'
import type { Hub } from '../core/link.ts'
import type { Log } from '../core/log.ts'
import type { Count, Level, Meter } from '../core/meter.ts'
import type { Following, Stores } from '../core/stores.ts'
import { allocateCache, CacheMemory } from '../cache/cache-memory.ts'
import { CacheStorage } from '../cache/cache-storage.ts'
import { releaseClaims } from '../cache/claims.ts'
import { longestFillMs, purgeTopic } from '../cache/cache.ts'
import { fateOf, parsePurge } from '../cache/purges.ts'
import type { Purge, RunningPurge } from '../cache/purges.ts'

/** Topic of the bus: every node purges what one was told to. */
const busTopic = 'cache-purge'
/** Places of the index that are looked at between two turns of main's event loop: about a millisecond. */
const sweepPlaces = 4096
const watchEveryMs = 10_000
const mostRunning = 256

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
 * it; what it means is then taken out of the index piece by piece, and the purge is over.
 */
export class NodeCache implements Closable {
  readonly memory: SharedArrayBuffer
  readonly #options: NodeCacheOptions
  readonly #view: CacheMemory
  readonly #storage: CacheStorage
  readonly #unanswer: () => void
  readonly #counts: { readonly dropped: Count; readonly full: Count }
  readonly #bytes: Level
  #running: RunningPurge[] = []
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
    this.#unanswer = hub.answer(purgeTopic, () => this.#running)
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
        const purge = message.topic === busTopic ? parsePurge(message.data) : undefined
        if (purge !== undefined) this.#run(purge)
      },
    })
  }

  /** Takes something out of the cache of every node; this one's own at once. Rejects with `store-down` when others may not hear of it. */
  async purge(purge: Purge): Promise<void> {
    const stores = this.#options.store()?.stores
    this.#run(purge)
    if (stores === undefined) return
    const data = { [purge.kind]: purge.value, soft: purge.isSoft }
    await stores.bus.append({ topic: busTopic, key: '', data, keepUntil: 0 })
  }

  /** What the cache of this node holds, for the admin surface. */
  get state(): { readonly maxBytes: number; readonly usedBytes: number; readonly purges: number } {
    return { maxBytes: this.#view.slabs * this.#view.slabBytes, usedBytes: this.#view.usedBytes, purges: this.#running.length }
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
    const hash = purge.kind === 'tag' ? this.#storage.tagHash(purge.value) : ([0, 0] as const)
    const running: RunningPurge = { ...purge, hash, epoch: this.#view.nextEpoch() }
    // Very many at once cost every request more than an empty cache would: then everything goes.
    this.#running =
      this.#running.length < mostRunning ? [...this.#running, running] : [{ ...running, kind: 'prefix', value: '/', isSoft: false }]
    this.#tell()
    this.#options.log.info('cache purged', { [purge.kind]: purge.value, soft: purge.isSoft })
    void this.#sweep(running)
  }

  async #sweep(purge: RunningPurge): Promise<void> {
    const judge = [purge]
    for (let place = 0; place < this.#storage.places && !this.#isClosed; place += sweepPlaces) {
      this.#storage.sweep(place, place + sweepPlaces, (record) => fateOf(judge, record))
      await new Promise<void>((resolve) => void setImmediate(resolve))
    }
    // What was asked for before the purge may still arrive: until the longest of those has, the purge stands.
    this.#options.clock.after(longestFillMs, () => {
      this.#running = this.#running.filter((running) => running !== purge)
      if (!this.#isClosed) this.#tell()
    })
  }

  #tell(): void {
    this.#options.hub.tellAll(purgeTopic, this.#running)
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
