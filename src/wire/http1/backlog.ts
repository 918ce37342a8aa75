const smallest = 512

/** Received bytes that nobody could use yet: the start of a head, or requests sent ahead. Grows as needed. */
export class Backlog {
  bytes: Buffer
  start = 0
  end = 0

  constructor(length: number) {
    this.bytes = Buffer.allocUnsafeSlow(Math.max(smallest, length))
  }

  get length(): number {
    return this.end - this.start
  }

  /** Copies `from[start..end)` behind what is there; moves what is there to another place. */
  append(from: Buffer, start: number, end: number): void {
    const added = end - start
    if (this.end + added > this.bytes.length) this.#makeRoom(added)
    from.copy(this.bytes, this.end, start, end)
    this.end += added
  }

  #makeRoom(added: number): void {
    const kept = this.length
    const needed = kept + added
    const roomier = needed > this.bytes.length ? Buffer.allocUnsafeSlow(needed * 2) : this.bytes
    this.bytes.copy(roomier, 0, this.start, this.end)
    this.bytes = roomier
    this.start = 0
    this.end = kept
  }
}
