import { randomFillSync } from 'node:crypto'

/** A secret of 64 bits for `KeyedHash`. */
export type HashKey = readonly [number, number]

/** A fresh secret. */
export function randomHashKey(): HashKey {
  const words = randomFillSync(new Int32Array(2))
  return [words[0], words[1]]
}

/**
 * HalfSipHash-1-3 with 64 bits of output (Aumasson, Bernstein; the 32-bit sibling of what Linux and Rust use for hash
 * tables): who does not know the key can neither find two texts that collide nor choose where one lands. A text of
 * latin1 is hashed as its bytes, any other as its UTF-16 code units under another initial state, so no two texts share an
 * input. The result stands in `hi` and `lo` until the next call: no allocation.
 */
export class KeyedHash {
  hi = 0
  lo = 0
  readonly #k0: number
  readonly #k1: number

  constructor(key: HashKey) {
    this.#k0 = key[0] | 0
    this.#k1 = key[1] | 0
  }

  /** A key for one purpose, that says nothing of this one. */
  derive(purpose: string): HashKey {
    this.hash(purpose)
    return [this.hi, this.lo]
  }

  hash(text: string): void {
    if (!this.#latin1(text)) this.#wide(text)
  }

  /** False, without a result, when a character is beyond latin1. */
  #latin1(text: string): boolean {
    const length = text.length
    let v0 = this.#k0
    let v1 = this.#k1 ^ 0xee
    let v2 = this.#k0 ^ 0x6c796765
    let v3 = this.#k1 ^ 0x74656462
    let seen = 0
    let i = 0
    for (; i + 4 <= length; i += 4) {
      const a = text.charCodeAt(i)
      const b = text.charCodeAt(i + 1)
      const c = text.charCodeAt(i + 2)
      const d = text.charCodeAt(i + 3)
      seen |= a | b | c | d
      const m = a | (b << 8) | (c << 16) | (d << 24)
      v3 ^= m
      v0 = (v0 + v1) | 0
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0
      v0 = (v0 << 16) | (v0 >>> 16)
      v2 = (v2 + v3) | 0
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2
      v0 = (v0 + v3) | 0
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0
      v2 = (v2 + v1) | 0
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2
      v2 = (v2 << 16) | (v2 >>> 16)
      v0 ^= m
    }
    let last = length << 24
    for (let shift = 0; i < length; i++, shift += 8) {
      const code = text.charCodeAt(i)
      seen |= code
      last |= code << shift
    }
    if (seen > 0xff) return false
    this.#finish(v0, v1, v2, v3, last)
    return true
  }

  #wide(text: string): void {
    const length = text.length
    let v0 = this.#k0 ^ 0x65646977
    let v1 = this.#k1 ^ 0xee
    let v2 = this.#k0 ^ 0x6c796765
    let v3 = this.#k1 ^ 0x74656462
    let i = 0
    for (; i + 2 <= length; i += 2) {
      const m = text.charCodeAt(i) | (text.charCodeAt(i + 1) << 16)
      v3 ^= m
      v0 = (v0 + v1) | 0
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0
      v0 = (v0 << 16) | (v0 >>> 16)
      v2 = (v2 + v3) | 0
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2
      v0 = (v0 + v3) | 0
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0
      v2 = (v2 + v1) | 0
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2
      v2 = (v2 << 16) | (v2 >>> 16)
      v0 ^= m
    }
    const rest = i < length ? text.charCodeAt(i) : 0
    this.#finish(v0, v1, v2, v3, (length << 25) | rest)
  }

  #finish(v0: number, v1: number, v2: number, v3: number, last: number): void {
    v3 ^= last
    for (let round = 0; round < 7; round++) {
      // One round for the last word, three for the first half of the output, three for the second.
      if (round === 1) {
        v0 ^= last
        v2 ^= 0xee
      } else if (round === 4) {
        this.lo = v1 ^ v3
        v1 ^= 0xdd
      }
      v0 = (v0 + v1) | 0
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0
      v0 = (v0 << 16) | (v0 >>> 16)
      v2 = (v2 + v3) | 0
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2
      v0 = (v0 + v3) | 0
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0
      v2 = (v2 + v1) | 0
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2
      v2 = (v2 << 16) | (v2 >>> 16)
    }
    this.hi = v1 ^ v3
  }
}
