import type { Labels, Meter } from '../../src/core/meter.ts'

/** Counts by reason or kind, so that tests can see what was counted. */
export class WaitingMeter implements Meter {
  readonly counts = new Map<string, number>()
  #waiting: (() => void)[] = []

  counter(_name: string, _help: string, labels: Labels = {}) {
    const key = labels['reason'] ?? `resumed ${labels['resumed']}`
    return {
      add: (n = 1) => {
        this.counts.set(key, (this.counts.get(key) ?? 0) + n)
        for (const run of this.#waiting.splice(0)) run()
      },
    }
  }
  gauge() {
    return { add() {} }
  }
  histogram() {
    return { observe() {} }
  }
  async until(key: string, count: number): Promise<void> {
    while ((this.counts.get(key) ?? 0) < count) await new Promise<void>((run) => this.#waiting.push(run))
  }
}
