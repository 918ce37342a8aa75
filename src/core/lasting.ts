/** Something with an end. */
export interface Closable {
  close(): void
}

interface Held {
  thing: Closable
  holders: number
}

/**
 * What outlives a Generation: connection pools, tables, verified tokens. Each Generation takes what it needs by key;
 * the thing is made on first use, shared by its successors, and closed when the last Generation that took it lets go.
 * A key must say everything the thing depends on, so that a changed setting makes a new thing.
 */
export class Lasting {
  readonly #held = new Map<string, Held>()

  /** One Generation's hold on lasting things. */
  hold(): Hold {
    return new Hold(this.#held)
  }

  get size(): number {
    return this.#held.size
  }
}

export class Hold implements Closable {
  readonly #held: Map<string, Held>
  readonly #mine = new Set<string>()

  constructor(held: Map<string, Held>) {
    this.#held = held
  }

  /** The thing under `key`, made by `make` when nobody holds one yet. Taking twice is harmless. */
  take<T extends Closable>(key: string, make: () => T): T {
    let held = this.#held.get(key)
    if (held === undefined) {
      held = { thing: make(), holders: 0 }
      this.#held.set(key, held)
    }
    if (!this.#mine.has(key)) {
      this.#mine.add(key)
      held.holders++
    }
    return held.thing as T
  }

  /** A further hold on the same things, with an end of its own. */
  another(): Hold {
    return new Hold(this.#held)
  }

  /** Lets go of everything taken; what nobody else holds is closed. */
  close(): void {
    for (const key of this.#mine) {
      const held = this.#held.get(key)!
      if (--held.holders === 0) {
        this.#held.delete(key)
        held.thing.close()
      }
    }
    this.#mine.clear()
  }
}
