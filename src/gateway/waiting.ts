/** What has to be known before the first request. */
export class Waiting {
  readonly #parts: Promise<void>[] = []

  push(part: Promise<void> | undefined): void {
    if (part === undefined) return
    // It may fail before anybody waits for all: whoever waits is told.
    part.catch(() => {})
    this.#parts.push(part)
  }

  get all(): Promise<void> {
    return Promise.all(this.#parts).then(() => undefined)
  }
}
