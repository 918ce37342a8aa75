/** Numbers in front of a slot's state: the sequence number of its limit's record, and when the slot may be taken. */
const head = 2

export interface RegionShape {
  readonly stripes: number
  readonly slotsPerStripe: number
  /** Slots at the end of each stripe that only overflow budgets may use. */
  readonly reserved: number
  readonly stateLength: number
}

/**
 * A part of the table: stripes of slots with open addressing inside a stripe, so that one lock covers a whole probe. A
 * slot is never emptied and never moved, only taken over once its budget is whole again; so a worker that dies halfway
 * through leaves nothing that another could misread.
 *
 * All methods need the stripe's lock. Tags are the 64-bit keyed hash of limit and key.
 */
export class SlotRegion {
  readonly stripes: number
  readonly stateLength: number
  /** State of slot `i` begins at `stateAt(i)`. */
  readonly rows: Float64Array
  readonly #tags: Int32Array
  readonly #slots: number
  readonly #usable: number
  readonly #rowLength: number

  constructor(buffer: SharedArrayBuffer, byteOffset: number, shape: RegionShape) {
    const count = shape.stripes * shape.slotsPerStripe
    this.stripes = shape.stripes
    this.stateLength = shape.stateLength
    this.#slots = shape.slotsPerStripe
    this.#usable = shape.slotsPerStripe - shape.reserved
    this.#rowLength = head + shape.stateLength
    this.rows = new Float64Array(buffer, byteOffset, count * this.#rowLength)
    this.#tags = new Int32Array(buffer, byteOffset + this.rows.byteLength, count * 2)
  }

  static bytes(shape: RegionShape): number {
    return shape.stripes * shape.slotsPerStripe * ((head + shape.stateLength) * 8 + 8)
  }

  stripeOf(hi: number): number {
    return Math.floor(((hi >>> 0) / 4294967296) * this.stripes)
  }

  stateAt(slot: number): number {
    return slot * this.#rowLength + head
  }

  record(slot: number): number {
    return this.rows[slot * this.#rowLength]
  }

  setRecord(slot: number, sequence: number): void {
    this.rows[slot * this.#rowLength] = sequence
  }

  wholeAt(slot: number): number {
    return this.rows[slot * this.#rowLength + 1]
  }

  setWholeAt(slot: number, time: number): void {
    this.rows[slot * this.#rowLength + 1] = time
  }

  /** The slot of this tag, or -1. */
  find(stripe: number, hi: number, lo: number): number {
    return this.#find(stripe * this.#slots, this.#usable, hi, lo)
  }

  /** A slot for a tag that has none, with a state of zeros: one never used, or one whose budget is whole; -1 if none is. */
  claim(stripe: number, hi: number, lo: number, now: number): number {
    return this.#claim(stripe * this.#slots, this.#usable, hi, lo, now)
  }

  /** Where `claim` would go; -1 if nowhere. */
  vacancy(stripe: number, lo: number, now: number): number {
    return this.#vacancy(stripe * this.#slots, this.#usable, lo, now)
  }

  /** The same among the slots reserved for overflow. */
  findReserved(stripe: number, hi: number, lo: number): number {
    return this.#find(stripe * this.#slots + this.#usable, this.#slots - this.#usable, hi, lo)
  }

  claimReserved(stripe: number, hi: number, lo: number, now: number): number {
    return this.#claim(stripe * this.#slots + this.#usable, this.#slots - this.#usable, hi, lo, now)
  }

  /** Visits every slot of a stripe that was ever used. */
  forEach(stripe: number, visit: (slot: number, hi: number, lo: number) => void): void {
    const first = stripe * this.#slots
    for (let slot = first; slot < first + this.#slots; slot++) {
      const lo = this.#tags[slot * 2 + 1]
      if (lo !== 0) visit(slot, this.#tags[slot * 2], lo)
    }
  }

  #find(first: number, count: number, hi: number, lo: number): number {
    const tags = this.#tags
    const wanted = lo | 1
    let i = homeOf(lo, count)
    for (let probes = 0; probes < count; probes++) {
      const at = (first + i) * 2
      const tag = tags[at + 1]
      if (tag === wanted && tags[at] === hi) return first + i
      if (tag === 0) return -1
      if (++i === count) i = 0
    }
    return -1
  }

  #vacancy(first: number, count: number, lo: number, now: number): number {
    let i = homeOf(lo, count)
    for (let probes = 0; probes < count; probes++) {
      const slot = first + i
      if (this.#tags[slot * 2 + 1] === 0 || this.wholeAt(slot) <= now) return slot
      if (++i === count) i = 0
    }
    return -1
  }

  #claim(first: number, count: number, hi: number, lo: number, now: number): number {
    const slot = this.#vacancy(first, count, lo, now)
    if (slot === -1) return -1
    const at = this.stateAt(slot)
    // Order matters to a death in between: the old tag over zeros is still a whole budget, as it was.
    this.rows.fill(0, at, at + this.stateLength)
    this.setRecord(slot, 0)
    this.#tags[slot * 2] = hi
    this.#tags[slot * 2 + 1] = lo | 1
    // Not to be taken again by another level of the same step.
    this.setWholeAt(slot, now + 1)
    return slot
  }
}

// The stripe comes from `hi`, so the place in it must come from bits of `lo`; its lowest bit is always set in a tag.
function homeOf(lo: number, count: number): number {
  return ((lo >>> 16) * count) >>> 16
}
