import { KeyedHash } from '../lib/keyed-hash.ts'
import { claimPlaces, claimWords, word } from './cache-memory.ts'
import type { CacheMemory } from './cache-memory.ts'

/** Who fetches what is missing. */
export type Claim =
  /** This caller does, and says when it is over, however it ends. Saying it twice is harmless. */
  | { readonly kind: 'mine'; readonly end: () => void }
  /** Another one of this node does, on whatever worker: `ended` resolves when it is over. */
  | { readonly kind: 'theirs'; readonly ended: Promise<unknown> }
  /** The key's place is taken by another key: everybody fetches for himself. */
  | { readonly kind: 'full' }

/** Words of a place: who holds it and for which key, and how often it was let go. */
const holder = 0
const sequence = 1
/** Room for the numbers of 1023 workers; the rest of the word is of the key's hash. */
const ownerMask = 0x3ff
const full: Claim = { kind: 'full' }

/**
 * One fetch at a time for each key, over all workers of a node. Every key has one place, and one word of it says both who
 * fetches and what, so that a single step takes it: two can never lead. Who waits sleeps on the place's sequence number.
 */
export class Claims {
  readonly #memory: CacheMemory
  readonly #hash: KeyedHash
  readonly #waits = new Map<number, { readonly sequence: number; readonly ended: Promise<unknown> }>()

  constructor(memory: CacheMemory) {
    this.#memory = memory
    this.#hash = new KeyedHash([memory.header[word.hash1], memory.header[word.hash0]])
  }

  take(key: string): Claim {
    const { claims, worker } = this.#memory
    this.#hash.hash(key)
    const at = (this.#hash.lo & (claimPlaces - 1)) * claimWords
    const own = (this.#hash.hi & ~ownerMask) | (worker + 1)
    const seen = Atomics.load(claims, at + sequence)
    const held = Atomics.compareExchange(claims, at + holder, 0, own)
    if (held === 0) return { kind: 'mine', end: this.#endOf(at, own) }
    return ((held ^ own) & ~ownerMask) === 0 ? { kind: 'theirs', ended: this.#wait(at, seen) } : full
  }

  #endOf(at: number, own: number): () => void {
    let isOver = false
    return () => {
      if (isOver) return
      isOver = true
      end(this.#memory.claims, at, own)
    }
  }

  /** One sleep for all of this worker that wait for the same. */
  #wait(at: number, seen: number): Promise<unknown> {
    const known = this.#waits.get(at)
    if (known?.sequence === seen) return known.ended
    const waited = Atomics.waitAsync(this.#memory.claims, at + sequence, seen)
    const ended: Promise<unknown> = waited.async ? waited.value : Promise.resolve()
    const wait = { sequence: seen, ended }
    this.#waits.set(at, wait)
    void ended.finally(() => {
      if (this.#waits.get(at) === wait) this.#waits.delete(at)
    })
    return ended
  }
}

/** Ends the claims of a dead worker. For main, before another one starts under its number. */
export function releaseClaims({ claims }: CacheMemory, worker: number): void {
  for (let place = 0; place < claimPlaces; place++) {
    const at = place * claimWords
    const held = Atomics.load(claims, at + holder)
    if ((held & ownerMask) === worker + 1) end(claims, at, held)
  }
}

function end(claims: Int32Array, at: number, held: number): void {
  if (Atomics.compareExchange(claims, at + holder, held, 0) !== held) return
  Atomics.add(claims, at + sequence, 1)
  Atomics.notify(claims, at + sequence)
}
