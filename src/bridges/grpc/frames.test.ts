import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { FrameReader, framed } from './frames.ts'

suite('frames', () => {
  test('messages come out whole, wherever their bytes are cut', () => {
    const frames = fc.array(fc.tuple(fc.uint8Array({ maxLength: 40 }), fc.constantFrom(0, 1, 128)), { maxLength: 8 })
    fc.assert(
      fc.property(frames, fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1 }), (messages, cuts) => {
        const bytes = Buffer.concat(messages.map(([message, flag]) => framed(message, flag)))
        const reader = new FrameReader(1000)
        const got: [number, string][] = []
        for (let at = 0, i = 0; at < bytes.length; i++) {
          const end = at + cuts[i % cuts.length]
          reader.add(bytes.subarray(at, end))
          at = end
          for (let frame = reader.next(); frame !== undefined; frame = reader.next())
            got.push([frame.flag, frame.content.toString('hex')])
        }
        assert.deepEqual(
          got,
          messages.map(([message, flag]) => [flag, Buffer.from(message).toString('hex')]),
        )
        assert.ok(reader.isBetween)
      }),
    )
  })

  test('one that announces too much is found by its head', () => {
    const reader = new FrameReader(10)
    reader.add(framed(Buffer.alloc(11)).subarray(0, 5))
    assert.throws(() => reader.next(), /larger than 10 bytes/)
  })

  test('a stream that ends inside of a frame is not between two', () => {
    const reader = new FrameReader(10)
    reader.add(framed(Buffer.from('abc')).subarray(0, 6))
    assert.equal(reader.next(), undefined)
    assert.equal(reader.isBetween, false)
  })
})
