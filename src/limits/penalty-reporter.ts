import type { Clock, Timer } from '../core/clock.ts'
import type { Link } from '../core/link.ts'
import type { RefusalReport } from './penalty-count.ts'

/** Topics between workers and main. */
export const penaltyTopics = {
  refusals: 'penalties.refusals',
  snapshot: 'penalties.snapshot',
  changes: 'penalties.changes',
} as const

/** How soon main learns of refusals. */
const reportAfterMs = 20
/** Clients of one report, for each penalty: what a flood of made-up keys can cost. */
const mostClients = 1024

interface Tally {
  readonly parts: readonly string[]
  refusals: number
  readonly by: Map<string, number>
  request: string
}

/** A worker's refusals on their way to main, which counts them for the node: one message a moment, however many there are. */
export class RefusalReporter {
  readonly #link: Link
  readonly #clock: Clock
  readonly #tallies = new Map<string, { readonly penalty: string; readonly per: string; readonly clients: Map<string, Tally> }>()
  #timer: Timer | undefined

  constructor(link: Link, clock: Clock) {
    this.#link = link
    this.#clock = clock
  }

  /** A request was refused that counts towards a penalty; `parts` are read only of clients not seen in this moment. */
  note(penalty: string, per: string, key: string, parts: () => readonly string[], label: string, request: string): void {
    const place = `${penalty} ${per}`
    let tallies = this.#tallies.get(place)
    if (tallies === undefined) this.#tallies.set(place, (tallies = { penalty, per, clients: new Map() }))
    let tally = tallies.clients.get(key)
    if (tally === undefined) {
      if (tallies.clients.size >= mostClients) return
      tally = { parts: parts(), refusals: 0, by: new Map(), request }
      tallies.clients.set(key, tally)
    }
    tally.refusals++
    tally.by.set(label, (tally.by.get(label) ?? 0) + 1)
    tally.request = request
    this.#timer ??= this.#clock.after(reportAfterMs, () => this.#report())
  }

  close(): void {
    this.#timer?.cancel()
    this.#timer = undefined
  }

  #report(): void {
    this.#timer = undefined
    const reports: RefusalReport[] = []
    for (const { penalty, per, clients } of this.#tallies.values()) {
      for (const [key, { parts, refusals, by, request }] of clients) {
        reports.push({ penalty, per, key, parts, refusals, by: [...by], request })
      }
      clients.clear()
    }
    this.#link.tell(penaltyTopics.refusals, reports)
  }
}
