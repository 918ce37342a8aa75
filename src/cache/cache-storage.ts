import { emptyBody, BytesBody } from '../core/body.ts'
import type { Body } from '../core/body.ts'
import { Headers } from '../core/headers.ts'
import { EndedHand } from '../lib/ended-hand.ts'
import { KeyedHash } from '../lib/keyed-hash.ts'
import { placesPerBucket, placeWords, ghostPlaces, unitBytes, urlEpochs, word } from './cache-memory.ts'
import type { CacheMemory } from './cache-memory.ts'
import { eachRecord, isLiveAt, readRecord, recordBytes, writeRecord } from './cache-record.ts'
import type { CacheRecord } from './cache-record.ts'
import { areThere, copiedBytes, copyOut, StoredBody } from './stored-body.ts'
import { SlabFill } from './slab-fill.ts'
import type { Fill } from './slab-fill.ts'
import type { Extent } from './slab-writer.ts'
import { SlabWriter } from './slab-writer.ts'

/** A stored thing as one worker holds it near. */
export interface Stored {
  readonly record: CacheRecord
  /** The head's fields; derive before editing. */
  readonly headers: Headers
  /** Bytes of the body. */
  readonly size: number
  /** Where its record lies, in which generation of its slab, and its place in the index. */
  readonly at: number
  readonly generation: number
  readonly place: number
  /** It was made stale before its time, as of the last `find`. */
  isStale: boolean
  /** A copy of a short body. */
  copy: Buffer | undefined
}

/** An entry on its way from a slab that is dropped to another. */
interface Proven {
  readonly record: CacheRecord
  readonly body: Buffer
  readonly place: number
  readonly at: number
}

/** In the second word of a place: where the record lies, and that it was made stale. */
const unitMask = 0x7fff_ffff
const staleBit = ~unitMask

/** Entries and copied bytes that a worker keeps near. */
const mostNear = 8192
const mostNearBytes = 16 * 1024 ** 2
/** So many are looked at for each that comes near: what was replaced or dropped is never asked for again. */
const sweptPerNear = 4

/**
 * What the workers of a node have stored, seen by one of them. Everything is bounded by the memory: writing drops the
 * oldest, but what was used while it was on probation moves to the protected part, and again each time it would be
 * dropped there. No locks: a place that two workers write at once finds at worst nothing.
 */
export class CacheStorage {
  readonly memory: CacheMemory
  readonly #hash: KeyedHash
  readonly #probation: SlabWriter
  readonly #protected: SlabWriter
  readonly #near = new Map<number, Stored>()
  readonly #nearHand = new EndedHand(this.#near)
  #nearBytes = 0
  /** Taken out of a slab that is being dropped, to be written again in the same step. */
  readonly #proven: Proven[] = []
  readonly #bucketMask: number

  constructor(memory: CacheMemory) {
    this.memory = memory
    this.#hash = new KeyedHash([memory.header[word.hash0], memory.header[word.hash1]])
    this.#bucketMask = memory.buckets - 1
    const after = (): void => this.#moveProven()
    this.#probation = new SlabWriter(memory, 'probation', {
      before: (slab) => this.#keepProven(slab, !this.#protected.hasVirgins, memory.slabBytes),
      after,
    })
    this.#protected = new SlabWriter(memory, 'protected', {
      before: (slab) => this.#keepProven(slab, true, (memory.slabBytes * 3) / 4),
      after,
    })
  }

  /** What is stored under a key. Counts as a use. */
  find(key: string): Stored | undefined {
    const { memory } = this
    const { index, hits } = memory
    this.#hash.hash(key)
    const { hi, lo } = this.#hash
    const first = (lo & this.#bucketMask) * placesPerBucket
    for (let place = first; place < first + placesPerBucket; place++) {
      const w = place * placeWords
      if (index[w] !== hi) continue
      const said = Atomics.load(index, w + 1)
      const unit = said & unitMask
      if (unit === 0) continue
      const at = (unit - 1) * unitBytes
      const generation = memory.generation(memory.slabOf(at))
      let near = this.#near.get(at)
      if (near === undefined || near.generation !== generation || near.record.hashLo !== lo || near.record.key !== key) {
        const record = readRecord(memory, at, generation)
        if (record === undefined || record.key !== key) continue
        near = this.#keepNear(record, at, generation, place)
      }
      const { record } = near
      if (memory.urlEpoch(record.url) > record.epoch || !areThere(memory, record.pieces)) continue
      near.isStale = said < 0
      if (hits[place] < 3) hits[place]++
      return near
    }
    return undefined
  }

  /** The body of an entry, whole; undefined when it was dropped. */
  bodyOf(stored: Stored): Body | undefined {
    const { size, record } = stored
    if (size === 0) return emptyBody
    if (stored.copy !== undefined) return new BytesBody(stored.copy)
    if (size > copiedBytes) return StoredBody.of(this.memory, record.pieces, 0, size)
    const copy = copyOut(this.memory, record.pieces, 0, size)
    if (copy === undefined) return undefined
    this.#rememberCopy(stored, copy)
    return new BytesBody(copy)
  }

  /** The bytes from `first` to `last`, both included. */
  partOf(stored: Stored, first: number, last: number): Body | undefined {
    const { pieces } = stored.record
    const length = last - first + 1
    if (stored.copy !== undefined) return new BytesBody(stored.copy.subarray(first, last + 1))
    if (length > copiedBytes) return StoredBody.of(this.memory, pieces, first, last + 1)
    const copy = copyOut(this.memory, pieces, first, length)
    return copy === undefined ? undefined : new BytesBody(copy)
  }

  /** The longest body there is room for: a quarter of what newcomers have, so that one does not push itself out. */
  get longestBody(): number {
    return (this.memory.probation * this.memory.slabBytes) / 4
  }

  /** Room for a body of at most `maxBytes`. What is never put into a record is simply dropped with its slab. */
  fill(key: string, maxBytes: number): Fill {
    return new SlabFill(this.#writerOf(key), Math.min(maxBytes, this.longestBody), this.memory)
  }

  /**
   * Puts a record in the place of what its key had. False when there was no room, its body is no longer there, or it was
   * asked for so long ago that purges since then are over.
   */
  put(record: Omit<CacheRecord, 'hashHi' | 'hashLo'>): boolean {
    const { memory } = this
    if (!areThere(memory, record.pieces)) return false
    // Leaves the hash of the key in `#hash`.
    const writer = this.#writerOf(record.key)
    const whole = { ...record, hashHi: this.#hash.hi, hashLo: this.#hash.lo }
    const at = this.#write(whole, writer)
    if (at === -1) return false
    const place = this.#enter(whole, at)
    // Main raises the floor and looks through the index then; here the other way round, so one of both sees the other.
    if (record.epoch >= memory.floor) return true
    this.#forgetAt(place, at)
    return false
  }

  /** The place of a URL in the epochs of URLs. */
  urlPlace(url: string): number {
    this.#hash.hash(url)
    return this.#hash.lo & (urlEpochs - 1)
  }

  /** Everything stored under this URL until now is void, on this node, in all its variants and for all callers. */
  forgetUrl(url: string): void {
    this.memory.voidUrl(this.urlPlace(url))
  }

  /** Two words that stand for a tag. */
  tagHash(tag: string): readonly [number, number] {
    this.#hash.hash(`tag ${tag}`)
    return [this.#hash.hi, this.#hash.lo]
  }

  /** Makes an entry stale, for all workers. */
  makeStale({ place, at }: Stored): void {
    this.#change(place, at, (said) => said | staleBit)
  }

  /** Goes through places `from` to before `to` of the index: what `judge` calls `drop` goes, what it calls `stale` becomes so. */
  sweep(from: number, to: number, judge: (record: CacheRecord) => 'drop' | 'stale' | 'keep'): void {
    const { memory } = this
    const { index } = memory
    for (let place = from; place < Math.min(to, this.places); place++) {
      const w = place * placeWords + 1
      // What changes under the judge's hands may have been moved by another worker: it is judged again.
      for (let said = Atomics.load(index, w); (said & unitMask) !== 0; said = Atomics.load(index, w)) {
        const at = ((said & unitMask) - 1) * unitBytes
        const record = readRecord(memory, at, memory.generation(memory.slabOf(at)))
        const fate = record === undefined ? 'drop' : judge(record)
        const wanted = fate === 'drop' ? 0 : fate === 'stale' ? said | staleBit : said
        if (wanted === said || Atomics.compareExchange(index, w, said, wanted) === said) break
      }
    }
  }

  /** Entries that this worker keeps near. */
  get nearEntries(): number {
    return this.#near.size
  }

  get places(): number {
    return this.memory.buckets * placesPerBucket
  }

  #writerOf(key: string): SlabWriter {
    this.#hash.hash(key)
    const { hi, lo } = this.#hash
    // It was here not long ago and left without having been used again: this time it is wanted.
    return this.memory.ghosts[(lo >>> 8) & (ghostPlaces - 1)] === (hi | 1) ? this.#protected : this.#probation
  }

  /** Where it was written; -1 when there was no room. */
  #write(record: CacheRecord, writer: SlabWriter): number {
    const room = writer.reserve(recordBytes(record), unitBytes)
    if (room === undefined) {
      this.memory.count('full')
      return -1
    }
    writeRecord(this.memory, room, record)
    return room.at
  }

  /** Makes the index lead to a record: in the place of its key, a free one, or that of the least used. Gives the place. */
  #enter({ hashHi, hashLo }: CacheRecord, at: number): number {
    const { memory } = this
    const { index } = memory
    const first = (hashLo & this.#bucketMask) * placesPerBucket
    let chosen = -1
    for (let place = first; place < first + placesPerBucket; place++) {
      const isFree = (Atomics.load(index, place * placeWords + 1) & unitMask) === 0
      if (isFree ? chosen !== -1 : index[place * placeWords] !== hashHi) continue
      chosen = place
      if (!isFree) break
    }
    if (chosen === -1) chosen = this.#leastUsed(first)
    index[chosen * placeWords] = hashHi
    Atomics.store(index, chosen * placeWords + 1, at / unitBytes + 1)
    memory.hits[chosen] = 0
    // Two workers at once may have taken two places for one key: what is older must not come to light again.
    for (let place = chosen + 1; place < first + placesPerBucket; place++) {
      if (index[place * placeWords] === hashHi) Atomics.store(index, place * placeWords + 1, 0)
    }
    return chosen
  }

  /** Of a full bucket the place that is missed least: one whose record is gone, or that was used least. */
  #leastUsed(first: number): number {
    const { memory } = this
    let chosen = first
    let least = 256
    for (let place = first; place < first + placesPerBucket; place++) {
      const unit = Atomics.load(memory.index, place * placeWords + 1) & unitMask
      if (unit === 0 || !isLiveAt(memory, (unit - 1) * unitBytes)) return place
      if (memory.hits[place] >= least) continue
      least = memory.hits[place]
      chosen = place
    }
    memory.count('dropped')
    return chosen
  }

  /** Takes a record out of its place, if that still leads to it. */
  #forgetAt(place: number, at: number): void {
    this.#change(place, at, () => 0)
  }

  /** Changes what a place says, as long as it leads to this record. */
  #change(place: number, at: number, to: (said: number) => number): void {
    const { index } = this.memory
    const w = place * placeWords + 1
    for (let said = Atomics.load(index, w); (said & unitMask) === at / unitBytes + 1; said = Atomics.load(index, w)) {
      if (Atomics.compareExchange(index, w, said, to(said)) === said) return
    }
  }

  /** Before a slab is dropped: what was used goes to the protected part, the rest is remembered by its hash only. */
  #keepProven(slab: number, isStrict: boolean, maxBytes: number): void {
    const { memory } = this
    const { hits, ghosts } = memory
    const generation = memory.generation(slab)
    let keptBytes = 0
    eachRecord(memory, slab, (at) => {
      const record = readRecord(memory, at, generation)
      if (record === undefined) return
      const place = this.#placeOf(record, at)
      if (place === -1) return
      const size = sizeOf(record.pieces)
      const isVoid = memory.urlEpoch(record.url) > record.epoch
      const isWanted = !isVoid && (hits[place] > 0 || !isStrict) && keptBytes + size + recordBytes(record) <= maxBytes
      const body = isWanted ? copyOut(memory, record.pieces, 0, size) : undefined
      if (body === undefined) {
        if (!isVoid) ghosts[(record.hashLo >>> 8) & (ghostPlaces - 1)] = record.hashHi | 1
        memory.count('dropped')
        this.#forgetAt(place, at)
        return
      }
      keptBytes += size + recordBytes(record)
      this.#proven.push({ record, body, place, at })
    })
  }

  /**
   * Moves what earned it, as soon as the slab in hand may be written. Only where its place still leads to it: what was
   * replaced, purged or made stale meanwhile stays so. What is dropped there keeps less than a slab, so this ends.
   */
  #moveProven(): void {
    const { memory } = this
    for (let moved = this.#proven.pop(); moved !== undefined; moved = this.#proven.pop()) {
      const fill = new SlabFill(this.#protected, Infinity, memory)
      if (moved.body.length > 0 && !fill.write(moved.body)) continue
      const at = this.#write({ ...moved.record, pieces: fill.pieces }, this.#protected)
      if (at === -1) continue
      memory.hits[moved.place] = 0
      this.#change(moved.place, moved.at, (said) => (said & staleBit) | (at / unitBytes + 1))
    }
  }

  #placeOf(record: CacheRecord, at: number): number {
    const { index } = this.memory
    const first = (record.hashLo & this.#bucketMask) * placesPerBucket
    for (let place = first; place < first + placesPerBucket; place++) {
      if ((Atomics.load(index, place * placeWords + 1) & unitMask) === at / unitBytes + 1) return place
    }
    return -1
  }

  #keepNear(record: CacheRecord, at: number, generation: number, place: number): Stored {
    const old = this.#near.get(at)
    if (old !== undefined) this.#forgetNear(old)
    this.#nearHand.sweep(
      sweptPerNear,
      (kept) => !this.#isThere(kept),
      (gone) => this.#forgetCopy(gone),
    )
    if (this.#near.size >= mostNear) this.#dropNear()
    const headers = headersOf(record.head)
    const near: Stored = { record, headers, size: sizeOf(record.pieces), at, generation, place, isStale: false, copy: undefined }
    this.#near.set(at, near)
    return near
  }

  #rememberCopy(stored: Stored, copy: Buffer): void {
    if (copy.length > 65_536 || this.#near.get(stored.at) !== stored) return
    while (this.#nearBytes + copy.length > mostNearBytes && this.#near.size > 1) this.#dropNear()
    stored.copy = copy
    this.#nearBytes += copy.length
  }

  #dropNear(): void {
    for (const oldest of this.#near.values()) {
      this.#forgetNear(oldest)
      return
    }
  }

  #forgetNear(stored: Stored): void {
    if (this.#near.delete(stored.at)) this.#forgetCopy(stored)
  }

  #forgetCopy(stored: Stored): void {
    this.#nearBytes -= stored.copy?.length ?? 0
    stored.copy = undefined
  }

  /** Whether its place still leads to what lies there. */
  #isThere({ at, generation, place }: Stored): boolean {
    const { memory } = this
    const unit = Atomics.load(memory.index, place * placeWords + 1) & unitMask
    return unit === at / unitBytes + 1 && memory.generation(memory.slabOf(at)) === generation
  }
}

function sizeOf(pieces: readonly Extent[]): number {
  let size = 0
  for (const { length } of pieces) size += length
  return size
}

/** The lines of a stored head, as a list that is looked up like any received one. */
function headersOf(head: string): Headers {
  const raw: string[] = []
  for (const line of head.split('\r\n')) {
    const colon = line.indexOf(': ')
    if (colon > 0) raw.push(line.slice(0, colon), line.slice(colon + 2))
  }
  return Headers.received(raw)
}
