import { boundsFor } from './meter-row.ts'
import type { Exemplar, Family } from './meter-totals.ts'
import type { SpanBatch } from './span-row.ts'

/** The histogram whose buckets have examples. */
const familyName = 'velum_request_duration_seconds'
/** Routes of which examples are kept, those that had one latest. */
const mostRoutes = 1000

/**
 * For each bucket of each route's durations, the latest request in it that was traced: the way from a slow bucket to a
 * trace. Bounded by routes and buckets.
 */
export class Exemplars {
  readonly #bounds = boundsFor(familyName)
  /** By the key of the series' labels. */
  readonly #byRoute = new Map<string, (Exemplar | undefined)[]>()

  /** Takes what a batch tells of the spans of servers. */
  note(served: SpanBatch['served']): void {
    for (let i = 0; i < served.length; i += 5) {
      const [route, traceId, spanId, beganAt, endedAt] = served.slice(i, i + 5) as [string, string, string, number, number]
      this.#noteOne(route, { traceId, spanId, value: Math.max(0, endedAt - beganAt) / 1000, at: endedAt })
    }
  }

  /** The same families, with what there is of examples. */
  put(families: Family[]): Family[] {
    if (this.#byRoute.size === 0) return families
    return families.map((family) => (family.name === familyName ? { ...family, exemplars: this.#byRoute } : family))
  }

  #noteOne(route: string, exemplar: Exemplar): void {
    let bucket = 0
    while (bucket < this.#bounds.length && exemplar.value > this.#bounds[bucket]) bucket++
    const key = JSON.stringify([['route', route]])
    const kept = this.#byRoute.get(key) ?? Array.from<Exemplar | undefined>({ length: this.#bounds.length + 1 })
    kept[bucket] = exemplar
    // The one that was noted latest stands last.
    this.#byRoute.delete(key)
    this.#byRoute.set(key, kept)
    if (this.#byRoute.size > mostRoutes) this.#byRoute.delete(this.#byRoute.keys().next().value!)
  }
}
