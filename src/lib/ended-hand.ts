/**
 * Goes round a map, a few entries at a time, and deletes those that have ended: what nobody asks for any more would otherwise
 * stay until there is no room. With four looks for each new entry, what has ended makes up about a third of the map at most.
 */
export class EndedHand<K, V> {
  readonly #map: Map<K, V>
  #entries: MapIterator<[K, V]> | undefined

  constructor(map: Map<K, V>) {
    this.#map = map
  }

  /** Looks at `looks` entries, or at fewer where the round ends. `deleted` hears of each that went. */
  sweep(looks: number, hasEnded: (value: V) => boolean, deleted?: (value: V) => void): void {
    if (this.#map.size === 0) return
    for (let looked = 0; looked < looks; looked++) {
      this.#entries ??= this.#map.entries()
      const { value: entry, done } = this.#entries.next()
      if (done === true) return void (this.#entries = undefined)
      if (!hasEnded(entry[1])) continue
      this.#map.delete(entry[0])
      deleted?.(entry[1])
    }
  }
}
