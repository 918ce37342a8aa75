import type { Clock, Timer } from './clock.ts'

/** One wait. Who was answered in time ends it. */
export interface Wait {
  readonly dueAt: number
  isOver: boolean
  onDue: () => void
}

/** Ends a wait. It may be forgotten later: what it would have called is let go of here. */
export function endWait(wait: Wait): void {
  wait.isOver = true
  wait.onDue = nothing
}

function nothing(): void {}

/** A timer later than this shows that the thread was busy: answers may have come that it has not read yet. */
const usualBusyMs = 10
/** So many are dropped before the rest moves up. */
const mostDropped = 1024

/**
 * Waits that all last equally long, under one timer: adding one costs a push. Never early; a thread that was too busy to
 * read what had come in time reads it before it calls anything late.
 *
 * Waits that are over leave when those before them have: kept until they would have been due, they would grow old, and cost
 * the collector more than what they wait for.
 */
export class Deadlines {
  readonly #clock: Clock
  readonly #timeoutMs: number
  readonly #busyMs: number
  readonly #waits: (Wait | undefined)[] = []
  /** The first that is still kept; before it is nothing. */
  #head = 0
  #timer: Timer | undefined
  #lookAt = 0
  #isSecondLook = false

  /** `busyMs`: a look that comes later than this is repeated once. */
  constructor(clock: Clock, timeoutMs: number, busyMs = usualBusyMs) {
    this.#clock = clock
    this.#timeoutMs = timeoutMs
    this.#busyMs = busyMs
  }

  add(onDue: () => void): Wait {
    const wait: Wait = { dueAt: this.#clock.monotonic() + this.#timeoutMs, isOver: false, onDue }
    this.#forgetOver()
    this.#waits.push(wait)
    if (this.#timer === undefined) this.#lookIn(this.#timeoutMs)
    return wait
  }

  /** Everything still waited for is due now. */
  endAll(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    const waits = this.#waits.splice(0)
    this.#head = 0
    for (const wait of waits) if (wait !== undefined) end(wait)
  }

  #lookIn(delayMs: number): void {
    this.#lookAt = this.#clock.monotonic() + delayMs
    this.#timer = this.#clock.after(delayMs, this.#look)
  }

  readonly #look = (): void => {
    this.#timer = undefined
    const now = this.#clock.monotonic()
    const wasBusy = now - this.#lookAt > this.#busyMs && !this.#isSecondLook
    this.#isSecondLook = wasBusy
    if (wasBusy) return this.#lookIn(1)
    const due: Wait[] = []
    for (let first = this.#first(); first !== undefined && first.dueAt <= now; first = this.#first()) {
      due.push(first)
      this.#dropFirst()
    }
    const next = this.#first()
    if (next !== undefined) this.#lookIn(Math.max(1, next.dueAt - now))
    // Last, since what they run may add waits.
    for (const wait of due) end(wait)
  }

  /** The first that is not over. */
  #first(): Wait | undefined {
    this.#forgetOver()
    return this.#waits[this.#head]
  }

  #forgetOver(): void {
    while (this.#waits[this.#head]?.isOver === true) this.#dropFirst()
  }

  #dropFirst(): void {
    this.#waits[this.#head++] = undefined
    if (this.#head === this.#waits.length) this.#waits.length = 0
    else if (this.#head < mostDropped) return
    else this.#waits.splice(0, this.#head)
    this.#head = 0
  }
}

function end(wait: Wait): void {
  if (wait.isOver) return
  wait.isOver = true
  wait.onDue()
}
