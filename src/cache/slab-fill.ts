import type { CacheMemory } from './cache-memory.ts'
import type { Extent, SlabWriter } from './slab-writer.ts'

/** A body on its way into the cache. What is never put into a record is simply dropped with its slab. */
export interface Fill {
  /** Adds a piece; false when it cannot be kept: too long, or no room. Then the fill is over. */
  write(chunk: Buffer): boolean
  /** What was written so far, in order. */
  readonly pieces: readonly Extent[]
}

/** Writes a body into slabs, over as many as it takes. */
export class SlabFill implements Fill {
  readonly pieces: Extent[] = []
  readonly #writer: SlabWriter
  readonly #memory: CacheMemory
  #leftBytes: number

  constructor(writer: SlabWriter, maxBytes: number, memory: CacheMemory) {
    this.#writer = writer
    this.#leftBytes = maxBytes
    this.#memory = memory
  }

  write(chunk: Buffer): boolean {
    this.#leftBytes -= chunk.length
    if (this.#leftBytes < 0) return false
    let from = 0
    while (from < chunk.length) {
      const extent = this.#writer.reserveSome(chunk.length - from)
      if (extent === undefined) {
        this.#memory.count('full')
        return false
      }
      const to = from + extent.length
      chunk.copy(this.#memory.bytes, extent.at, from, to)
      this.#join(extent)
      from = to
    }
    return true
  }

  /** Pieces that lie side by side are one. */
  #join(extent: Extent): void {
    const last = this.pieces.at(-1)
    if (
      last !== undefined &&
      last.slab === extent.slab &&
      last.generation === extent.generation &&
      last.at + last.length === extent.at
    ) {
      last.length += extent.length
    } else {
      this.pieces.push(extent)
    }
  }
}
