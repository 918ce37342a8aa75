import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Backlog } from './backlog.ts'

test('keeps every byte in order, whatever is added and used', () => {
  const step = fc.tuple(fc.uint8Array({ maxLength: 1500 }), fc.nat({ max: 2000 }))
  fc.assert(
    fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
      const backlog = new Backlog(1)
      let expected = Buffer.alloc(0)
      for (const [added, used] of steps) {
        const from = Buffer.concat([Buffer.from('xx'), added, Buffer.from('yy')])
        backlog.append(from, 2, from.length - 2)
        expected = Buffer.concat([expected, added])
        assert.deepEqual(backlog.bytes.subarray(backlog.start, backlog.end), expected)
        const take = Math.min(used, backlog.length)
        backlog.start += take
        expected = expected.subarray(take)
      }
      assert.equal(backlog.length, expected.length)
    }),
  )
})

test('does not grow while what is used makes room', () => {
  const backlog = new Backlog(1)
  const piece = Buffer.alloc(300)
  for (let i = 0; i < 100; i++) {
    backlog.append(piece, 0, 300)
    backlog.start += 300
  }
  assert.equal(backlog.bytes.length, 512)
})
