import type { Clock, Timer } from './clock.ts'

/** Something with at most one deadline at a time: a connection, an attempt, a queue place. */
export interface Due {
  /** Monotonic milliseconds at which `onDue` is called; `Infinity` while nothing is awaited. */
  dueAt: number
  /** The deadline passed. Called once per sweep while it stays in the past: move or clear `dueAt` here. */
  onDue(now: number): void
  /** The sweeper's own: where it keeps what it watches. What lives as short as a call declares it, so as not to grow by it. */
  sweepSlot?: number | undefined
}

/**
 * One coarse timer for all deadlines of a worker: setting a deadline is one field assignment, and a sweep of ten
 * thousand connections costs some tens of microseconds. Deadlines fire up to one tick late, never early.
 */
export class Sweeper {
  readonly #clock: Clock
  readonly #tickMs: number
  // No Set: the tables that it outgrows are chained, and once the first of them is old, everything that was ever in one
  // of them lives until the next full collection.
  readonly #watched: (Due | undefined)[] = []
  #isSweeping = false
  #hasHoles = false
  #timer: Timer | undefined

  constructor(clock: Clock, tickMs = 50) {
    this.#clock = clock
    this.#tickMs = tickMs
  }

  watch(due: Due): void {
    const { sweepSlot } = due
    if (sweepSlot === undefined || this.#watched[sweepSlot] !== due) due.sweepSlot = this.#watched.push(due) - 1
    this.#timer ??= this.#clock.after(this.#tickMs, this.#sweep)
  }

  unwatch(due: Due): void {
    const { sweepSlot } = due
    if (sweepSlot === undefined || this.#watched[sweepSlot] !== due) return
    due.sweepSlot = undefined
    if (this.#isSweeping) {
      // Nobody changes places while all are asked in turn.
      this.#watched[sweepSlot] = undefined
      this.#hasHoles = true
    } else this.#vacate(sweepSlot)
  }

  close(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    for (const due of this.#watched) if (due !== undefined) due.sweepSlot = undefined
    this.#watched.length = 0
  }

  /** The last one takes the place that has become free. */
  #vacate(slot: number): void {
    const last = this.#watched.pop()
    if (last === undefined || slot === this.#watched.length) return
    this.#watched[slot] = last
    last.sweepSlot = slot
  }

  #fillHoles(): void {
    this.#hasHoles = false
    for (let slot = this.#watched.length - 1; slot >= 0; slot--) if (this.#watched[slot] === undefined) this.#vacate(slot)
  }

  readonly #sweep = (): void => {
    const now = this.#clock.monotonic()
    this.#isSweeping = true
    try {
      for (const due of this.#watched) if (due !== undefined && due.dueAt <= now) due.onDue(now)
    } finally {
      this.#isSweeping = false
      if (this.#hasHoles) this.#fillHoles()
      // Also after a bug in one of them: without the next tick no deadline of this worker would ever fire again.
      this.#timer = this.#watched.length === 0 ? undefined : this.#clock.after(this.#tickMs, this.#sweep)
    }
  }
}
