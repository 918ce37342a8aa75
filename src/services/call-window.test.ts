import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { CallWindow } from './call-window.ts'

describe('call window', () => {
  it('counts what happened within the window, and nothing older, to a tenth of it', () => {
    const calls = fc.array(fc.record({ afterMs: fc.nat(300), isFailure: fc.boolean(), isSlow: fc.boolean() }), { maxLength: 200 })
    fc.assert(
      fc.property(calls, (steps) => {
        const window = new CallWindow(1000)
        const seen: { at: number; isFailure: boolean; isSlow: boolean }[] = []
        let now = 0
        for (const { afterMs, isFailure, isSlow } of steps) {
          now += afterMs
          window.add(now, isFailure, isSlow)
          seen.push({ at: now, isFailure, isSlow })
          const oldest = (Math.floor(now / 100) - 9) * 100
          const recent = seen.filter(({ at }) => at >= oldest)
          assert.equal(window.calls, recent.length)
          assert.equal(window.failures, recent.filter((call) => call.isFailure).length)
          assert.equal(window.slow, recent.filter((call) => call.isSlow).length)
        }
      }),
    )
  })

  it('forgets when it is told to', () => {
    const window = new CallWindow(1000)
    window.add(5, true, true)
    window.clear()
    window.add(6, false, false)
    assert.deepEqual([window.calls, window.failures, window.slow], [1, 0, 0])
  })
})
