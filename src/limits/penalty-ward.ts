import type { Clock, Timer } from '../core/clock.ts'
import type { Closable } from '../core/lasting.ts'
import type { Link } from '../core/link.ts'
import type { Log } from '../core/log.ts'
import type { PenaltyChange } from './penalty-list.ts'
import { PenaltyList } from './penalty-list.ts'
import { penaltyTopics, RefusalReporter } from './penalty-reporter.ts'
import type { Penalty } from './penalty-spec.ts'

const sweepMs = 10_000
const retryMs = 500

/** A worker's part in penalties: who is boxed, as main says, and what main is told of refusals. Outlives Generations. */
export class PenaltyWard implements Closable {
  readonly list = new PenaltyList()
  readonly reporter: RefusalReporter
  /** Resolves when everybody is known who was boxed before. */
  readonly ready: Promise<void>
  readonly #link: Link
  readonly #clock: Clock
  readonly #log: Log
  readonly #stop: () => void
  #sweep: Timer | undefined
  #isClosed = false

  constructor(link: Link, clock: Clock, log: Log) {
    this.#link = link
    this.#clock = clock
    this.#log = log
    this.reporter = new RefusalReporter(link, clock)
    // Changes before the snapshot are part of it, and those behind it come behind it: main speaks through one line.
    this.#stop = link.hear(penaltyTopics.changes, (changes) => {
      for (const change of changes as readonly PenaltyChange[]) this.list.apply(change)
    })
    this.ready = this.#load()
    this.#sweepLater()
  }

  close(): void {
    this.#isClosed = true
    this.#stop()
    this.#sweep?.cancel()
    this.reporter.close()
  }

  async #load(): Promise<void> {
    while (!this.#isClosed) {
      try {
        const boxed = (await this.#link.ask(penaltyTopics.snapshot, undefined)) as readonly Penalty[]
        this.list.clear()
        for (const penalty of boxed) this.list.apply({ kind: 'boxed', penalty })
        return
      } catch (error) {
        if (this.#isClosed) return
        this.#log.warn('who is in the penalty box cannot be learned yet', { error })
        await new Promise<void>((resolve) => void this.#clock.after(retryMs, resolve))
      }
    }
  }

  #sweepLater(): void {
    this.#sweep = this.#clock.after(sweepMs, () => {
      this.list.sweep(this.#clock.now())
      this.#sweepLater()
    })
  }
}
