const cells = 10

/** How many calls there were in the last `windowMs`, how many failed and how many were slow; exact to a tenth of it. */
export class CallWindow {
  calls = 0
  failures = 0
  slow = 0
  readonly #cellMs: number
  /** Calls, failures and slow calls of each cell. */
  readonly #counts = new Uint32Array(cells * 3)
  #cell = 0

  constructor(windowMs: number) {
    this.#cellMs = windowMs / cells
  }

  add(now: number, isFailure: boolean, isSlow: boolean): void {
    const cell = Math.floor(now / this.#cellMs)
    if (cell !== this.#cell) this.#moveTo(cell)
    const at = (cell % cells) * 3
    this.calls++
    this.#counts[at]++
    if (isFailure) {
      this.failures++
      this.#counts[at + 1]++
    }
    if (isSlow) {
      this.slow++
      this.#counts[at + 2]++
    }
  }

  clear(): void {
    this.#counts.fill(0)
    this.calls = this.failures = this.slow = 0
  }

  #moveTo(cell: number): void {
    for (let next = Math.max(this.#cell + 1, cell - cells + 1); next <= cell; next++) {
      const at = (next % cells) * 3
      this.calls -= this.#counts[at]
      this.failures -= this.#counts[at + 1]
      this.slow -= this.#counts[at + 2]
      this.#counts[at] = this.#counts[at + 1] = this.#counts[at + 2] = 0
    }
    this.#cell = cell
  }
}
