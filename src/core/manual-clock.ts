import type { Clock, Timer } from './clock.ts'

interface Pending {
  dueAt: number
  order: number
  run: () => void
}

/** A clock that stands still until it is told to move; for tests and for replaying recorded traffic. */
export class ManualClock implements Clock {
  #now: number
  #elapsed = 0
  #order = 0
  readonly #pending = new Set<Pending>()

  constructor(startAt = 1_700_000_000_000) {
    this.#now = startAt
  }

  now(): number {
    return this.#now
  }

  monotonic(): number {
    return this.#elapsed
  }

  after(delayMs: number, run: () => void): Timer {
    const pending = { dueAt: this.#elapsed + Math.max(0, delayMs), order: this.#order++, run }
    this.#pending.add(pending)
    return { cancel: () => void this.#pending.delete(pending) }
  }

  /** Moves time on by `ms` and runs, in order, every timer that falls due on the way. */
  advance(ms: number): void {
    const end = this.#elapsed + ms
    for (;;) {
      let next: Pending | undefined
      for (const p of this.#pending) {
        if (p.dueAt > end) continue
        if (next === undefined || p.dueAt < next.dueAt || (p.dueAt === next.dueAt && p.order < next.order)) next = p
      }
      if (next === undefined) break
      this.#pending.delete(next)
      this.#move(next.dueAt)
      next.run()
    }
    this.#move(end)
  }

  /** Sets the wall clock without letting time pass, as a correction by NTP would. */
  setNow(epochMs: number): void {
    this.#now = epochMs
  }

  #move(to: number): void {
    if (to <= this.#elapsed) return
    this.#now += to - this.#elapsed
    this.#elapsed = to
  }
}
