import type { Closable } from '../core/lasting.ts'
import type { VerificationKey } from './verification-key.ts'

/** What a token was found to be, and for how long that may be believed. */
interface Remembered<T> {
  readonly tail: string
  readonly token: string
  readonly found: T
  readonly key: VerificationKey
  /** Milliseconds since 1970. */
  readonly until: number
  readonly place: number
  /** Looked up since the hand last passed. */
  isUsed: boolean
}

export interface TokenMemoryOptions {
  readonly maxTokens: number
  /** Bound on the tokens' text in all. */
  readonly maxChars: number
}

/**
 * Characters of a token's end under which it is filed. They are signature, so they tell tokens apart as well as the
 * whole does, and hashing them costs a tenth. The whole token is compared all the same.
 */
const tailLength = 32

/**
 * A bounded memory of judged tokens by their exact text. A finding holds until its time is up or the key it was judged
 * with is no longer published. The place of a new token is taken from one that was not looked up for a while (clock
 * eviction): constant time, no timers. Only what was judged with a key enters, so junk cannot fill it.
 */
export class TokenMemory<T> implements Closable {
  readonly #options: TokenMemoryOptions
  readonly #byTail = new Map<string, Remembered<T>>()
  /** The places; a place without a token is in `#free`. */
  readonly #places: (Remembered<T> | undefined)[] = []
  readonly #free: number[] = []
  #hand = 0
  #chars = 0

  constructor(options: TokenMemoryOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#byTail.size
  }

  /** What the token was found to be, if that still holds at `now` (milliseconds since 1970). */
  find(token: string, now: number): T | undefined {
    const entry = this.#byTail.get(token.slice(-tailLength))
    if (entry === undefined || entry.token !== token || entry.until <= now || !entry.key.isLive) return undefined
    entry.isUsed = true
    return entry.found
  }

  /** Keeps a finding until `until`. A token that is too short to be filed, or too long to be kept, is not. */
  remember(token: string, found: T, key: VerificationKey, until: number): void {
    if (token.length < tailLength || token.length > this.#options.maxChars) return
    // A slice would keep the whole request head alive that it was cut from.
    const copy = Buffer.from(token, 'latin1').toString('latin1')
    const tail = copy.slice(-tailLength)
    const before = this.#byTail.get(tail)
    if (before !== undefined) this.#drop(before)
    while (this.#byTail.size >= this.#options.maxTokens || this.#chars + token.length > this.#options.maxChars) this.#evict()
    const place = this.#free.pop() ?? this.#places.length
    const entry: Remembered<T> = { tail, token: copy, found, key, until, place, isUsed: false }
    this.#places[place] = entry
    this.#byTail.set(tail, entry)
    this.#chars += copy.length
  }

  close(): void {
    this.#byTail.clear()
    this.#places.length = 0
    this.#free.length = 0
    this.#chars = 0
    this.#hand = 0
  }

  /** Frees one place: of the first token under the hand that was not used since it came by last. */
  #evict(): void {
    for (;;) {
      if (this.#hand >= this.#places.length) this.#hand = 0
      const entry = this.#places[this.#hand++]
      if (entry === undefined) continue
      if (!entry.isUsed || !entry.key.isLive) return this.#drop(entry)
      entry.isUsed = false
    }
  }

  #drop(entry: Remembered<T>): void {
    this.#places[entry.place] = undefined
    this.#free.push(entry.place)
    this.#byTail.delete(entry.tail)
    this.#chars -= entry.token.length
  }
}
