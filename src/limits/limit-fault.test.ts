import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { algorithmFor } from './algorithm-of.ts'
import { findCostFault, findLimitFault, largestAmount, largestCostOf, longestMs, supportedAlgorithms } from './limit-fault.ts'
import type { LimitSpec } from './limit-spec.ts'

const common = { name: 'l', per: [], missing: 'shared', shadow: false, tolerance: 0, onStoreFailure: 'local' } as const

function bucket(capacity: number, units: number, periodMs: number): LimitSpec {
  return { ...common, algorithm: 'token-bucket', capacity, refill: { units, periodMs } }
}

function windowed(algorithm: 'fixed-window' | 'sliding-log' | 'sliding-window', limit: number, windowMs: number): LimitSpec {
  return { ...common, algorithm, limit, windowMs }
}

describe('a limit', () => {
  it('of the picture has no fault', () => {
    assert.equal(findLimitFault(bucket(10, 2, 1000)), undefined)
    assert.equal(findLimitFault(windowed('sliding-log', 5, 10_000)), undefined)
    assert.equal(
      findLimitFault({ ...common, algorithm: 'leaky-bucket', capacity: 5, leak: { units: 2, periodMs: 1000 }, mode: 'queue' }),
      undefined,
    )
    assert.equal(findLimitFault({ ...common, algorithm: 'concurrency', limit: 4 }), undefined)
    assert.equal(findLimitFault({ ...common, algorithm: 'quota', limit: 1_000_000_000, period: 'month' }), undefined)
  })

  it('of numbers that are none, not whole, zero, negative or huge has one', () => {
    for (const bad of [0, -1, 1.5, Number.NaN, Infinity, -Infinity, 2 ** 60, largestAmount + 1]) {
      assert.match(findLimitFault(bucket(bad, 2, 1000)) ?? '', /^capacity /)
      assert.match(findLimitFault(bucket(10, bad, 1000)) ?? '', /^refill /)
      assert.match(findLimitFault(windowed('fixed-window', bad, 1000)) ?? '', /^limit /)
      assert.match(findLimitFault({ ...common, algorithm: 'concurrency', limit: bad }) ?? '', /^limit /)
      assert.match(findLimitFault({ ...common, algorithm: 'quota', limit: bad, period: 'day' }) ?? '', /^limit /)
    }
    for (const bad of [0, -1, 1.5, Number.NaN, Infinity]) {
      assert.match(findLimitFault(bucket(10, 2, bad)) ?? '', /^refill must be per a whole number of milliseconds/)
      assert.match(findLimitFault(windowed('sliding-window', 5, bad)) ?? '', /^window must be a whole number of milliseconds/)
    }
  })

  it('that could not be counted exactly says what could', () => {
    // 7 per day is in lowest terms, so a token is 86,400,000 units.
    assert.match(
      findLimitFault(bucket(100_000_000_000, 7, 86_400_000)) ?? '',
      /at most 13031248, or write the refill per a shorter time/,
    )
    assert.equal(findLimitFault(bucket(10_000_000, 100_000, 86_400_000)), undefined)
    assert.match(findLimitFault(windowed('sliding-window', 1_000_000_000, 86_400_000)) ?? '', /at most 13031248/)
    assert.match(findLimitFault(windowed('sliding-window', 1, longestMs + 1)) ?? '', /at most ten years/)
    assert.match(findLimitFault(bucket(10_000, 1, 86_400_000)) ?? '', /more than ten years/)
  })

  it('that remembers every request is small', () => {
    assert.match(findLimitFault(windowed('sliding-log', 129, 1000)) ?? '', /can count to 128; use sliding-window/)
  })

  it('has a name that can stand in a header field', () => {
    for (const name of ['', 'per tenant', 'tenänt', 'x'.repeat(65), 'a\r\nb']) {
      assert.match(findLimitFault({ ...bucket(10, 2, 1000), name }) ?? '', /needs a name/)
    }
  })

  it('without a fault keeps whole numbers of state, however long it is charged', () => {
    const size = fc.oneof(fc.integer({ min: 1, max: 1000 }), fc.integer({ min: 1, max: largestAmount }))
    const spec = fc.oneof(
      fc
        .tuple(size, size, fc.integer({ min: 1, max: 86_400_000 }))
        .map(([capacity, units, periodMs]) => bucket(capacity, units, periodMs)),
      fc
        .tuple(size, fc.integer({ min: 1, max: longestMs }))
        .map(([limit, windowMs]) => windowed('sliding-window', limit, windowMs)),
    )
    const step = fc.record({ waitMs: fc.nat(100_000_000), part: fc.double({ min: 0, max: 1, noNaN: true }) })
    fc.assert(
      fc.property(spec, fc.array(step, { maxLength: 30 }), (limit, steps) => {
        fc.pre(findLimitFault(limit) === undefined)
        const algorithm = algorithmFor(limit)
        const s = new Float64Array(algorithm.stateLength)
        let now = 1_789_000_000_000
        for (const { waitMs, part } of steps) {
          now += waitMs
          const cost = Math.round(part * algorithm.largestCost)
          algorithm.advance(s, 0, now)
          const retryMs = algorithm.retryAfter(s, 0, now, cost)
          assert.ok(Number.isSafeInteger(retryMs) && retryMs >= 0)
          // A debit, too: the state may go as far as it can.
          algorithm.take(s, 0, now, cost)
          for (const number of s) assert.ok(Number.isSafeInteger(number))
          const copy = s.slice()
          const wait = algorithm.retryAfter(copy, 0, now, algorithm.largestCost)
          algorithm.advance(copy, 0, now + wait)
          assert.equal(algorithm.retryAfter(copy, 0, now + wait, algorithm.largestCost), 0)
        }
      }),
    )
  })

  it('says what one request can cost at most', () => {
    assert.equal(largestCostOf(bucket(10, 2, 1000)), 10)
    assert.equal(largestCostOf(windowed('fixed-window', 7, 1000)), 7)
  })
})

it('knows a cost from what is none', () => {
  for (const cost of [0, 1, 1000]) assert.equal(findCostFault(cost), undefined)
  for (const cost of [-1, 0.5, Number.NaN, Infinity, 2 ** 53]) assert.notEqual(findCostFault(cost), undefined)
})

it('supports every algorithm of the contract', () => {
  assert.deepEqual(
    [...supportedAlgorithms],
    ['token-bucket', 'leaky-bucket', 'fixed-window', 'sliding-log', 'sliding-window', 'concurrency', 'quota'],
  )
})
