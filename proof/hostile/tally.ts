import { quantile } from '../../bench/support/table.ts'
import type { Seen } from './messages.ts'

/** Latencies and losses of one kind of traffic. */
export class Tally {
  readonly #latencies: number[] = []
  readonly #failures = new Map<string, number>()

  /** One request is over: so many milliseconds after it was due; `failure` says why it has no good answer. */
  add(ms: number, failure: string | undefined): void {
    if (failure === undefined) this.#latencies.push(ms)
    else this.#failures.set(failure, (this.#failures.get(failure) ?? 0) + 1)
  }

  seen(): Seen {
    const sorted = this.#latencies.toSorted((a, b) => a - b)
    const lost = [...this.#failures.values()].reduce((sum, count) => sum + count, 0)
    const reasons = [...this.#failures].sort((a, b) => b[1] - a[1]).map(([reason, count]) => `${count} × ${reason}`)
    return { requests: sorted.length + lost, lost, reasons, p50: quantile(sorted, 0.5), p99: quantile(sorted, 0.99) }
  }
}
