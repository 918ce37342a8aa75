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

interface Source {
  readonly row: Float64Array
  readonly entries: SeriesEntry[]
}

/**
 * Main's side of the metrics: knows which slot of which worker's row is which series, and sums them. What a dead worker
 * counted is kept, so that counters never go back; its gauges go with it.
 */
export class MeterTotals {
  readonly #sources = new Map<number, Source>()
  readonly #kept = new Map<string, OpenFamily>()

  /** A worker, or main itself, says which series it opened; `row` is where it writes. */
  announce(source: number, row: Float64Array, entries: readonly SeriesEntry[]): void {
    const known = this.#sources.get(source)
    if (known === undefined) this.#sources.set(source, { row, entries: [...entries] })
    else for (const entry of entries) known.entries.push(entry)
  }

  /** Its writer is gone: keeps what it counted and clears the row, so that a successor may take it over. */
  fold(source: number, row: Float64Array): void {
    const gone = this.#sources.get(source)
    this.#sources.delete(source)
    if (gone !== undefined) for (const entry of gone.entries) if (entry.kind !== 'gauge') addTo(this.#kept, entry, gone.row)
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
    for (const { row, entries } of this.#sources.values()) for (const entry of entries) addTo(families, entry, row)
    return [...families.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
  }
}

function addTo(families: Map<string, OpenFamily>, entry: SeriesEntry, row: Float64Array): void {
  let family = families.get(entry.name)
  if (family === undefined) {
    const { name, help, kind, bounds } = entry
    families.set(name, (family = { name, help, kind, bounds, series: new Map() }))
  }
  const width = entry.kind === 'histogram' ? entry.bounds.length + 2 : 1
  const key = JSON.stringify(entry.labels)
  let summed = family.series.get(key)
  if (summed === undefined) family.series.set(key, (summed = { labels: entry.labels, values: new Float64Array(width) }))
  for (let i = 0; i < width; i++) summed.values[i] += row[entry.slot + i]
}
