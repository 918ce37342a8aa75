import type { Clock, Timer } from '../core/clock.ts'
import type { Closable } from '../core/lasting.ts'
import type { Link } from '../core/link.ts'
import type { KeyCount } from './key-sketch.ts'
import { KeySketch } from './key-sketch.ts'

/** What a worker tells main, every `reportEveryMs` while there is anything to tell. */
export const keyReportTopic = 'limits.keys'
export interface KeyReport {
  readonly limit: string
  /** Charges per second, roughly, over the last half minute. */
  readonly busiest: readonly KeyCount[]
  readonly refused: readonly KeyCount[]
}

export const reportEveryMs = 5000
const reported = 20
/** What is left of a count after one report: the last half minute weighs two thirds. */
const fading = 0.85
/** A steady stream of n per report comes to n / (1 - fading). */
const perSecond = (1 - fading) / (reportEveryMs / 1000)
/** Of the passing charges every sixteenth is looked at, as sixteen. */
const sampleEvery = 16

/** The keys of one limit that a worker saw most of. */
export class SeenKeys {
  readonly busiest = new KeySketch()
  readonly refused = new KeySketch()
  #tick = 0

  /** A charge was asked for. Sampled, so that it costs some nanoseconds. */
  saw(key: string, isRefused: boolean): void {
    if (isRefused) this.refused.add(key, 1)
    if (++this.#tick < sampleEvery) return
    this.#tick = 0
    this.busiest.add(key, sampleEvery)
  }
}

/** A worker's memory of busy and refused keys, by limit; tells main of them. Outlives Generations. */
export class KeyReporter implements Closable {
  readonly #link: Link
  readonly #clock: Clock
  #timer: Timer
  readonly #seen = new Map<string, SeenKeys>()

  constructor(link: Link, clock: Clock) {
    this.#link = link
    this.#clock = clock
    this.#timer = this.#arm()
  }

  /** For one limit; the same for every Generation. */
  of(limit: string): SeenKeys {
    let seen = this.#seen.get(limit)
    if (seen === undefined) {
      seen = new SeenKeys()
      this.#seen.set(limit, seen)
    }
    return seen
  }

  close(): void {
    this.#timer.cancel()
  }

  #arm(): Timer {
    return this.#clock.after(reportEveryMs, () => {
      this.#report()
      this.#timer = this.#arm()
    })
  }

  #report(): void {
    const reports: KeyReport[] = []
    for (const [limit, { busiest, refused }] of this.#seen) {
      if (busiest.isEmpty && refused.isEmpty) continue
      reports.push({ limit, busiest: rates(busiest), refused: rates(refused) })
      busiest.fade(fading)
      refused.fade(fading)
    }
    if (reports.length > 0) this.#link.tell(keyReportTopic, reports)
  }
}

function rates(sketch: KeySketch): KeyCount[] {
  return sketch.heaviest(reported).map(({ key, count }) => ({ key, count: count * perSecond }))
}
