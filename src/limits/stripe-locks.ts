/** Int32 words between two locks: one cache line each, so that neighbours do not slow each other. */
const stride = 16
const free = 0
const ownerMask = 0xffff
const waiting = 0x10000
const spins = 200
const waitMs = 1
const waits = 20

/**
 * Locks in shared memory, held for some hundred nanoseconds. The word names its owner, so that main can free what a dead
 * worker held. A thread spins first; then the owner was descheduled, and it sleeps, for `waits` milliseconds at most:
 * no event loop stands still longer for a lock, whatever happened to its owner.
 */
export class StripeLocks {
  readonly #words: Int32Array
  readonly #owner: number
  /** A lock that did not come free in time: until it does, nobody here waits for it again. */
  #stuck = -1

  /** `owner` is a number from 0 to 65534, different for each thread. */
  constructor(buffer: SharedArrayBuffer, byteOffset: number, count: number, owner: number) {
    this.#words = new Int32Array(buffer, byteOffset, count * stride)
    this.#owner = owner + 1
  }

  static bytes(count: number): number {
    return count * stride * 4
  }

  /** True when the lock is held now. Not reentrant. False: it stayed taken for some 20 ms. */
  acquire(lock: number): boolean {
    const at = lock * stride
    if (Atomics.compareExchange(this.#words, at, free, this.#owner) !== free) return this.#acquireSlowly(at)
    if (this.#stuck === at) this.#stuck = -1
    return true
  }

  release(lock: number): void {
    const at = lock * stride
    if ((Atomics.exchange(this.#words, at, free) & waiting) !== 0) Atomics.notify(this.#words, at, 1)
  }

  /** Frees every lock of an owner that is certainly dead. Returns how many it held. */
  releaseAllOf(owner: number): number {
    let freed = 0
    for (let at = 0; at < this.#words.length; at += stride) {
      const word = Atomics.load(this.#words, at)
      if ((word & ownerMask) !== owner + 1) continue
      // Only waiters change the word of a dead owner, and only by their bit.
      Atomics.store(this.#words, at, free)
      Atomics.notify(this.#words, at)
      freed++
    }
    return freed
  }

  #acquireSlowly(at: number): boolean {
    const words = this.#words
    for (let i = 0; i < spins; i++) {
      if (Atomics.load(words, at) === free && Atomics.compareExchange(words, at, free, this.#owner) === free) return this.#taken(at)
    }
    if (this.#stuck === at) return false
    for (let i = 0; i < waits; i++) {
      // Taken with the waiting bit set: others may sleep too, and must be woken in turn.
      const word = Atomics.compareExchange(words, at, free, this.#owner | waiting)
      if (word === free) return this.#taken(at)
      if ((word & waiting) === 0 && Atomics.compareExchange(words, at, word, word | waiting) !== word) continue
      Atomics.wait(words, at, word | waiting, waitMs)
    }
    this.#stuck = at
    return false
  }

  #taken(at: number): true {
    if (this.#stuck === at) this.#stuck = -1
    return true
  }
}
