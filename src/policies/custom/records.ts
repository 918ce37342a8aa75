import type { Clock } from '../../core/clock.ts'
import type { PolicyRecords } from './define-policy.ts'

interface Kept {
  readonly value: string
  readonly expiresAt: number
}

/** What a record costs besides its text: the table's own memory, roughly. */
const overheadBytes = 64

/** The records of one policy in one worker: bounded, the oldest written leave first. Outlives Generations. */
export class WorkerRecords implements PolicyRecords {
  readonly #clock: Clock
  readonly #kept = new Map<string, Kept>()
  #bytes = 0
  /** May be another one after a reload. */
  maxBytes: number

  constructor(clock: Clock, maxBytes: number) {
    this.#clock = clock
    this.maxBytes = maxBytes
  }

  get bytes(): number {
    return this.#bytes
  }

  get(key: string): string | undefined {
    const kept = this.#kept.get(key)
    if (kept === undefined) return undefined
    if (kept.expiresAt > this.#clock.monotonic()) return kept.value
    this.remove(key)
    return undefined
  }

  set(key: string, value: string, ttlMs: number): void {
    if (typeof key !== 'string' || typeof value !== 'string') throw new TypeError('records are texts under texts')
    if (!(ttlMs > 0)) throw new RangeError('a record lives for some milliseconds')
    const size = sizeOf(key, value)
    if (size > this.maxBytes) throw new RangeError('the record is larger than all records of the policy may be')
    this.remove(key)
    this.#kept.set(key, { value, expiresAt: this.#clock.monotonic() + ttlMs })
    this.#bytes += size
    for (const [oldest] of this.#kept) {
      if (this.#bytes <= this.maxBytes) break
      this.remove(oldest)
    }
  }

  remove(key: string): void {
    const kept = this.#kept.get(key)
    if (kept === undefined) return
    this.#kept.delete(key)
    this.#bytes -= sizeOf(key, kept.value)
  }

  close(): void {
    this.#kept.clear()
    this.#bytes = 0
  }
}

/** The same for a peek, of which nothing may come. */
export function readingOnly(records: PolicyRecords): PolicyRecords {
  return { get: (key) => records.get(key), set() {}, remove() {} }
}

/** Two bytes a character: what a text takes at most. */
function sizeOf(key: string, value: string): number {
  return 2 * (key.length + value.length) + overheadBytes
}
