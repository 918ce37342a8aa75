import type { Clock, Timer } from '../core/clock.ts'
import type { Family } from '../gateway/meter-totals.ts'
import type { Flow, TrafficSnapshot } from './traffic-snapshot.ts'
import { flowBetween, snapshotOf } from './traffic-snapshot.ts'

/** One point of the charts. */
export interface TrafficPoint extends Flow {
  /** Milliseconds since 1970. */
  readonly at: number
}

/** What passes through a node, as long as somebody looks; while nobody does, nothing is read. */
export interface Traffic {
  /** Points of the last minutes, oldest first. Asking keeps the reading going. */
  points(): readonly TrafficPoint[]
  /** The newest snapshot, and the one that rates of now are measured from; the same one when there is only one. */
  window(): { readonly before: TrafficSnapshot; readonly after: TrafficSnapshot; readonly seconds: number }
  readonly everyMs: number
  close(): void
}

/** How often metrics are read while somebody looks, and how long after the last look that ends. */
const shortestMs = 2000
const longestMs = 10_000
const lookedAtMs = 30_000
/** The share of main's time that readings aim at: with thousands of routes there are fewer. */
const aimedShare = 0.02
const mostPoints = 150
const windowMs = 10_000

/** Reads `families` again and again while somebody asks. */
export function createTraffic(families: () => readonly Family[], clock: Clock): Traffic {
  let snapshots: TrafficSnapshot[] = []
  let points: TrafficPoint[] = []
  let timer: Timer | undefined
  let lookedAt = 0
  let everyMs = shortestMs

  const read = (): void => {
    const start = clock.monotonic()
    const next = snapshotOf(families(), start)
    everyMs = Math.min(longestMs, Math.max(shortestMs, (clock.monotonic() - start) / aimedShare))
    const last = snapshots.at(-1)
    if (last !== undefined) {
      points.push({ at: clock.now(), ...flowBetween(last.all, next.all, next.bounds, (next.at - last.at) / 1000) })
      if (points.length > mostPoints) points.shift()
    }
    // One that is older than the window stays, so that rates are of a whole one.
    while (snapshots.length > 1 && next.at - snapshots[1].at >= windowMs) snapshots.shift()
    snapshots.push(next)
  }
  const again = (afterMs: number): void => {
    timer = clock.after(afterMs, () => {
      if (clock.monotonic() - lookedAt < lookedAtMs) {
        read()
        again(everyMs)
        return
      }
      timer = undefined
      // The charts would draw a line across the time that nobody saw.
      snapshots = []
      points = []
    })
  }
  const look = (): void => {
    lookedAt = clock.monotonic()
    if (timer !== undefined) return
    read()
    // The first rates shall not take long.
    again(Math.min(500, everyMs))
  }
  return {
    points() {
      look()
      return points
    },
    window() {
      look()
      const after = snapshots.at(-1)!
      const before = snapshots[0]
      return { before, after, seconds: (after.at - before.at) / 1000 }
    },
    get everyMs() {
      return everyMs
    },
    close: () => timer?.cancel(),
  }
}
