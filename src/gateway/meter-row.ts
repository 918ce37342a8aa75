import type { Count, Labels, Level, Meter, Spread } from '../core/meter.ts'

/** What a series is, and where in its worker's row it stands. Plain data: it is sent to main once. */
export interface SeriesEntry {
  readonly kind: 'counter' | 'gauge' | 'histogram'
  readonly name: string
  readonly help: string
  /** Sorted by name. */
  readonly labels: readonly (readonly [name: string, value: string])[]
  /** First slot. A histogram takes one per bound, one for what lies above, and one for the sum. */
  readonly slot: number
  /** Upper bounds of a histogram's buckets, rising; empty otherwise. */
  readonly bounds: readonly number[]
}

/** Numbers per worker; memory that is never touched costs nothing. */
export const slotsPerRow = 1 << 19
/** Slot 0 is the heartbeat: a count that grows while the worker's event loop turns. Slot 1 says how many are in use. */
const usedSlot = 1
/** Slot 2 says which custom policy runs; 0: none. */
const policySlot = 2
const firstSlot = 3

const secondsBounds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]
const bytesBounds = [256, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304, 16_777_216]
const plainBounds = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]

/** Upper bounds of a histogram of this name, by its unit. */
export function boundsFor(name: string): readonly number[] {
  if (name.endsWith('_seconds')) return secondsBounds
  return name.endsWith('_bytes') ? bytesBounds : plainBounds
}

/** Memory for the metrics of this many workers, in bytes. */
export function metricsBytes(workers: number): number {
  return workers * slotsPerRow * Float64Array.BYTES_PER_ELEMENT
}

/** One worker's row in the shared memory. Only that worker writes to it while it lives. */
export function metricsRow(shared: SharedArrayBuffer, worker: number): Float64Array {
  return new Float64Array(shared, worker * slotsPerRow * Float64Array.BYTES_PER_ELEMENT, slotsPerRow)
}

/** One more turn of the worker's event loop. */
export function beat(row: Float64Array): void {
  row[0]++
}

export function beatsOf(row: Float64Array): number {
  return row[0]
}

/** The one number of a row that says which custom policy runs. */
export function runningSlot(row: Float64Array): Float64Array {
  return row.subarray(policySlot, policySlot + 1)
}

/** Makes a dead worker's row ready for its successor, touching no memory that was not in use. */
export function clearRow(row: Float64Array): void {
  row.fill(0, 0, Math.max(firstSlot, row[usedSlot]))
}

class SlotCount implements Count, Level {
  readonly #row: Float64Array
  readonly #slot: number

  constructor(row: Float64Array, slot: number) {
    this.#row = row
    this.#slot = slot
  }

  // A plain addition without atomics: this thread is the row's only writer.
  add(n = 1): void {
    this.#row[this.#slot] += n
  }
}

class SlotSpread implements Spread {
  readonly #row: Float64Array
  readonly #slot: number
  readonly #bounds: readonly number[]

  constructor(row: Float64Array, slot: number, bounds: readonly number[]) {
    this.#row = row
    this.#slot = slot
    this.#bounds = bounds
  }

  observe(value: number): void {
    const bounds = this.#bounds
    let bucket = 0
    while (bucket < bounds.length && value > bounds[bucket]) bucket++
    this.#row[this.#slot + bucket]++
    this.#row[this.#slot + bounds.length + 1] += value
  }
}

type Series = SlotCount | SlotSpread

const namePattern = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/
const labelPattern = /^[a-zA-Z_][a-zA-Z0-9_]*$/

/**
 * A worker's Meter: each series is some slots of its row, taken in the order in which series are first opened, and
 * announced to whoever sums the rows. Throws on names that Prometheus refuses. When the row is full, further series
 * count nothing and `full` is told once.
 */
export class RowMeter implements Meter {
  readonly #row: Float64Array
  readonly #announce: (entries: readonly SeriesEntry[]) => void
  readonly #full: () => void
  readonly #series = new Map<string, Series>()
  readonly #kinds = new Map<string, SeriesEntry['kind']>()
  #next = firstSlot
  #isFull = false
  #unannounced: SeriesEntry[] = []

  constructor(row: Float64Array, announce: (entries: readonly SeriesEntry[]) => void, full: () => void = () => {}) {
    this.#row = row
    this.#announce = announce
    this.#full = full
  }

  counter(name: string, help: string, labels: Labels = {}): Count {
    return this.#open('counter', name, help, labels) as SlotCount
  }

  gauge(name: string, help: string, labels: Labels = {}): Level {
    return this.#open('gauge', name, help, labels) as SlotCount
  }

  histogram(name: string, help: string, labels: Labels = {}): Spread {
    return this.#open('histogram', name, help, labels) as SlotSpread
  }

  #open(kind: SeriesEntry['kind'], name: string, help: string, labels: Labels): Series {
    const key = keyOf(name, labels)
    const known = this.#kinds.get(name)
    if (known !== undefined && known !== kind) throw new Error(`${name} is a ${known}, not a ${kind}`)
    const series = this.#series.get(key)
    if (series !== undefined) return series
    const sorted = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1))
    assertNames(name, sorted)
    const bounds = kind === 'histogram' ? boundsFor(name) : []
    const width = kind === 'histogram' ? bounds.length + 2 : 1
    const row = this.#next + width <= this.#row.length ? this.#row : this.#overflow(width)
    const slot = row === this.#row ? this.#next : 0
    if (row === this.#row) this.#row[usedSlot] = this.#next += width
    const made = kind === 'histogram' ? new SlotSpread(row, slot, bounds) : new SlotCount(row, slot)
    this.#kinds.set(name, kind)
    this.#series.set(key, made)
    if (row === this.#row) this.#announceSoon({ kind, name, help, labels: sorted, slot, bounds })
    return made
  }

  #overflow(width: number): Float64Array {
    if (!this.#isFull) this.#full()
    this.#isFull = true
    return new Float64Array(width)
  }

  /** Compiling a Generation opens series by the thousand: they are announced together. */
  #announceSoon(entry: SeriesEntry): void {
    if (this.#unannounced.push(entry) > 1) return
    queueMicrotask(() => {
      const entries = this.#unannounced
      this.#unannounced = []
      this.#announce(entries)
    })
  }
}

/** Equal exactly for the same series: lengths keep a value from being taken for further labels. */
function keyOf(name: string, labels: Labels): string {
  let key = name
  for (const label of Object.keys(labels).sort()) key += `\n${label}=${labels[label].length}:${labels[label]}`
  return key
}

function assertNames(name: string, labels: readonly (readonly [string, string])[]): void {
  if (!namePattern.test(name)) throw new Error(`not a metric's name: ${JSON.stringify(name)}`)
  for (const [label] of labels) if (!labelPattern.test(label)) throw new Error(`not a label's name: ${JSON.stringify(label)}`)
}
