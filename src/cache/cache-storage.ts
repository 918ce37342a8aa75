import { emptyBody, BytesBody } from '../core/body.ts'
import type { Body } from '../core/body.ts'
import { Headers } from '../core/headers.ts'
import { KeyedHash } from '../lib/keyed-hash.ts'
import { placesPerBucket, placeWords, ghostPlaces, unitBytes, urlEpochs, word } from './cache-memory.ts'
import type { CacheMemory } from './cache-memory.ts'
import { eachRecord, isLiveAt, isRecordAt, makeStale, readRecord, recordBytes, writeRecord } from './cache-record.ts'
import type { CacheRecord } from './cache-record.ts'
import { copiedBytes, copyOut, StoredBody } from './stored-body.ts'
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
  /** Where its record lies, and its place in the index. */
  readonly at: number
  readonly place: number
  /** A copy of a short body. */
  copy: Buffer | undefined
}

/** Entries and copied bytes that a worker keeps near. */
const mostNear = 8192
const mostNearBytes = 16 * 1024 ** 2

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
  #nearBytes = 0
  /** Taken out of slabs that were dropped, to be written again. */
  readonly #proven: { record: CacheRecord; body: Buffer }[] = []
  readonly #bucketMask: number

  constructor(memory: CacheMemory) {
    this.memory = memory
    this.#hash = new KeyedHash([memory.header[word.hash0], memory.header[word.hash1]])
    this.#bucketMask = memory.buckets - 1
    this.#probation = new SlabWriter(memory, 'probation', (slab) =>
      this.#keepProven(slab, !this.#protected.hasVirgins, memory.slabBytes),
    )
    this.#protected = new SlabWriter(memory, 'protected', (slab) => this.#keepProven(slab, true, (memory.slabBytes * 3) / 4))
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
      const unit = index[w + 1] >>> 0
      if (unit === 0) continue
      const at = (unit - 1) * unitBytes
      if (!isRecordAt(memory, at, hi, lo)) continue
      let near = this.#near.get(at)
      if (near === undefined || near.record.hashHi !== hi || near.record.hashLo !== lo || near.record.key !== key) {
        const record = readRecord(memory, at)
        if (record === undefined || record.key !== key) continue
        near = this.#keepNear(record, at, place)
      }
      if (memory.epochs[near.record.url] > near.record.epoch) continue
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

  /** Puts a record in the place of what its key had. False when there was no room. */
  put(record: Omit<CacheRecord, 'hashHi' | 'hashLo'>): boolean {
    // Leaves the hash of the key in `#hash`.
    const writer = this.#writerOf(record.key)
    const isWritten = this.#write({ ...record, hashHi: this.#hash.hi, hashLo: this.#hash.lo }, writer)
    this.#moveProven()
    return isWritten
  }

  /** The place of a URL in the epochs of URLs. */
  urlPlace(url: string): number {
    this.#hash.hash(url)
    return this.#hash.lo & (urlEpochs - 1)
  }

  /** Everything stored under this URL until now is void, on this node, in all its variants and for all callers. */
  forgetUrl(url: string): void {
    Atomics.store(this.memory.epochs, this.urlPlace(url), this.memory.nextEpoch())
  }

  /** Two words that stand for a tag. */
  tagHash(tag: string): readonly [number, number] {
    this.#hash.hash(`tag ${tag}`)
    return [this.#hash.hi, this.#hash.lo]
  }

  /** Makes an entry stale. */
  makeStale(stored: Stored): void {
    makeStale(this.memory, stored.at)
    this.#forgetNear(stored)
  }

  /** Goes through places `from` to before `to` of the index: what `judge` calls `drop` goes, what it calls `stale` becomes so. */
  sweep(from: number, to: number, judge: (record: CacheRecord) => 'drop' | 'stale' | 'keep'): void {
    const { index } = this.memory
    for (let place = from; place < Math.min(to, this.places); place++) {
      const unit = index[place * placeWords + 1] >>> 0
      if (unit === 0) continue
      const at = (unit - 1) * unitBytes
      const record = readRecord(this.memory, at)
      const fate = record === undefined ? 'drop' : judge(record)
      if (fate === 'drop') Atomics.compareExchange(index, place * placeWords + 1, unit | 0, 0)
      else if (fate === 'stale') makeStale(this.memory, at)
    }
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

  #write(record: CacheRecord, writer: SlabWriter): boolean {
    const room = writer.reserve(recordBytes(record), unitBytes)
    if (room === undefined) {
      this.memory.count('full')
      return false
    }
    writeRecord(this.memory, room, record)
    this.#enter(record, room.at)
    return true
  }

  /** Makes the index lead to a record: in the place of its key, a free one, a dead one, or that of the least used. */
  #enter(record: CacheRecord, at: number): void {
    const { memory } = this
    const { index } = memory
    const first = (record.hashLo & this.#bucketMask) * placesPerBucket
    let chosen = -1
    let least = 256
    for (let place = first; place < first + placesPerBucket; place++) {
      const w = place * placeWords
      const unit = index[w + 1] >>> 0
      const there = (unit - 1) * unitBytes
      if (index[w] === record.hashHi && unit !== 0 && isRecordAt(memory, there, record.hashHi, record.hashLo)) {
        chosen = place
        break
      }
      const uses = unit === 0 || !isLiveAt(memory, there) ? -1 : memory.hits[place]
      if (uses < least) {
        least = uses
        chosen = place
      }
    }
    if (least >= 0 && index[chosen * placeWords] !== record.hashHi) memory.count('dropped')
    index[chosen * placeWords] = record.hashHi
    Atomics.store(index, chosen * placeWords + 1, (at / unitBytes + 1) | 0)
    memory.hits[chosen] = 0
  }

  /** Before a slab is dropped: what was used goes to the protected part, the rest is remembered by its hash only. */
  #keepProven(slab: number, isStrict: boolean, maxBytes: number): void {
    const { memory } = this
    const { index, hits, ghosts } = memory
    let keptBytes = 0
    eachRecord(memory, slab, (at) => {
      const record = readRecord(memory, at)
      if (record === undefined) return
      const place = this.#placeOf(record, at)
      if (place === -1) return
      const size = sizeOf(record.pieces)
      const isVoid = memory.epochs[record.url] > record.epoch
      const isWanted = !isVoid && (hits[place] > 0 || !isStrict) && keptBytes + size + recordBytes(record) <= maxBytes
      const body = isWanted ? copyOut(memory, record.pieces, 0, size) : undefined
      if (body === undefined) {
        if (!isVoid) ghosts[(record.hashLo >>> 8) & (ghostPlaces - 1)] = record.hashHi | 1
        memory.count('dropped')
        Atomics.store(index, place * placeWords + 1, 0)
        return
      }
      keptBytes += size + recordBytes(record)
      this.#proven.push({ record, body })
    })
  }

  /** Moves what earned it, once the slab in hand may be written. What is dropped there keeps less than a slab, so this ends. */
  #moveProven(): void {
    for (let moved = this.#proven.pop(); moved !== undefined; moved = this.#proven.pop()) {
      const fill = new SlabFill(this.#protected, Infinity, this.memory)
      if (moved.body.length > 0 && !fill.write(moved.body)) continue
      this.#write({ ...moved.record, pieces: fill.pieces }, this.#protected)
    }
  }

  #placeOf(record: CacheRecord, at: number): number {
    const { index } = this.memory
    const first = (record.hashLo & this.#bucketMask) * placesPerBucket
    for (let place = first; place < first + placesPerBucket; place++) {
      if (index[place * placeWords + 1] === ((at / unitBytes + 1) | 0)) return place
    }
    return -1
  }

  #keepNear(record: CacheRecord, at: number, place: number): Stored {
    const old = this.#near.get(at)
    if (old !== undefined) this.#forgetNear(old)
    if (this.#near.size >= mostNear) this.#dropNear()
    const near: Stored = { record, headers: headersOf(record.head), size: sizeOf(record.pieces), at, place, copy: undefined }
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
    if (!this.#near.delete(stored.at)) return
    this.#nearBytes -= stored.copy?.length ?? 0
    stored.copy = undefined
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
