/** Thrown, always the same, where bytes are anything but what an ordinary writer of Protocol Buffers makes. */
export const notPlain = new Error('these bytes need the long way')

/** Wire types of Protocol Buffers; groups are not plain. */
export const wire = { varint: 0, bits64: 1, delimited: 2, bits32: 5 } as const

/**
 * A place in the bytes of a message. It reads only what is canonical and whole, and throws `notPlain` for the rest, so
 * that whoever decides what becomes of odd bytes need not agree with it.
 */
export class WireCursor {
  bytes: Buffer
  at: number
  /** No read goes beyond it. */
  end: number
  /** The halves of the varint that was read last. */
  low = 0
  high = 0

  constructor(bytes: Buffer) {
    this.bytes = bytes
    this.at = 0
    this.end = bytes.length
  }

  /** Reads up to 64 bits into `low` and `high`, both signed. */
  varint(): void {
    const { bytes } = this
    let { at } = this
    let byte = bytes[at++]
    let low = byte & 0x7f
    let high = 0
    if (byte >= 0x80) {
      for (let shift = 7; ; shift += 7) {
        byte = bytes[at++]
        if (shift < 28) low |= (byte & 0x7f) << shift
        else if (shift === 28) {
          low |= (byte & 0x0f) << 28
          high = (byte & 0x70) >> 4
        } else high |= (byte & 0x7f) << (shift - 32)
        if (byte < 0x80) {
          // The tenth byte has room for one bit.
          if (shift === 63 && byte > 1) throw notPlain
          break
        }
        if (shift === 63 || at > this.end) throw notPlain
      }
    }
    if (at > this.end) throw notPlain
    this.at = at
    this.low = low
    this.high = high
  }

  /** The next tag as one number: the field's, times eight, and the wire type. */
  tag(): number {
    const start = this.at
    this.varint()
    // Five bytes hold every tag; a longer spelling is none to other readers.
    if (this.high !== 0 || this.low < 8 || this.at - start > 5) throw notPlain
    return this.low
  }

  /** Reads the length of what follows and gives the place where that ends. */
  block(): number {
    this.varint()
    const length = this.low
    if (this.high !== 0 || length < 0 || length > this.end - this.at) throw notPlain
    return this.at + length
  }

  /** Takes so many bytes of fixed length, and gives the place where they begin. */
  fixed(length: 4 | 8): number {
    const start = this.at
    if (length > this.end - start) throw notPlain
    this.at = start + length
    return start
  }

  /** Passes over a field that nobody knows. */
  skip(wireType: number): void {
    if (wireType === wire.varint) this.varint()
    else if (wireType === wire.delimited) this.at = this.block()
    else if (wireType === wire.bits64) this.fixed(8)
    else if (wireType === wire.bits32) this.fixed(4)
    else throw notPlain
  }
}
