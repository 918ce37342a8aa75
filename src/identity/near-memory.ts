import type { Clock } from '../core/clock.ts'
import type { MaybePromise } from '../core/handler.ts'
import { EndedHand } from '../lib/ended-hand.ts'

/** So many are looked at for each that is read, so that what has ended makes up no more than a third of what is kept. */
const sweptPerRead = 4

/** What can be kept near. */
export interface Near {
  readonly id: string
  /** Set by each look-up; cleared by the hand that looks for room. */
  isUsed: boolean
}

export interface NearMemoryOptions<T, R> {
  readonly most: number
  readonly clock: Clock
  /** Reads what is not here; undefined: there is none. What it rejects with, `load` does. */
  readonly read: (id: string) => MaybePromise<R | undefined>
  /** What is kept of what was read; undefined: nothing, since it was revoked meanwhile. Nothing can come between this and its being kept. */
  readonly admit: (read: R) => T | undefined
  /** Whether a look-up would not believe it any more. */
  readonly hasEnded: (kept: T, now: number) => boolean
}

/**
 * A worker's near copies of what the store holds, by id. One that is not here is read once, however many requests wait for
 * it. Room is taken from one that was not looked up for a while (clock eviction). What has ended leaves as others are read:
 * nobody asks for it any more, and it would stay until there is no room.
 */
export class NearMemory<T extends Near, R> {
  readonly #options: NearMemoryOptions<T, R>
  readonly #known = new Map<string, T>()
  readonly #loading = new Map<string, Promise<T | undefined>>()
  #hand: MapIterator<T> | undefined
  readonly #endedHand = new EndedHand(this.#known)

  constructor(options: NearMemoryOptions<T, R>) {
    this.#options = options
  }

  get size(): number {
    return this.#known.size
  }

  find(id: string): T | undefined {
    const kept = this.#known.get(id)
    if (kept !== undefined) kept.isUsed = true
    return kept
  }

  forget(id: string): void {
    this.#known.delete(id)
  }

  load(id: string): Promise<T | undefined> {
    let loading = this.#loading.get(id)
    if (loading === undefined) {
      loading = this.#load(id).finally(() => this.#loading.delete(id))
      this.#loading.set(id, loading)
    }
    return loading
  }

  clear(): void {
    this.#known.clear()
  }

  async #load(id: string): Promise<T | undefined> {
    const { read, admit, most } = this.#options
    const found = await read(id)
    const kept = found === undefined ? undefined : admit(found)
    if (kept === undefined) return undefined
    this.#sweep()
    if (this.#known.size >= most) this.#evict()
    this.#known.set(id, kept)
    return kept
  }

  #sweep(): void {
    const { clock, hasEnded } = this.#options
    const now = clock.now()
    this.#endedHand.sweep(sweptPerRead, (kept) => hasEnded(kept, now))
  }

  /** Drops the first under the hand that was not used since it came by last. */
  #evict(): void {
    for (;;) {
      this.#hand ??= this.#known.values()
      const { value: kept, done } = this.#hand.next()
      if (done === true) {
        this.#hand = undefined
        continue
      }
      if (!kept.isUsed) return void this.#known.delete(kept.id)
      kept.isUsed = false
    }
  }
}
