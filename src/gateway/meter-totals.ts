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
  /** By the key of a series, for each bucket of a histogram the latest example; absent: there are none. */
  readonly exemplars?: ReadonlyMap<string, readonly (Exemplar | undefined)[]> | undefined
}

/** A request that a bucket counted, by its trace. */
export interface Exemplar {
  readonly traceId: string
  readonly spanId: string
  readonly value: number
  /** Milliseconds since 1970. */
  readonly at: number
}

/** Where a series stands: what the dead have left of it, and its slots in the rows of the living. */
interface KnownSeries {
  readonly labels: SeriesEntry['labels']
  readonly isOfRoute: boolean
  kept: Float64Array | undefined
  readonly places: { readonly source: number; readonly row: Float64Array; readonly slot: number }[]
}

interface KnownFamily extends Omit<Family, 'series'> {
  /** Numbers of a series. */
  readonly width: number
  readonly known: Map<string, KnownSeries>
}

/**
 * Main's side of the metrics: knows which slot of which worker's row is which series, and sums them. What a dead worker
 * counted is kept, so that counters never go back; its gauges go with it.
 */
export class MeterTotals {
  /** By name, in the order of names. */
  #families = new Map<string, KnownFamily>()

  /** A worker, or main itself, says which series it opened; `row` is where it writes. */
  announce(source: number, row: Float64Array, entries: readonly SeriesEntry[]): void {
    for (const { name, help, kind, bounds, labels, slot } of entries) {
      let family = this.#families.get(name)
      if (family === undefined) {
        family = { name, help, kind, bounds, width: kind === 'histogram' ? bounds.length + 2 : 1, known: new Map() }
        this.#families.set(name, family)
        this.#families = new Map([...this.#families].sort(([one], [other]) => (one < other ? -1 : 1)))
      }
      const key = JSON.stringify(labels)
      let series = family.known.get(key)
      if (series === undefined) {
        const isOfRoute = labels.some(([label]) => label === 'route')
        family.known.set(key, (series = { labels, isOfRoute, kept: undefined, places: [] }))
      }
      series.places.push({ source, row, slot })
    }
  }

  /** Its writer is gone: keeps what it counted and clears the row, so that a successor may take it over. */
  fold(source: number, row: Float64Array): void {
    for (const family of this.#families.values()) {
      for (const [key, series] of family.known) {
        const { places } = series
        for (let i = places.length - 1; i >= 0; i--) {
          if (places[i].source !== source) continue
          if (family.kind !== 'gauge') addTo((series.kept ??= new Float64Array(family.width)), places[i])
          places.splice(i, 1)
        }
        if (places.length === 0 && series.kept === undefined) family.known.delete(key)
      }
    }
    clearRow(row)
  }

  /**
   * Every family, by name, with the sums of this moment. What a route never counted is left out: of thousands of routes most
   * do few of the things that can be counted.
   */
  families(): Family[] {
    const families: Family[] = []
    for (const { name, help, kind, bounds, width, known } of this.#families.values()) {
      const series = new Map<string, SummedSeries>()
      for (const [key, one] of known) {
        if (one.isOfRoute && kind !== 'gauge' && one.kept === undefined && !hasCounted(one, width)) continue
        const values = one.kept === undefined ? new Float64Array(width) : one.kept.slice()
        for (const place of one.places) addTo(values, place)
        series.set(key, { labels: one.labels, values })
      }
      if (series.size > 0) families.push({ name, help, kind, bounds, series })
    }
    return families
  }
}

function hasCounted({ places }: KnownSeries, width: number): boolean {
  for (const { row, slot } of places) for (let i = 0; i < width; i++) if (row[slot + i] !== 0) return true
  return false
}

function addTo(values: Float64Array, { row, slot }: KnownSeries['places'][number]): void {
  for (let i = 0; i < values.length; i++) values[i] += row[slot + i]
}
