import type { Clock, Timer } from './clock.ts'

/** Something with at most one deadline at a time: a connection, an attempt, a queue place. */
export interface Due {
  /** Monotonic milliseconds at which `onDue` is called; `Infinity` while nothing is awaited. */
  dueAt: number
  /** The deadline passed. Called once per sweep while it stays in the past: move or clear `dueAt` here. */
  onDue(now: number): void
}

/**
 * One coarse timer for all deadlines of a worker: setting a deadline is one field assignment, and a sweep of ten
 * thousand connections costs some tens of microseconds. Deadlines fire up to one tick late, never early.
 */
export class Sweeper {
  readonly #clock: Clock
  readonly #tickMs: number
  readonly #watched = new Set<Due>()
  #timer: Timer | undefined

  constructor(clock: Clock, tickMs = 50) {
    this.#clock = clock
    this.#tickMs = tickMs
  }

  watch(due: Due): void {
    this.#watched.add(due)
    this.#timer ??= this.#clock.after(this.#tickMs, this.#sweep)
  }

  unwatch(due: Due): void {
    this.#watched.delete(due)
  }

  close(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#watched.clear()
  }

  readonly #sweep = (): void => {
    const now = this.#clock.monotonic()
    try {
      for (const due of this.#watched) if (due.dueAt <= now) due.onDue(now)
    } finally {
      // Also after a bug in one of them: without the next tick no deadline of this worker would ever fire again.
      this.#timer = this.#watched.size === 0 ? undefined : this.#clock.after(this.#tickMs, this.#sweep)
    }
  }
}
