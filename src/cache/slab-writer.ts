import type { CacheMemory } from './cache-memory.ts'
import { slabWord, slabWords, word } from './cache-memory.ts'

/** Where bytes lie in the slabs, and in which generation of their slab. */
export interface Extent {
  readonly slab: number
  readonly generation: number
  /** From the start of all slabs. */
  readonly at: number
  length: number
}

/** Shorter ends of a slab are left empty rather than taken for a piece of a body. */
const leastPiece = 4096

/** Who wants to save something of a slab that is dropped. */
export interface Dropping {
  /** It still lies there whole. Nothing may be written to its ring. */
  before(slab: number): void
  /** It is gone, and the ring may be written. */
  after(): void
}

/**
 * One worker's writing end of one ring of slabs. Holds at most one slab at a time; when that is full it lets go of it and
 * takes the oldest of the ring that nobody holds or reads.
 */
export class SlabWriter {
  readonly #memory: CacheMemory
  readonly #first: number
  readonly #count: number
  readonly #next: number
  readonly #dropping: Dropping
  #slab = -1
  #used = 0

  constructor(memory: CacheMemory, ring: 'probation' | 'protected', dropping: Dropping) {
    this.#memory = memory
    this.#first = ring === 'probation' ? 0 : memory.probation
    this.#count = ring === 'probation' ? memory.probation : memory.slabs - memory.probation
    this.#next = ring === 'probation' ? word.nextProbation : word.nextProtected
    this.#dropping = dropping
  }

  /** Whether some slab of this ring has never been used. */
  get hasVirgins(): boolean {
    return Atomics.load(this.#memory.header, this.#next) >>> 0 < this.#count
  }

  /** Room for exactly `length` bytes, aligned; undefined when it is longer than a slab or no slab is free. */
  reserve(length: number, alignment: number): Extent | undefined {
    const { slabBytes } = this.#memory
    if (length > slabBytes) return undefined
    let at = Math.ceil(this.#used / alignment) * alignment
    // More than once only where what was saved of the dropped slab leaves too little.
    while (this.#slab === -1 || at + length > slabBytes) {
      if (!this.#take()) return undefined
      at = Math.ceil(this.#used / alignment) * alignment
    }
    this.#used = Math.min(slabBytes, Math.ceil((at + length) / 8) * 8)
    this.#setWord(slabWord.used, this.#used)
    return { slab: this.#slab, generation: this.#memory.generation(this.#slab), at: this.#slab * slabBytes + at, length }
  }

  /** Room for the beginning of `length` bytes: as many as the slab in hand takes, or the next one where that is hardly any. */
  reserveSome(length: number): Extent | undefined {
    const { slabBytes } = this.#memory
    const least = Math.min(length, leastPiece)
    while (this.#slab === -1 || slabBytes - this.#used < least) if (!this.#take()) return undefined
    return this.reserve(Math.min(length, slabBytes - this.#used), 8)
  }

  #setWord(which: number, value: number): void {
    Atomics.store(this.#memory.table, this.#slab * slabWords + which, value)
  }

  #take(): boolean {
    const { table, header, worker } = this.#memory
    if (this.#slab !== -1) this.#setWord(slabWord.owner, 0)
    this.#slab = -1
    for (let tried = 0; tried < this.#count; tried++) {
      const turn = Atomics.add(header, this.#next, 1) >>> 0
      const slab = this.#first + (turn % this.#count)
      const at = slab * slabWords
      const own = worker + 1
      if (Atomics.compareExchange(table, at + slabWord.owner, 0, -own) !== 0) continue
      // Said first that it will be dropped, and then looked who reads: see `pin`.
      if (this.#memory.isPinned(slab)) {
        Atomics.store(table, at + slabWord.owner, 0)
        continue
      }
      const isUsed = Atomics.load(table, at + slabWord.used) > 0
      if (isUsed) this.#dropping.before(slab)
      // From here on whatever points into the slab points at nothing, and only then is it written over.
      Atomics.add(table, at + slabWord.generation, 1)
      Atomics.store(table, at + slabWord.used, 0)
      Atomics.store(table, at + slabWord.records, 0)
      Atomics.store(table, at + slabWord.owner, own)
      this.#slab = slab
      this.#used = 0
      if (isUsed) this.#dropping.after()
      return true
    }
    return false
  }
}
