/** Int32 words between two locks: one cache line each, so that neighbours do not slow each other. */
const stride = 16
/** Place of the number of times that a lock was taken; written by who holds it. */
const turns = 1
const free = 0
const ownerMask = 0xffff
const waiting = 0x10000
const spins = 200
const waitMs = 5
/** Waits in which the lock did not change hands before its owner is taken for dead. */
const patience = 20
/** Tries to get a lock that does change hands. */
const tries = 500

/**
 * Locks in shared memory, held for some hundred nanoseconds. The word names its owner, so that main can free what a dead
 * worker held. A thread spins first; after that the owner has been descheduled, and it sleeps until it is woken. Nobody
 * waits for ever: a lock that stays in one hand for 100 ms is given up, so no event loop stands still for a dead worker.
 */
export class StripeLocks {
  readonly #words: Int32Array
  readonly #owner: number
  /** A lock that was given up: while it stays taken, nobody here sleeps for it again. */
  #stuck = -1

  /** `owner` is a number from 0 to 65534, different for each thread. */
  constructor(buffer: SharedArrayBuffer, byteOffset: number, count: number, owner: number) {
    this.#words = new Int32Array(buffer, byteOffset, count * stride)
    this.#owner = owner + 1
  }

  static bytes(count: number): number {
    return count * stride * 4
  }

  /** True when the lock is held now. Not reentrant. False: it could not be had. */
  acquire(lock: number): boolean {
    const at = lock * stride
    if (Atomics.compareExchange(this.#words, at, free, this.#owner) !== free && !this.#acquireSlowly(at)) return false
    this.#words[at + turns]++
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
      if ((Atomics.load(this.#words, at) & ownerMask) !== owner + 1) continue
      // Only waiters change the word of a dead owner, and only by their bit.
      Atomics.store(this.#words, at, free)
      Atomics.notify(this.#words, at)
      freed++
    }
    return freed
  }

  #acquireSlowly(at: number): boolean {
    if (this.#spin(at, this.#owner)) return true
    if (this.#stuck === at) return false
    const words = this.#words
    let turn = Atomics.load(words, at + turns)
    let idle = 0
    for (let i = 0; i < tries && idle < patience; i++) {
      const word = Atomics.load(words, at)
      if (word !== free) {
        const marked = word | waiting
        if (word !== marked && Atomics.compareExchange(words, at, word, marked) !== word) continue
        const isIdle = Atomics.wait(words, at, marked, waitMs) === 'timed-out' && Atomics.load(words, at + turns) === turn
        idle = isIdle ? idle + 1 : 0
        turn = Atomics.load(words, at + turns)
      }
      // Taken with the waiting bit set: others may sleep too, and must be woken in turn.
      if (this.#spin(at, this.#owner | waiting)) return true
    }
    this.#stuck = at
    return false
  }

  #spin(at: number, mine: number): boolean {
    const words = this.#words
    for (let i = 0; i < spins; i++) {
      if (Atomics.load(words, at) === free && Atomics.compareExchange(words, at, free, mine) === free) return true
    }
    return false
  }
}
