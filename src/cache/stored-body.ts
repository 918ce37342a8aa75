import type { Chunk, End } from '../core/body.ts'
import { END, StreamBody } from '../core/body.ts'
import { Fault } from '../core/fault.ts'
import type { CacheMemory } from './cache-memory.ts'
import type { Extent } from './slab-writer.ts'

/** Up to here a body is copied at once; a longer one is copied piece by piece as its reader takes it. */
export const copiedBytes = 256 * 1024
const pieceBytes = 64 * 1024

/** Whether all pieces still lie where they were written. */
export function areThere(memory: CacheMemory, pieces: readonly Extent[]): boolean {
  for (const { slab, generation } of pieces) if (memory.generation(slab) !== generation) return false
  return true
}

/**
 * Copies `length` bytes from `first` on out of the pieces; undefined when one was dropped meanwhile. The copy has memory of its
 * own: a slice of the pool of Node.js would hold 64 KiB for as long as it is kept.
 */
export function copyOut(memory: CacheMemory, pieces: readonly Extent[], first: number, length: number): Buffer | undefined {
  const copy = Buffer.allocUnsafeSlow(length)
  let skip = first
  let written = 0
  for (const piece of pieces) {
    if (written === length) break
    if (skip >= piece.length) {
      skip -= piece.length
      continue
    }
    const take = Math.min(piece.length - skip, length - written)
    memory.bytes.copy(copy, written, piece.at + skip, piece.at + skip + take)
    written += take
    skip = 0
  }
  for (const { slab, generation } of pieces) if (!memory.wasStill(slab, generation)) return undefined
  return written === length ? copy : undefined
}

/** A long stored body, read as it is asked for. Its slabs are kept from being dropped until the end or until nobody reads. */
export class StoredBody extends StreamBody {
  readonly #memory: CacheMemory
  readonly #pieces: readonly Extent[]
  readonly #end: number
  #at: number
  #isPinned = true

  /** The bytes from `first` to before `end`; undefined when they are no longer there. */
  static of(memory: CacheMemory, pieces: readonly Extent[], first: number, end: number): StoredBody | undefined {
    let pinned = 0
    while (pinned < pieces.length && memory.pin(pieces[pinned].slab)) pinned++
    if (pinned === pieces.length && areThere(memory, pieces)) return new StoredBody(memory, pieces, first, end)
    while (pinned > 0) memory.unpin(pieces[--pinned].slab)
    return undefined
  }

  private constructor(memory: CacheMemory, pieces: readonly Extent[], first: number, end: number) {
    super(end - first)
    this.#memory = memory
    this.#pieces = pieces
    this.#at = first
    this.#end = end
  }

  trailers(): undefined {
    return undefined
  }

  protected read(): Chunk | End {
    const length = Math.min(pieceBytes, this.#end - this.#at)
    if (length <= 0 || !this.#isPinned) {
      this.#unpin()
      return END
    }
    const chunk = copyOut(this.#memory, this.#pieces, this.#at, length)
    if (chunk === undefined) {
      this.#unpin()
      throw new Fault('internal', 'a stored answer was dropped while it was read')
    }
    this.#at += length
    if (this.#at >= this.#end) this.#unpin()
    return chunk
  }

  protected stop(): void {
    this.#at = this.#end
    this.#unpin()
  }

  #unpin(): void {
    if (!this.#isPinned) return
    this.#isPinned = false
    for (const { slab } of this.#pieces) this.#memory.unpin(slab)
  }
}
