/** So many pieces are kept as they came; a message seldom has more. */
const keptAsTheyCome = 32
const smallestBlock = 16_384
const largestBlock = 1_048_576

/**
 * Pieces of a body on their way to be one. A Buffer takes some hundred bytes besides its content, and may hold what it was cut
 * from: whoever sends single bytes could make a gateway keep a hundred times what it counts. So beyond the first few, pieces are
 * copied together as they come, which takes at most about twice the content.
 */
export class Gather {
  /** Bytes so far. */
  length = 0
  #pieces: Buffer[] = []
  #block: Buffer | undefined = undefined
  #used = 0

  add(piece: Buffer): void {
    this.length += piece.length
    if (this.#block === undefined && this.#pieces.length < keptAsTheyCome) this.#pieces.push(piece)
    else if (piece.length > 0) this.#copy(piece)
  }

  /** All of it in order, in few pieces. Whoever takes them must not add to it again. */
  pieces(): Buffer[] {
    if (this.#block !== undefined) this.#pieces.push(this.#block.subarray(0, this.#used))
    this.#block = undefined
    return this.#pieces
  }

  /** All of it in one piece, after `first`; it is empty again then. */
  join(first?: Buffer): Buffer {
    const pieces = this.pieces()
    const whole =
      first === undefined
        ? pieces.length === 1
          ? pieces[0]
          : Buffer.concat(pieces, this.length)
        : Buffer.concat([first, ...pieces], first.length + this.length)
    this.length = 0
    this.#pieces = []
    return whole
  }

  #copy(piece: Buffer): void {
    let from = 0
    while (from < piece.length) {
      if (this.#block === undefined || this.#used === this.#block.length) this.#open()
      const block = this.#block!
      const taken = Math.min(piece.length - from, block.length - this.#used)
      block.set(from === 0 && taken === piece.length ? piece : piece.subarray(from, from + taken), this.#used)
      this.#used += taken
      from += taken
    }
  }

  /** Another block, as large as all that came: few are needed, however long it becomes. */
  #open(): void {
    if (this.#block !== undefined) this.#pieces.push(this.#block)
    this.#block = Buffer.allocUnsafeSlow(Math.min(Math.max(this.length, smallestBlock), largestBlock))
    this.#used = 0
  }
}
