import { clearRow } from './meter-row.ts'
import type { SeriesEntry } from './meter-row.ts'

/** One series of a family with its numbers: one, or a histogram's buckets (each for itself) and then its sum. */
export interface SummedSeries {
  readonly labels: SeriesEntry['labels']
  readonly values: Float64Array
}

/** All series of one name. */
export interface Family {
  readonly name: string
  readonly help: string
  readonly kind: SeriesEntry['kind']
  readonly bounds: readonly number[]
  readonly series: ReadonlyMap<string, SummedSeries>
}

interface OpenFamily extends Family {
  readonly series: Map<string, SummedSeries>
}

/** A series of one row, with the key of its labels: made once, for families of thousands are summed again and again. */
interface KeyedEntry {
  readonly entry: SeriesEntry
  readonly key: string
}

interface Source {
  readonly row: Float64Array
  readonly entries: KeyedEntry[]
}

/**
 * Main's side of the metrics: knows which slot of which worker's row is which series, and sums them. What a dead worker
 * counted is kept, so that counters never go back; its gauges go with it.
 */
export class MeterTotals {
  readonly #sources = new Map<number, Source>()
  readonly #kept = new Map<string, OpenFamily>()
  /** Each key once, however many workers have the series. */
  readonly #keys = new Map<string, string>()

  /** A worker, or main itself, says which series it opened; `row` is where it writes. */
  announce(source: number, row: Float64Array, entries: readonly SeriesEntry[]): void {
    let known = this.#sources.get(source)
    if (known === undefined) this.#sources.set(source, (known = { row, entries: [] }))
    for (const entry of entries) known.entries.push({ entry, key: this.#keyOf(entry) })
  }

  /** Its writer is gone: keeps what it counted and clears the row, so that a successor may take it over. */
  fold(source: number, row: Float64Array): void {
    const gone = this.#sources.get(source)
    this.#sources.delete(source)
    if (gone !== undefined) for (const keyed of gone.entries) if (keyed.entry.kind !== 'gauge') addTo(this.#kept, keyed, gone.row)
    clearRow(row)
  }

  /** Every family, by name, with the sums of this moment. */
  families(): Family[] {
    const families = new Map<string, OpenFamily>()
    for (const family of this.#kept.values()) {
      const series = new Map<string, SummedSeries>()
      for (const [key, { labels, values }] of family.series) series.set(key, { labels, values: values.slice() })
      families.set(family.name, { ...family, series })
    }
    for (const { row, entries } of this.#sources.values()) for (const keyed of entries) addTo(families, keyed, row)
    return [...families.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  #keyOf({ labels }: SeriesEntry): string {
    const key = JSON.stringify(labels)
    const known = this.#keys.get(key)
    if (known !== undefined) return known
    this.#keys.set(key, key)
    return key
  }
}

function addTo(families: Map<string, OpenFamily>, { entry, key }: KeyedEntry, row: Float64Array): void {
  let family = families.get(entry.name)
  if (family === undefined) {
    const { name, help, kind, bounds } = entry
    families.set(name, (family = { name, help, kind, bounds, series: new Map() }))
  }
  const width = entry.kind === 'histogram' ? entry.bounds.length + 2 : 1
  let summed = family.series.get(key)
  if (summed === undefined) family.series.set(key, (summed = { labels: entry.labels, values: new Float64Array(width) }))
  for (let i = 0; i < width; i++) summed.values[i] += row[entry.slot + i]
}
