import { randomFillSync } from 'node:crypto'

/**
 * The cache as it lies in memory shared by the workers of a node:
 *
 *     header · slabs' table · pins · index · hits · ghosts · epochs of URLs · claims · slabs
 *
 * Slabs are filled from their start by the one worker that holds them and dropped whole, the oldest first: no free lists,
 * no compaction, no lock. A slab's generation grows when it is dropped, so whoever copies out of one compares the
 * generation before and after; what points into an earlier generation points at nothing. Records carry a secret of this
 * process, because a body is written by strangers and must not be able to pass for a record.
 */
export interface CacheSize {
  /** Bytes for everything stored. */
  readonly maxBytes: number
  /** Worker threads; main counts as one more. */
  readonly workers: number
}

/** Least and usual sizes, in bytes. */
export const smallestCacheBytes = 8 * 1024 ** 2
export const defaultCacheBytes = 128 * 1024 ** 2

const magic = 0x56_4c_43_31
const headerWords = 64
/** Places of words in the header. */
export const word = {
  magic: 0,
  workers: 1,
  slabs: 2,
  slabBytes: 3,
  buckets: 4,
  probation: 5, // how many of the slabs, from the first on, take what is new
  secret0: 6,
  secret1: 7,
  hash0: 8,
  hash1: 9,
  nextProbation: 10,
  nextProtected: 11,
  epoch: 12,
  dropped: 13, // entries that left because the memory is bounded
  full: 14, // answers that found no slab to be written to
} as const

/** Words of a slab in the table. */
export const slabWord = { generation: 0, owner: 1, records: 2, used: 3 } as const
export const slabWords = 4
/** Places in a bucket: one line of the processor's cache. */
export const placesPerBucket = 8
/** Words of a place: the key's hash, and where the record lies. */
export const placeWords = 2
export const urlEpochs = 65_536
export const ghostPlaces = 65_536
export const claimPlaces = 1024
export const claimWords = 4
/** Records begin at multiples of this, so that a place names one in 32 bits. */
export const unitBytes = 64

interface Layout {
  readonly tableAt: number
  readonly pinsAt: number
  readonly indexAt: number
  readonly hitsAt: number
  readonly ghostsAt: number
  readonly epochsAt: number
  readonly claimsAt: number
  readonly slabsAt: number
  readonly bytes: number
}

interface Shape {
  readonly slabs: number
  readonly slabBytes: number
  readonly buckets: number
  readonly workers: number
}

function shapeOf({ maxBytes, workers }: CacheSize): Shape {
  const bytes = Math.max(smallestCacheBytes, maxBytes)
  let slabBytes = 1024 ** 2
  // Every worker holds two slabs at a time, and most must be free to be read.
  while (slabBytes > 65_536 && bytes / slabBytes < 16 * (workers + 1)) slabBytes /= 2
  const buckets = 2 ** Math.ceil(Math.log2(bytes / 1024 / placesPerBucket))
  return { slabs: Math.ceil(bytes / slabBytes), slabBytes, buckets, workers }
}

function layoutOf({ slabs, slabBytes, buckets, workers }: Shape): Layout {
  const tableAt = headerWords * 4
  const pinsAt = aligned(tableAt + slabs * slabWords * 4)
  const indexAt = aligned(pinsAt + slabs * (workers + 1) * 4)
  const hitsAt = indexAt + buckets * placesPerBucket * placeWords * 4
  const ghostsAt = aligned(hitsAt + buckets * placesPerBucket)
  const epochsAt = ghostsAt + ghostPlaces * 4
  const claimsAt = epochsAt + urlEpochs * 4
  const slabsAt = claimsAt + claimPlaces * claimWords * 4
  return {
    tableAt,
    pinsAt,
    indexAt,
    hitsAt,
    ghostsAt,
    epochsAt,
    claimsAt,
    slabsAt,
    bytes: slabsAt + slabs * slabBytes,
  }
}

function aligned(at: number): number {
  return Math.ceil(at / 64) * 64
}

/** Makes the memory of a cache, empty. For main, once, before the first worker starts; the system gives pages as they are touched. */
export function allocateCache(size: CacheSize): SharedArrayBuffer {
  const shape = shapeOf(size)
  const buffer = new SharedArrayBuffer(layoutOf(shape).bytes)
  const words = new Int32Array(buffer, 0, headerWords)
  words[word.workers] = shape.workers
  words[word.slabs] = shape.slabs
  words[word.slabBytes] = shape.slabBytes
  words[word.buckets] = shape.buckets
  // Newcomers prove themselves in a tenth of the memory (S3-FIFO): a scan passes through without moving anything else.
  words[word.probation] = Math.max(shape.workers + 2, Math.ceil(shape.slabs / 10))
  const secrets = randomFillSync(new Int32Array(4))
  words[word.secret0] = secrets[0]
  words[word.secret1] = secrets[1]
  words[word.hash0] = secrets[2]
  words[word.hash1] = secrets[3]
  words[word.epoch] = 1
  words[word.magic] = magic
  return buffer
}

/** One thread's view of a cache's memory. */
export class CacheMemory {
  readonly worker: number
  readonly workers: number
  readonly slabs: number
  readonly slabBytes: number
  readonly probation: number
  readonly buckets: number
  readonly unitsPerSlab: number
  readonly header: Int32Array
  readonly table: Int32Array
  readonly index: Int32Array
  readonly hits: Uint8Array
  readonly ghosts: Int32Array
  readonly epochs: Int32Array
  readonly claims: Int32Array
  /** The slabs' bytes, as bytes, words and 64-bit numbers. */
  readonly bytes: Buffer
  readonly words: Int32Array
  readonly reals: Float64Array
  readonly #pins: Int32Array

  /** `worker` is this thread's number; main's is the number of workers. Throws on memory that is no cache. */
  constructor(buffer: SharedArrayBuffer, worker: number) {
    const header = new Int32Array(buffer, 0, headerWords)
    if (header[word.magic] !== magic) throw new Error('this memory is not a cache: make it with allocateCache')
    const workers = header[word.workers]
    const slabs = header[word.slabs]
    const slabBytes = header[word.slabBytes]
    const buckets = header[word.buckets]
    const layout = layoutOf({ slabs, slabBytes, buckets, workers })
    this.worker = worker
    this.workers = workers
    this.slabs = slabs
    this.slabBytes = slabBytes
    this.probation = header[word.probation]
    this.buckets = buckets
    this.unitsPerSlab = slabBytes / unitBytes
    this.header = header
    this.table = new Int32Array(buffer, layout.tableAt, slabs * slabWords)
    this.#pins = new Int32Array(buffer, layout.pinsAt, slabs * (workers + 1))
    this.index = new Int32Array(buffer, layout.indexAt, buckets * placesPerBucket * placeWords)
    this.hits = new Uint8Array(buffer, layout.hitsAt, buckets * placesPerBucket)
    this.ghosts = new Int32Array(buffer, layout.ghostsAt, ghostPlaces)
    this.epochs = new Int32Array(buffer, layout.epochsAt, urlEpochs)
    this.claims = new Int32Array(buffer, layout.claimsAt, claimPlaces * claimWords)
    this.bytes = Buffer.from(buffer, layout.slabsAt, slabs * slabBytes)
    this.words = new Int32Array(buffer, layout.slabsAt, (slabs * slabBytes) / 4)
    this.reals = new Float64Array(buffer, layout.slabsAt, (slabs * slabBytes) / 8)
  }

  generation(slab: number): number {
    return Atomics.load(this.table, slab * slabWords + slabWord.generation)
  }

  /** Counts every change of what is valid: an entry made before one may be void. */
  get epoch(): number {
    return Atomics.load(this.header, word.epoch)
  }

  nextEpoch(): number {
    return Atomics.add(this.header, word.epoch, 1) + 1
  }

  count(what: 'dropped' | 'full', n = 1): void {
    Atomics.add(this.header, word[what], n)
  }

  counted(what: 'dropped' | 'full'): number {
    return Atomics.load(this.header, word[what]) >>> 0
  }

  /** Bytes of the slabs that hold something. */
  get usedBytes(): number {
    let used = 0
    for (let slab = 0; slab < this.slabs; slab++) used += Atomics.load(this.table, slab * slabWords + slabWord.used)
    return used
  }

  /** Keeps a slab from being dropped while a long body is read out of it. */
  pin(slab: number): void {
    Atomics.add(this.#pins, slab * (this.workers + 1) + this.worker, 1)
  }

  unpin(slab: number): void {
    Atomics.sub(this.#pins, slab * (this.workers + 1) + this.worker, 1)
  }

  isPinned(slab: number): boolean {
    const at = slab * (this.workers + 1)
    for (let worker = 0; worker <= this.workers; worker++) if (Atomics.load(this.#pins, at + worker) !== 0) return true
    return false
  }

  /** Frees what a dead worker held: slabs it was filling, pins, claims. For main, before another starts under its number. */
  releaseWorker(worker: number): void {
    for (let slab = 0; slab < this.slabs; slab++) {
      Atomics.compareExchange(this.table, slab * slabWords + slabWord.owner, worker + 1, 0)
      Atomics.store(this.#pins, slab * (this.workers + 1) + worker, 0)
    }
    for (let claim = 0; claim < claimPlaces; claim++) {
      const at = claim * claimWords
      if (Atomics.compareExchange(this.claims, at, worker + 1, 0) !== worker + 1) continue
      Atomics.add(this.claims, at + 3, 1)
      Atomics.notify(this.claims, at + 3)
    }
  }
}
