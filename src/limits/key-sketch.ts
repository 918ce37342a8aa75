/** A key and how much of it was seen, give or take. */
export interface KeyCount {
  readonly key: string
  readonly count: number
}

interface Counter {
  key: string
  count: number
}

/**
 * The heaviest keys of a stream in bounded memory (Space-Saving; Metwally, Agrawal, El Abbadi 2005): whatever has more
 * than 1/capacity of the whole is in it, and no count is too low; it may be too high by what the lightest had when it
 * took its place.
 */
export class KeySketch {
  readonly #capacity: number
  readonly #counters = new Map<string, Counter>()

  constructor(capacity = 64) {
    this.#capacity = capacity
  }

  get isEmpty(): boolean {
    return this.#counters.size === 0
  }

  add(key: string, amount: number): void {
    const counter = this.#counters.get(key)
    if (counter !== undefined) counter.count += amount
    else if (this.#counters.size < this.#capacity) this.#counters.set(key, { key, count: amount })
    else this.#replaceLightest(key, amount)
  }

  /** The heaviest first, at most `count` of them. */
  heaviest(count: number): KeyCount[] {
    return [...this.#counters.values()]
      .toSorted((a, b) => b.count - a.count)
      .slice(0, count)
      .map(({ key, count: seen }) => ({ key, count: seen }))
  }

  /** Multiplies all counts, so that what was long ago weighs less; drops what has become less than a half. */
  fade(factor: number): void {
    for (const [key, counter] of this.#counters) {
      counter.count *= factor
      if (counter.count < 0.5) this.#counters.delete(key)
    }
  }

  #replaceLightest(key: string, amount: number): void {
    let lightest: Counter | undefined
    for (const counter of this.#counters.values()) {
      if (lightest === undefined || counter.count < lightest.count) lightest = counter
    }
    if (lightest === undefined) return
    this.#counters.delete(lightest.key)
    lightest.key = key
    lightest.count += amount
    this.#counters.set(key, lightest)
  }
}
