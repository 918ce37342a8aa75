import { KeyedHash } from '../lib/keyed-hash.ts'
import { claimPlaces, claimWords, word } from './cache-memory.ts'
import type { CacheMemory } from './cache-memory.ts'

/** Who fetches what is missing. */
export type Claim =
  /** This caller does, and says when it is over, however it ends. Saying it twice is harmless. */
  | { readonly kind: 'mine'; readonly end: () => void }
  /** Another one of this node does, on whatever worker: `ended` resolves when it is over. */
  | { readonly kind: 'theirs'; readonly ended: Promise<unknown> }
  /** No place is free to say so in: everybody fetches for himself. */
  | { readonly kind: 'full' }

const owner = 0
const hashHi = 1
const hashLo = 2
const sequence = 3
const tries = 4
const full: Claim = { kind: 'full' }
const busy = 0x7fff_ffff

/**
 * One fetch at a time for each key, over all workers of a node. A claim is a few words in shared memory; who waits for
 * one sleeps on its sequence number. Main ends the claims of a worker that dies.
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
    const { hi, lo } = this.#hash
    for (let i = 0; i < tries; i++) {
      const at = ((lo + i) & (claimPlaces - 1)) * claimWords
      const seen = Atomics.load(claims, at + sequence)
      const held = Atomics.load(claims, at + owner)
      if (held !== 0 && held !== busy && claims[at + hashHi] === hi && claims[at + hashLo] === lo) {
        return { kind: 'theirs', ended: this.#wait(at, seen) }
      }
    }
    for (let i = 0; i < tries; i++) {
      const at = ((lo + i) & (claimPlaces - 1)) * claimWords
      if (Atomics.compareExchange(claims, at + owner, 0, busy) !== 0) continue
      claims[at + hashHi] = hi
      claims[at + hashLo] = lo
      Atomics.store(claims, at + owner, worker + 1)
      return this.#mine(at)
    }
    return full
  }

  #mine(at: number): Claim {
    const { claims, worker } = this.#memory
    let isOver = false
    return {
      kind: 'mine',
      end: () => {
        if (isOver) return
        isOver = true
        if (Atomics.compareExchange(claims, at + owner, worker + 1, 0) !== worker + 1) return
        Atomics.add(claims, at + sequence, 1)
        Atomics.notify(claims, at + sequence)
      },
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
