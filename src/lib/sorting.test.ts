import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { sorting } from './sorting.ts'

function sorted<T>(values: readonly T[], compare: (a: T, b: T) => number): { values: T[]; steps: number } {
  const steps = sorting(values, compare)
  for (let count = 0; ; count++) {
    const step = steps.next()
    if (step.done === true) return { values: step.value, steps: count }
  }
}

const compare = (a: { key: number }, b: { key: number }): number => a.key - b.key

test('sorts as the language does, equal values as they were', () => {
  const pair = fc.record({ key: fc.nat(20), place: fc.nat() })
  fc.assert(
    fc.property(fc.array(pair, { maxLength: 500, size: 'max' }), (pairs) => {
      assert.deepEqual(sorted(pairs, compare).values, pairs.toSorted(compare))
    }),
  )
})

test('never compares for long in one go', () => {
  const values = Array.from({ length: 5000 }, (_, i) => (i * 7919) % 5000)
  let compared = 0
  let most = 0
  const steps = sorting(values, (a, b) => {
    compared++
    return a - b
  })
  while (steps.next().done !== true) {
    most = Math.max(most, compared)
    compared = 0
  }
  assert.ok(most < 500, String(most))
})
