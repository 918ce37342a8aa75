import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deserialize, serialize } from 'node:v8'
import fc from 'fast-check'
import { samePlain } from './same-plain.ts'

const plain = fc.anything({ withNullPrototype: false })

test('a copy is the same, and what is the same has the same text', () => {
  fc.assert(
    fc.property(plain, plain, (a, b) => {
      assert.ok(samePlain(a, deserialize(serialize(a))))
      if (samePlain(a, b)) assert.deepEqual(a, b)
    }),
  )
})

test('order of members, members that are undefined, and kinds of containers count', () => {
  for (const [a, b] of [
    [
      { a: 1, b: 2 },
      { b: 2, a: 1 },
    ],
    [{ a: undefined }, {}],
    [{ a: undefined }, { b: undefined }],
    [[], {}],
    [{}, []],
    [['x'], { 0: 'x' }],
    [null, {}],
    [0, '0'],
    [[undefined], [null]],
    [Infinity, null],
  ])
    assert.equal(samePlain(a, b), false)
  assert.ok(samePlain({ a: [NaN, Infinity, null] }, { a: [NaN, Infinity, null] }))
})
