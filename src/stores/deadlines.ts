import type { Clock, Timer } from '../core/clock.ts'

/** One wait. Who was answered in time ends it. */
export interface Wait {
  readonly dueAt: number
  isOver: boolean
  onDue: () => void
}

/** Ends a wait. It is forgotten only when it would have been due: what it would have called is let go of here. */
export function endWait(wait: Wait): void {
  wait.isOver = true
  wait.onDue = nothing
}

function nothing(): void {}

/** A timer later than this shows that the thread was busy: answers may have come that it has not read yet. */
const busyMs = 10

/**
 * Waits that all last equally long, under one timer: adding one costs a push. Never early; a thread that was too busy to
 * read what had come in time reads it before it calls anything late.
 */
export class Deadlines {
  readonly #clock: Clock
  readonly #timeoutMs: number
  #waits: Wait[] = []
  #timer: Timer | undefined
  #lookAt = 0
  #isSecondLook = false

  constructor(clock: Clock, timeoutMs: number) {
    this.#clock = clock
    this.#timeoutMs = timeoutMs
  }

  add(onDue: () => void): Wait {
    const wait = { dueAt: this.#clock.monotonic() + this.#timeoutMs, isOver: false, onDue }
    this.#waits.push(wait)
    if (this.#timer === undefined) this.#lookIn(this.#timeoutMs)
    return wait
  }

  /** Everything still waited for is due now. */
  endAll(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    for (const wait of this.#waits.splice(0)) {
      if (wait.isOver) continue
      wait.isOver = true
      wait.onDue()
    }
  }

  #lookIn(delayMs: number): void {
    this.#lookAt = this.#clock.monotonic() + delayMs
    this.#timer = this.#clock.after(delayMs, this.#look)
  }

  readonly #look = (): void => {
    this.#timer = undefined
    const now = this.#clock.monotonic()
    const wasBusy = now - this.#lookAt > busyMs && !this.#isSecondLook
    this.#isSecondLook = wasBusy
    if (wasBusy) return this.#lookIn(1)
    const waits = this.#waits
    const due: Wait[] = []
    let first = 0
    while (first < waits.length && (waits[first].isOver || waits[first].dueAt <= now)) {
      const wait = waits[first++]
      if (!wait.isOver) due.push(wait)
    }
    this.#waits = waits.slice(first)
    const next = this.#waits[0]
    if (next !== undefined) this.#lookIn(Math.max(1, next.dueAt - now))
    // Last, since what they run may add waits.
    for (const wait of due) {
      wait.isOver = true
      wait.onDue()
    }
  }
}
