import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { createRotation } from './round-robin.ts'

const draws = (weights: readonly number[], count: number, offset?: number): number[] => {
  const rotation = createRotation(weights, offset)
  return Array.from({ length: count }, () => rotation.next())
}

describe('rotation', () => {
  it('goes round equal targets', () => {
    assert.deepEqual(draws([1, 1, 1], 7), [0, 1, 2, 0, 1, 2, 0])
    assert.deepEqual(draws([4, 4], 3), [0, 1, 0])
  })

  it('spreads the picks of a heavy target', () => {
    assert.deepEqual(draws([5, 1, 1], 7), [0, 0, 1, 0, 2, 0, 0])
  })

  it('starts workers at different places', () => {
    assert.deepEqual(draws([1, 1, 1], 3, 1), [1, 2, 0])
    assert.deepEqual(draws([1, 1, 1], 3, 5), [2, 0, 1])
    assert.deepEqual(draws([5, 1, 1], 7, 2), [1, 0, 2, 0, 0, 0, 0])
  })

  it('never draws a target without weight', () => {
    assert.deepEqual(draws([0, 2, 0, 2], 4), [1, 3, 1, 3])
    assert.deepEqual(draws([0, 0], 2), [-1, -1])
    assert.deepEqual(draws([], 1), [-1])
  })

  it('gives each target its share in every round, from any start', () => {
    const weights = fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 6 })
    fc.assert(
      fc.property(weights, fc.nat(20), (given, offset) => {
        const total = given.reduce((sum, weight) => sum + weight, 0)
        fc.pre(total > 0)
        const counts = given.map(() => 0)
        for (const index of draws(given, total * 2, offset)) counts[index]++
        assert.deepEqual(
          counts,
          given.map((weight) => weight * 2),
        )
      }),
    )
  })

  it('names the other targets after one that failed, each once', () => {
    const { after } = createRotation([1, 0, 1, 1])
    assert.equal(after(2, [2]), 3)
    assert.equal(after(3, [2, 3]), 0)
    assert.equal(after(0, [2, 3, 0]), -1)
    assert.equal(createRotation([1]).after(0, [0]), -1)
  })
})
