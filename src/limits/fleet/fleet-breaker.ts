import type { Clock } from '../../core/clock.ts'
import { Deadlines, endWait } from '../../core/deadlines.ts'
import { Fault } from '../../core/fault.ts'

/** How often a store that does not answer is tried again. */
const probeMs = 100

/**
 * Stands between requests and the store: whoever waits for longer than the deadline gets `store-down`, and so does at once
 * everybody after that, until the store answers a question of our own in time.
 */
export class FleetBreaker {
  readonly #clock: Clock
  readonly #deadlines: Deadlines
  readonly #probe: () => Promise<unknown>
  #isOpen = false
  #isClosed = false

  constructor(clock: Clock, deadlineMs: number, probe: () => Promise<unknown>) {
    this.#clock = clock
    // Whenever it looks, answers may lie unread: it looks twice.
    this.#deadlines = new Deadlines(clock, deadlineMs, 0)
    this.#probe = probe
  }

  get isOpen(): boolean {
    return this.#isOpen
  }

  /** The answer to what was asked, or `store-down`. `late` is told of an answer that nobody waited for any more. */
  async guard<T>(ask: () => Promise<T>, late?: (answer: T) => void): Promise<T> {
    if (this.#isOpen) throw storeDown()
    try {
      return await this.#within(ask, late)
    } catch (thrown) {
      this.#open()
      throw thrown instanceof Fault && thrown.code === 'store-down' ? thrown : storeDown(thrown)
    }
  }

  close(): void {
    this.#isClosed = true
  }

  #within<T>(ask: () => Promise<T>, late?: (answer: T) => void): Promise<T> {
    return new Promise((resolve, reject) => {
      const wait = this.#deadlines.add(() => reject(storeDown()))
      ask().then(
        (answer) => {
          if (wait.isOver) {
            late?.(answer)
            return undefined
          }
          endWait(wait)
          resolve(answer)
          return undefined
        },
        (thrown: unknown) => {
          endWait(wait)
          reject(thrown)
        },
      )
    })
  }

  #open(): void {
    if (this.#isOpen) return
    this.#isOpen = true
    // A store that was late once answers now.
    this.#tryAgain()
  }

  readonly #tryAgain = (): void => {
    if (this.#isClosed) return
    this.#within(this.#probe).then(
      () => {
        this.#isOpen = false
        return undefined
      },
      () => void this.#clock.after(probeMs, this.#tryAgain),
    )
  }
}

/** What everybody gets while the store does not answer. */
export function storeDown(cause?: unknown): Fault {
  return new Fault('store-down', 'the store of the limits does not answer', { cause })
}
