import assert from 'node:assert/strict'
import { test } from 'node:test'
import { stableJson } from './stable-json.ts'

test('the order of members makes no difference, that of a list does', () => {
  assert.equal(stableJson({ b: 1, a: { d: [1, 2], c: null } }), '{"a":{"c":null,"d":[1,2]},"b":1}')
  assert.equal(stableJson({ a: { c: null, d: [1, 2] }, b: 1 }), stableJson({ b: 1, a: { d: [1, 2], c: null } }))
  assert.notEqual(stableJson([1, 2]), stableJson([2, 1]))
})

test('an undefined member is as good as none', () => {
  assert.equal(stableJson({ a: undefined, b: 1 }), stableJson({ b: 1 }))
})

test('tells apart what JSON would make equal', () => {
  const texts = [Infinity, -Infinity, NaN, null, 'Infinity', undefined, 'undefined', 0, '0', true, 'true'].map((value) =>
    stableJson([value]),
  )
  assert.equal(new Set(texts).size, texts.length)
})
