import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Gather } from './gather.ts'

function spread(length: number, from = 0): Buffer {
  return Buffer.from(Array.from({ length }, (_, i) => (from + i) % 251))
}

for (const sizes of [
  [],
  [0],
  [5],
  [1, 2, 3],
  Array.from({ length: 40 }, (_, i) => i * 1000),
  Array.from({ length: 70_000 }, () => 1),
])
  test(`${sizes.length} pieces come out as they went in`, () => {
    const gather = new Gather()
    let total = 0
    for (const size of sizes) {
      gather.add(spread(size, total))
      total += size
    }
    assert.equal(gather.length, total)
    assert.deepEqual(gather.join(), spread(total))
    assert.equal(gather.length, 0)
    gather.add(Buffer.from('next'))
    assert.equal(gather.join(Buffer.from('the ')).toString(), 'the next')
  })

test('a million single bytes, each cut from a page of its own, are kept in little more than themselves', () => {
  const gather = new Gather()
  const page = Buffer.alloc(64, 7)
  for (let i = 0; i < 1_000_000; i++) gather.add(page.subarray(0, 1))
  const pieces = gather.pieces()
  assert.ok(pieces.length < 64, `${pieces.length} pieces`)
  const held = new Set(pieces.map(({ buffer }) => buffer))
  const bytes = [...held].reduce((sum, { byteLength }) => sum + byteLength, 0)
  assert.ok(bytes < 2.2 * 1_000_000, `${bytes} bytes`)
  assert.equal(
    pieces.reduce((sum, { length }) => sum + length, 0),
    1_000_000,
  )
})
