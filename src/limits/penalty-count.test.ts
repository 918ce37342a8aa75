import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { RefusalReport } from './penalty-count.ts'
import { RefusalCount } from './penalty-count.ts'

const minute = 60_000
const report = (over: Partial<RefusalReport> = {}): RefusalReport => ({
  penalty: 'abusive',
  per: 'address',
  key: '192.0.2.1',
  parts: ['192.0.2.1'],
  refusals: 1,
  by: [['limited:perAddress', 1]],
  request: 'r1',
  ...over,
})

describe('refusals of a client', () => {
  it('are enough at the number that is configured, and not one before', () => {
    const count = new RefusalCount({ refusals: 50, windowMs: minute })
    for (let i = 0; i < 49; i++) assert.equal(count.add(report(), 1000 + i), undefined)
    const evidence = count.add(report({ by: [['auth:invalid', 1]], request: 'last' }), 2000)
    assert.deepEqual(evidence, { refusals: 50, since: 1000, by: { 'limited:perAddress': 49, 'auth:invalid': 1 }, request: 'last' })
    assert.equal(count.add(report(), 2001), undefined, 'and are counted anew then')
  })

  it('count whatever number is reported at once', () => {
    const count = new RefusalCount({ refusals: 50, windowMs: minute })
    assert.equal(count.add(report({ refusals: 30 }), 0), undefined)
    assert.equal(count.add(report({ refusals: 30 }), 0)?.refusals, 60)
  })

  it('of a window before count by the share of it that is left', () => {
    const count = new RefusalCount({ refusals: 50, windowMs: minute })
    count.add(report({ refusals: 40 }), 0)
    // Half of the first window has left: 20 of it are counted still.
    assert.equal(count.add(report({ refusals: 29 }), 90_000), undefined)
    assert.equal(count.add(report(), 90_000)?.refusals, 50)
  })

  it('are forgotten after two windows, and when the clock goes back', () => {
    const count = new RefusalCount({ refusals: 50, windowMs: minute })
    count.add(report({ refusals: 49 }), 1_000_000)
    assert.equal(count.add(report({ refusals: 49 }), 1_000_000 + 2 * minute), undefined)
    assert.equal(count.add(report({ refusals: 49 }), 500_000), undefined)
  })

  it('are never those of somebody else, however many clients there are', () => {
    const count = new RefusalCount({ refusals: 3, windowMs: minute }, 100)
    for (let i = 0; i < 1000; i++) assert.equal(count.add(report({ key: `k${i}`, refusals: 2 }), 0), undefined)
    assert.equal(count.add(report({ key: 'k999' }), 0)?.refusals, 3)
    assert.equal(count.add(report({ key: 'k0', refusals: 2 }), 0), undefined, 'the one seen longest ago was forgotten')
  })

  it('never box a client who stays below the rate by half, and always one who exceeds it twice', () => {
    fc.assert(
      fc.property(fc.integer({ min: 4, max: 100 }), fc.integer({ min: 0, max: 59_999 }), (refusals, startAt) => {
        const slow = new RefusalCount({ refusals, windowMs: minute })
        const slowEvery = Math.ceil((2 * minute) / refusals)
        for (let i = 0; i < refusals * 4; i++) assert.equal(slow.add(report(), startAt + i * slowEvery), undefined)
        const fast = new RefusalCount({ refusals, windowMs: minute })
        const fastEvery = Math.floor(minute / 2 / refusals)
        let isDue = false
        for (let i = 0; i < refusals * 2; i++) isDue ||= fast.add(report(), startAt + i * fastEvery) !== undefined
        assert.ok(isDue)
      }),
    )
  })

  it('are told by label, a few of them', () => {
    const count = new RefusalCount({ refusals: 100, windowMs: minute })
    let evidence: ReturnType<typeof count.add>
    for (let i = 0; i < 100; i++) evidence = count.add(report({ by: [[`label${i}`, 1]] }), 0)
    assert.equal(Object.keys(evidence?.by ?? {}).length, 8)
  })
})
