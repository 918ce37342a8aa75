import { randomInt } from 'node:crypto'
import type { Closable } from '../core/lasting.ts'
import type { VerificationKey } from './verification-key.ts'

/** What a token was found to be, and for how long that may be believed. */
interface Remembered<T> {
  readonly token: string
  readonly found: T
  readonly key: VerificationKey
  /** Milliseconds since 1970. */
  readonly until: number
  /** Where its hash points to. */
  readonly home: number
  /** Its index among the places. */
  readonly place: number
  /** Looked up since the hand last passed. */
  isUsed: boolean
}

export interface TokenMemoryOptions {
  readonly maxTokens: number
  /** Bound on the tokens' text in all. */
  readonly maxChars: number
}

/** Characters of a token's end that are hashed: they are signature, and tell tokens apart as well as the whole does. */
const hashedChars = 10
/** Those behind them: the very last ones may carry few bits. */
const skippedChars = 2
/** Places that are looked at for each new token, so that what has ended makes up no more than a third of what is kept. */
const sweptPerToken = 4

/**
 * A bounded memory of judged tokens by their exact text. A finding holds until its time is up or the key it was judged
 * with is no longer published. The place of a new token is taken from one that was not looked up for a while (clock
 * eviction): constant time, no timers. What has ended leaves as new tokens come, so that the memory is as large as what is
 * in use and not as it may be. Only what was judged with a key enters, so junk cannot fill it.
 *
 * A hash table of its own (linear probing, integers in front of the entries): a look-up among ten thousand tokens is
 * bound by cache misses, and a Map needs twice as many. The multiplier is random, so that nobody can aim for one slot.
 */
export class TokenMemory<T> implements Closable {
  readonly #options: TokenMemoryOptions
  readonly #multiplier = randomInt(2 ** 31) * 2 + 1
  /** Place plus one of the token whose hash leads here or to a slot before; 0: none. At most half of them are taken. */
  readonly #slots: Int32Array
  readonly #mask: number
  /** A place without a token is in `#free`. */
  readonly #places: (Remembered<T> | undefined)[] = []
  readonly #free: number[] = []
  #size = 0
  #hand = 0
  #sweepHand = 0
  #chars = 0

  constructor(options: TokenMemoryOptions) {
    this.#options = options
    this.#slots = new Int32Array(2 ** Math.ceil(Math.log2(options.maxTokens * 2)))
    this.#mask = this.#slots.length - 1
  }

  get size(): number {
    return this.#size
  }

  /** What the token was found to be, if that still holds at `now` (milliseconds since 1970). */
  find(token: string, now: number): T | undefined {
    const slot = this.#slotOf(token, this.#homeOf(token))
    if (slot === -1) return undefined
    const entry = this.#places[this.#slots[slot] - 1]!
    if (entry.until <= now || !entry.key.isLive) return undefined
    entry.isUsed = true
    return entry.found
  }

  /** Keeps a finding until `until`; both times in milliseconds since 1970. A token longer than all the text that may be kept is not. */
  remember(token: string, found: T, key: VerificationKey, until: number, now: number): void {
    for (let looked = 0; looked < sweptPerToken; looked++) this.#sweep(now)
    if (token.length > this.#options.maxChars) return
    const home = this.#homeOf(token)
    const known = this.#slotOf(token, home)
    if (known !== -1) this.#drop(this.#places[this.#slots[known] - 1]!)
    while (this.#size >= this.#options.maxTokens || this.#chars + token.length > this.#options.maxChars) this.#evict()
    const place = this.#free.pop() ?? this.#places.length
    // A slice would keep the whole request head alive that it was cut from.
    const copy = Buffer.from(token, 'latin1').toString('latin1')
    this.#places[place] = { token: copy, found, key, until, home, place, isUsed: false }
    let slot = home
    while (this.#slots[slot] !== 0) slot = (slot + 1) & this.#mask
    this.#slots[slot] = place + 1
    this.#size++
    this.#chars += copy.length
  }

  close(): void {
    this.#slots.fill(0)
    this.#places.length = 0
    this.#free.length = 0
    this.#size = 0
    this.#chars = 0
    this.#hand = 0
    this.#sweepHand = 0
  }

  #homeOf(token: string): number {
    const end = token.length - skippedChars
    let hash = token.length
    for (let i = Math.max(0, end - hashedChars); i < end; i++) hash = Math.imul(hash ^ token.charCodeAt(i), this.#multiplier)
    return (hash ^ (hash >>> 15)) & this.#mask
  }

  #slotOf(token: string, home: number): number {
    const slots = this.#slots
    const places = this.#places
    for (let slot = home; slots[slot] !== 0; slot = (slot + 1) & this.#mask) {
      if (places[slots[slot] - 1]!.token === token) return slot
    }
    return -1
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

  /** Frees the next place if its finding has ended. */
  #sweep(now: number): void {
    if (this.#sweepHand >= this.#places.length) this.#sweepHand = 0
    const entry = this.#places[this.#sweepHand++]
    if (entry !== undefined && (entry.until <= now || !entry.key.isLive)) this.#drop(entry)
  }

  #drop(entry: Remembered<T>): void {
    this.#emptySlot(this.#slotOf(entry.token, entry.home))
    this.#places[entry.place] = undefined
    this.#free.push(entry.place)
    this.#size--
    this.#chars -= entry.token.length
  }

  /** Empties a slot and moves up whatever would no longer be found behind the gap. */
  #emptySlot(emptied: number): void {
    const slots = this.#slots
    let gap = emptied
    for (let slot = (gap + 1) & this.#mask; slots[slot] !== 0; slot = (slot + 1) & this.#mask) {
      const { home } = this.#places[slots[slot] - 1]!
      // Stays if its home lies behind the gap, on the way (round the table's end) to where it is.
      const isBehindGap = ((slot - home) & this.#mask) < ((slot - gap) & this.#mask)
      if (isBehindGap) continue
      slots[gap] = slots[slot]
      gap = slot
    }
    slots[gap] = 0
  }
}
