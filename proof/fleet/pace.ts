/** Does things so many times a second, whether or not the ones before are done. */
export class Pace {
  readonly #underWay = new Set<Promise<void>>()
  readonly #timers: NodeJS.Timeout[] = []

  every(ms: number, run: () => Promise<void>): void {
    this.#timers.push(
      setInterval(() => {
        const done = run().finally(() => void this.#underWay.delete(done))
        this.#underWay.add(done)
      }, ms),
    )
  }

  /** Begins nothing more; resolves when all is done. */
  async stop(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer)
    await Promise.all(this.#underWay)
  }
}
