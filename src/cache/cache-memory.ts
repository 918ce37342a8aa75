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
  dropped: 12, // entries that left because the memory is bounded
  full: 13, // answers that found no slab to be written to
} as const
/** Places of 64-bit counts in the header, behind the words. */
export const countAt = {
  epoch: 16,
  floor: 17, // what was asked for before this epoch is not stored any more
} as const

/**
 * Words of a slab in the table. Its owner is the number plus one of the worker that writes there, negative while that one is
 * about to drop it; 0 for nobody.
 */
export const slabWord = { generation: 0, owner: 1, records: 2, used: 3 } as const
export const slabWords = 4
/** Places in a bucket: one line of the processor's cache. */
export const placesPerBucket = 8
/** Words of a place: the key's hash, and where the record lies: in units plus one, negative once it was made stale; 0: nowhere. */
export const placeWords = 2
export const urlEpochs = 65_536
export const ghostPlaces = 65_536
export const claimPlaces = 65_536
export const claimWords = 2
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
  const claimsAt = epochsAt + urlEpochs * 8
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
  new BigInt64Array(buffer, 0, headerWords / 2)[countAt.epoch] = 1n
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
  readonly header: Int32Array
  readonly table: Int32Array
  readonly index: Int32Array
  readonly hits: Uint8Array
  readonly ghosts: Int32Array
  readonly claims: Int32Array
  /** The slabs' bytes, as bytes, words and 64-bit numbers. */
  readonly bytes: Buffer
  readonly words: Int32Array
  readonly reals: Float64Array
  readonly #pins: Int32Array
  readonly #counts: BigInt64Array
  readonly #epochs: BigInt64Array

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
    this.header = header
    this.table = new Int32Array(buffer, layout.tableAt, slabs * slabWords)
    this.#pins = new Int32Array(buffer, layout.pinsAt, slabs * (workers + 1))
    this.index = new Int32Array(buffer, layout.indexAt, buckets * placesPerBucket * placeWords)
    this.hits = new Uint8Array(buffer, layout.hitsAt, buckets * placesPerBucket)
    this.ghosts = new Int32Array(buffer, layout.ghostsAt, ghostPlaces)
    this.#counts = new BigInt64Array(buffer, 0, headerWords / 2)
    this.#epochs = new BigInt64Array(buffer, layout.epochsAt, urlEpochs)
    this.claims = new Int32Array(buffer, layout.claimsAt, claimPlaces * claimWords)
    this.bytes = Buffer.from(buffer, layout.slabsAt, slabs * slabBytes)
    this.words = new Int32Array(buffer, layout.slabsAt, (slabs * slabBytes) / 4)
    this.reals = new Float64Array(buffer, layout.slabsAt, (slabs * slabBytes) / 8)
  }

  /** The slab in which a byte lies. */
  slabOf(at: number): number {
    return Math.floor(at / this.slabBytes)
  }

  generation(slab: number): number {
    return Atomics.load(this.table, slab * slabWords + slabWord.generation)
  }

  /**
   * Whether a slab is of this generation after all that was read out of it. Not by a mere load: some processors would let that
   * come before the reads.
   */
  wasStill(slab: number, generation: number): boolean {
    return Atomics.add(this.table, slab * slabWords + slabWord.generation, 0) === generation
  }

  /** Counts every change of what is valid: an entry made before one may be void. 64 bits: 32 of them would pass in days. */
  get epoch(): number {
    return Number(Atomics.load(this.#counts, countAt.epoch))
  }

  nextEpoch(): number {
    return Number(Atomics.add(this.#counts, countAt.epoch, 1n)) + 1
  }

  /** What was asked for before this epoch is not stored any more. */
  get floor(): number {
    return Number(Atomics.load(this.#counts, countAt.floor))
  }

  /** For main alone. Whoever looks through the index afterwards sees all that is older and was stored. */
  raiseFloor(epoch: number): void {
    if (epoch > this.floor) Atomics.store(this.#counts, countAt.floor, BigInt(epoch))
  }

  /** The epoch from which on something stored under a URL of this place holds. */
  urlEpoch(place: number): number {
    return Number(Atomics.load(this.#epochs, place))
  }

  /** Whatever was asked for until now under a URL of this place is void. */
  voidUrl(place: number): void {
    const epoch = BigInt(this.nextEpoch())
    let seen = Atomics.load(this.#epochs, place)
    // Of two at once the later one must stand.
    while (seen < epoch) {
      const found = Atomics.compareExchange(this.#epochs, place, seen, epoch)
      if (found === seen) return
      seen = found
    }
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

  /** Keeps a slab from being dropped while a long body is read out of it. False when that is happening already. */
  pin(slab: number): boolean {
    Atomics.add(this.#pins, slab * (this.workers + 1) + this.worker, 1)
    // Who drops says so first and looks for pins then: one of both sees the other.
    if (Atomics.load(this.table, slab * slabWords + slabWord.owner) >= 0) return true
    this.unpin(slab)
    return false
  }

  unpin(slab: number): void {
    Atomics.sub(this.#pins, slab * (this.workers + 1) + this.worker, 1)
  }

  isPinned(slab: number): boolean {
    const at = slab * (this.workers + 1)
    for (let worker = 0; worker <= this.workers; worker++) if (Atomics.load(this.#pins, at + worker) !== 0) return true
    return false
  }

  /** Frees what a dead worker held: slabs it was filling, pins. For main, before another starts under its number. */
  releaseWorker(worker: number): void {
    const own = worker + 1
    for (let slab = 0; slab < this.slabs; slab++) {
      const at = slab * slabWords + slabWord.owner
      Atomics.compareExchange(this.table, at, own, 0)
      Atomics.compareExchange(this.table, at, -own, 0)
      Atomics.store(this.#pins, slab * (this.workers + 1) + worker, 0)
    }
  }
}
