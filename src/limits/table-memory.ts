import type { Clock } from '../core/clock.ts'
import { randomHashKey } from '../lib/keyed-hash.ts'
import type { HashKey, KeyedHash } from '../lib/keyed-hash.ts'
import { LimitRegistry } from './limit-registry.ts'
import { SlotRegion } from './slot-region.ts'
import type { RegionShape } from './slot-region.ts'
import { largestLog } from './sliding-log.ts'
import { StripeLocks } from './stripe-locks.ts'

/**
 * The limit table as it lies in shared memory:
 *
 *     header · registry of limits · locks · buckets · logs · concurrency
 *
 * Buckets (all algorithms but two) take 48 bytes a slot, about 63 per key at the size the table is made for, where 3/4
 * of the slots are taken: with 256 slots a stripe, one stripe in ten thousand overflows then. Sliding logs and
 * concurrency have regions of their own with wider slots, for a 32nd of the keys each.
 */
export interface TableSize {
  /** Budgets that are not whole, at one time, before some must share. */
  readonly maxKeys: number
  /** Worker threads. Main counts as one more. */
  readonly workers: number
  /** Of concurrency, keys under way at one time. Default: a 32nd of `maxKeys`, at least 1024. */
  readonly maxHeld?: number | undefined
}

/** 16 MiB of budgets; touched only as keys come. */
export const defaultMaxKeys = 262_144

const magic = 0x56_4c_54_31
const headerBytes = 256
/** Places of 32-bit integers in the header. */
const word = {
  magic: 0,
  maxKeys: 1,
  workers: 2,
  nextSequence: 3,
  key0: 4,
  key1: 5,
  shared: 6,
  refused: 7,
  stuck: 8,
  maxHeld: 9,
} as const
/** Places of 64-bit numbers in the header. */
const real = { epoch: 16, monotonic: 17 } as const

const keysPerStripe = 196
const narrow = { slotsPerStripe: 256, reserved: 8, stateLength: 3 }
const wide = { slotsPerStripe: 64, reserved: 4 }
const keysPerWideStripe = 48

interface Layout {
  readonly buckets: RegionShape
  readonly logs: RegionShape
  readonly held: RegionShape
  readonly locks: number
  readonly registryAt: number
  readonly locksAt: number
  readonly bucketsAt: number
  readonly logsAt: number
  readonly heldAt: number
  readonly bytes: number
}

function layoutOf({ maxKeys, workers, maxHeld }: TableSize): Layout {
  const buckets = { ...narrow, stripes: Math.ceil(maxKeys / keysPerStripe) }
  const wideKeys = Math.max(1024, maxKeys / 32)
  const logs = { ...wide, stripes: Math.ceil(wideKeys / keysPerWideStripe), stateLength: 2 + largestLog }
  const held = { ...wide, stripes: Math.ceil((maxHeld ?? wideKeys) / keysPerWideStripe), stateLength: workers + 1 }
  const locks = 1 + buckets.stripes + logs.stripes + held.stripes
  const registryAt = headerBytes
  const locksAt = registryAt + LimitRegistry.bytes
  const bucketsAt = locksAt + StripeLocks.bytes(locks)
  const logsAt = bucketsAt + SlotRegion.bytes(buckets)
  const heldAt = logsAt + SlotRegion.bytes(logs)
  const bytes = heldAt + SlotRegion.bytes(held)
  return { buckets, logs, held, locks, registryAt, locksAt, bucketsAt, logsAt, heldAt, bytes }
}

/** Bytes of shared memory that a table of this size takes. The system gives them as they are touched. */
export function limitTableBytes(size: TableSize): number {
  return layoutOf(size).bytes
}

/** What the table has had to do beyond its promise, over all workers. */
export interface TableTroubles {
  /** Charges that went to a budget shared by the keys that found their part of the table full. */
  readonly shared: number
  /** Charges that were refused because not even that was possible. */
  readonly refused: number
  /** Charges that were refused because a lock did not come free. */
  readonly stuck: number
}

/** Under what tag the registry keeps the limit of this name. */
export function recordTag(hash: KeyedHash, name: string): HashKey {
  return hash.derive(`record ${name}`)
}

/** One thread's view of the shared memory. */
export class TableMemory {
  readonly workers: number
  readonly hashKey: HashKey
  readonly registry: LimitRegistry
  readonly locks: StripeLocks
  readonly buckets: SlotRegion
  readonly logs: SlotRegion
  readonly held: SlotRegion
  /** Number of the lock of each region's first stripe. The registry's is 0. */
  readonly bucketLocks: number
  readonly logLocks: number
  readonly heldLocks: number
  readonly #words: Int32Array
  readonly #epoch: number
  readonly #monotonic: number

  /** Makes the memory of a table, all budgets whole. For main, once, before the first worker starts. */
  static allocate(size: TableSize, clock: Clock, key: HashKey = randomHashKey()): SharedArrayBuffer {
    const buffer = new SharedArrayBuffer(limitTableBytes(size))
    const words = new Int32Array(buffer, 0, headerBytes / 4)
    const reals = new Float64Array(buffer, 0, headerBytes / 8)
    words[word.maxKeys] = size.maxKeys
    words[word.workers] = size.workers
    words[word.maxHeld] = size.maxHeld ?? 0
    words[word.key0] = key[0]
    words[word.key1] = key[1]
    reals[real.epoch] = clock.now()
    reals[real.monotonic] = clock.monotonic()
    words[word.magic] = magic
    return buffer
  }

  /** `worker` is the number of this thread; main's is the number of workers. Throws on memory that is no limit table. */
  constructor(buffer: SharedArrayBuffer, worker = new Int32Array(buffer, 0, headerBytes / 4)[word.workers]) {
    const words = new Int32Array(buffer, 0, headerBytes / 4)
    if (words[word.magic] !== magic) throw new Error('this memory is not a limit table: make it with allocateLimitTable')
    const maxHeld = words[word.maxHeld] === 0 ? undefined : words[word.maxHeld]
    const size = { maxKeys: words[word.maxKeys], workers: words[word.workers], maxHeld }
    if (!Number.isInteger(worker) || worker < 0 || worker > size.workers) {
      throw new Error(`the limit table was made for workers 0 to ${size.workers - 1}, not ${worker}`)
    }
    const layout = layoutOf(size)
    const reals = new Float64Array(buffer, 0, headerBytes / 8)
    this.#words = words
    this.#epoch = reals[real.epoch]
    this.#monotonic = reals[real.monotonic]
    this.workers = size.workers
    this.hashKey = [words[word.key0], words[word.key1]]
    const next = words.subarray(word.nextSequence, word.nextSequence + 1)
    this.registry = new LimitRegistry(buffer, layout.registryAt, next, { count: size.workers + 1, worker })
    this.locks = new StripeLocks(buffer, layout.locksAt, layout.locks, worker)
    this.buckets = new SlotRegion(buffer, layout.bucketsAt, layout.buckets)
    this.logs = new SlotRegion(buffer, layout.logsAt, layout.logs)
    this.held = new SlotRegion(buffer, layout.heldAt, layout.held)
    this.bucketLocks = 1
    this.logLocks = this.bucketLocks + layout.buckets.stripes
    this.heldLocks = this.logLocks + layout.logs.stripes
  }

  /**
   * Milliseconds that pass evenly on all threads: the epoch at which the table was made and what the monotonic clock has
   * counted since. No correction of the machine's clock reaches it, in either direction.
   */
  elapsed(clock: Clock): number {
    return Math.floor(this.#epoch + clock.monotonic() - this.#monotonic)
  }

  count(trouble: keyof TableTroubles): void {
    Atomics.add(this.#words, word[trouble], 1)
  }

  get troubles(): TableTroubles {
    const at = (trouble: keyof TableTroubles): number => Atomics.load(this.#words, word[trouble]) >>> 0
    return { shared: at('shared'), refused: at('refused'), stuck: at('stuck') }
  }
}
