import type { PenaltyEvidence, PenaltyThreshold } from './penalty-spec.ts'

/** What a worker saw of one client since its last report. */
export interface RefusalReport {
  readonly penalty: string
  readonly per: string
  readonly key: string
  readonly parts: readonly string[]
  readonly refusals: number
  readonly by: readonly (readonly [label: string, refusals: number])[]
  /** Id of the last refused request. */
  readonly request: string
}

/** Clients whose refusals are remembered, for each penalty; the one seen longest ago makes room. */
const mostClients = 65_536
const mostLabels = 8

/** Refusals of one client over a sliding window: of the window before, the share that still lies within this one. */
interface Track {
  windowAt: number
  current: number
  previous: number
  since: number
  by: Map<string, number>
}

/**
 * Counts refusals of clients towards one penalty. A client is due when so many fell into the window; bounded, whatever
 * keys clients make up: the worst that a flood of keys can do is to make it forget, never to box somebody else.
 */
export class RefusalCount {
  readonly #threshold: PenaltyThreshold
  readonly #most: number
  readonly #tracks = new Map<string, Track>()

  constructor(threshold: PenaltyThreshold, most = mostClients) {
    this.#threshold = threshold
    this.#most = most
  }

  /** Adds what a worker reported; what is known of the client when it is due, and it begins anew. */
  add({ key, refusals, by, request }: RefusalReport, now: number): PenaltyEvidence | undefined {
    const { windowMs, refusals: bound } = this.#threshold
    let track = this.#tracks.get(key)
    this.#tracks.delete(key)
    if (track === undefined || now - track.windowAt >= 2 * windowMs || now < track.windowAt) {
      track = { windowAt: now, current: 0, previous: 0, since: now, by: new Map() }
    } else if (now - track.windowAt >= windowMs) {
      track.windowAt += windowMs
      track.previous = track.current
      track.current = 0
    }
    track.current += refusals
    for (const [label, count] of by) {
      if (track.by.size < mostLabels || track.by.has(label)) track.by.set(label, (track.by.get(label) ?? 0) + count)
    }
    const counted = track.current + (track.previous * (windowMs - (now - track.windowAt))) / windowMs
    if (counted >= bound) return { refusals: Math.floor(counted), since: track.since, by: Object.fromEntries(track.by), request }
    this.#tracks.set(key, track)
    if (this.#tracks.size > this.#most) this.#tracks.delete(this.#tracks.keys().next().value!)
    return undefined
  }
}
