import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { HashKey } from './keyed-hash.ts'
import { KeyedHash, randomHashKey } from './keyed-hash.ts'

const rotate = (x: number, by: number): number => (x << by) | (x >>> (32 - by))

/** HalfSipHash-c-d with 64 bits of output, word by word as its paper has it. */
function halfSipHash(bytes: Uint8Array, [k0, k1]: HashKey, c: number, d: number): [lo: number, hi: number] {
  const v = [k0, k1 ^ 0xee, 0x6c796765 ^ k0, 0x74656462 ^ k1]
  const rounds = (count: number): void => {
    for (let i = 0; i < count; i++) {
      v[0] = (v[0] + v[1]) | 0
      v[1] = rotate(v[1], 5) ^ v[0]
      v[0] = rotate(v[0], 16)
      v[2] = (v[2] + v[3]) | 0
      v[3] = rotate(v[3], 8) ^ v[2]
      v[0] = (v[0] + v[3]) | 0
      v[3] = rotate(v[3], 7) ^ v[0]
      v[2] = (v[2] + v[1]) | 0
      v[1] = rotate(v[1], 13) ^ v[2]
      v[2] = rotate(v[2], 16)
    }
  }
  const words: number[] = []
  for (let i = 0; i + 4 <= bytes.length; i += 4)
    words.push(bytes[i] | (bytes[i + 1] << 8) | (bytes[i + 2] << 16) | (bytes[i + 3] << 24))
  let last = bytes.length << 24
  const tail = bytes.length & ~3
  for (let i = tail; i < bytes.length; i++) last |= bytes[i] << (8 * (i - tail))
  for (const m of [...words, last]) {
    v[3] ^= m
    rounds(c)
    v[0] ^= m
  }
  v[2] ^= 0xee
  rounds(d)
  const lo = v[1] ^ v[3]
  v[1] ^= 0xdd
  rounds(d)
  return [lo, v[1] ^ v[3]]
}

// HalfSipHash-2-4, 64 bits, key 00…07, of the bytes 00 01 02 … of length 0 to 6: from its authors' reference (CC0).
const published = [
  '218d1f59b9b83cc8',
  'be552412f8387315',
  '064f39ef7c50eb57',
  'ce0f1a45f7060679',
  'd5e78a175be52ea1',
  'cb9d7c3f2f3db580',
  'ce3e91358aa2bc25',
]

function hex([lo, hi]: readonly [number, number]): string {
  const bytes = Buffer.alloc(8)
  bytes.writeInt32LE(lo, 0)
  bytes.writeInt32LE(hi, 4)
  return bytes.toString('hex')
}

function hashOf(text: string, key: HashKey): [lo: number, hi: number] {
  const hash = new KeyedHash(key)
  hash.hash(text)
  return [hash.lo, hash.hi]
}

const anyKey = fc.tuple(fc.integer(), fc.integer())
const latin1 = fc.string({ unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)), maxLength: 300 })

describe('a keyed hash', () => {
  it('has a reference that agrees with the published vectors', () => {
    for (const [length, expected] of published.entries()) {
      assert.equal(
        hex(
          halfSipHash(
            Uint8Array.from({ length }, (_, i) => i),
            [0x03020100, 0x07060504],
            2,
            4,
          ),
        ),
        expected,
      )
    }
  })

  it('of a latin1 text is HalfSipHash-1-3 of its bytes', () => {
    fc.assert(
      fc.property(latin1, anyKey, (text, key) => {
        assert.deepEqual(hashOf(text, key), halfSipHash(Buffer.from(text, 'latin1'), key, 1, 3))
      }),
    )
  })

  it('differs for different texts and different keys', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), anyKey, anyKey, (a, b, key, other) => {
        assert.deepEqual(hashOf(a, key), hashOf(a, key))
        if (a !== b) assert.notDeepEqual(hashOf(a, key), hashOf(b, key))
        if (key[0] !== other[0] || key[1] !== other[1]) assert.notDeepEqual(hashOf(a, key), hashOf(a, other))
      }),
    )
  })

  it('tells a wide text from the latin1 text of the same bytes', () => {
    const wide = '\u4142\u4344'
    assert.notDeepEqual(hashOf(wide, [1, 2]), hashOf(Buffer.from(wide, 'utf16le').toString('latin1'), [1, 2]))
    assert.notDeepEqual(hashOf('\u0141', [1, 2]), hashOf('A\u0001', [1, 2]))
  })

  it('spreads similar texts evenly over both halves', () => {
    const counts = [new Uint32Array(64), new Uint32Array(64)]
    const hash = new KeyedHash([123456789, -987654321])
    for (let i = 0; i < 64_000; i++) {
      hash.hash(`10.0.${i >> 8}.${i & 255}`)
      counts[0][hash.hi >>> 26]++
      counts[1][hash.lo >>> 26]++
    }
    // A thousand each on average, with a standard deviation of 32.
    for (const half of counts) for (const count of half) assert.ok(count > 800 && count < 1200)
  })

  it('derives keys that differ by purpose', () => {
    const hash = new KeyedHash([1, 2])
    assert.notDeepEqual(hash.derive('a'), hash.derive('b'))
    assert.deepEqual(hash.derive('a'), hash.derive('a'))
  })

  it('has a fresh secret each time', () => {
    assert.notDeepEqual(randomHashKey(), randomHashKey())
  })
})
