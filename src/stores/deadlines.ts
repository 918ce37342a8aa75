import type { Clock, Timer } from '../core/clock.ts'

/** One wait. Who was answered in time sets `isOver`. */
export interface Wait {
  readonly dueAt: number
  isOver: boolean
  readonly onDue: () => void
}

/** Waits that all last equally long, under one timer: adding one costs a push. Due up to one millisecond late, never early. */
export class Deadlines {
  readonly #clock: Clock
  readonly #timeoutMs: number
  #waits: Wait[] = []
  #timer: Timer | undefined

  constructor(clock: Clock, timeoutMs: number) {
    this.#clock = clock
    this.#timeoutMs = timeoutMs
  }

  add(onDue: () => void): Wait {
    const wait = { dueAt: this.#clock.monotonic() + this.#timeoutMs, isOver: false, onDue }
    this.#waits.push(wait)
    this.#timer ??= this.#clock.after(this.#timeoutMs, this.#look)
    return wait
  }

  /** Forgets everything. */
  close(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#waits = []
  }

  readonly #look = (): void => {
    this.#timer = undefined
    const now = this.#clock.monotonic()
    const waits = this.#waits
    const due: Wait[] = []
    let first = 0
    while (first < waits.length && (waits[first].isOver || waits[first].dueAt <= now)) {
      const wait = waits[first++]
      if (!wait.isOver) due.push(wait)
    }
    this.#waits = waits.slice(first)
    const next = this.#waits[0]
    if (next !== undefined) this.#timer = this.#clock.after(Math.max(1, next.dueAt - now), this.#look)
    // Last, since what they run may add waits.
    for (const wait of due) {
      wait.isOver = true
      wait.onDue()
    }
  }
}
