import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ManualClock } from './manual-clock.ts'

describe('manual clock', () => {
  it('stands still until it is moved', () => {
    const clock = new ManualClock(1000)
    assert.deepEqual([clock.now(), clock.monotonic()], [1000, 0])
    clock.advance(5)
    assert.deepEqual([clock.now(), clock.monotonic()], [1005, 5])
  })

  it('runs what falls due on the way, in order, at its own time', () => {
    const clock = new ManualClock(0)
    const seen: string[] = []
    clock.after(20, () => seen.push(`b at ${clock.monotonic()}`))
    clock.after(10, () => {
      seen.push(`a at ${clock.monotonic()}`)
      clock.after(5, () => seen.push(`c at ${clock.monotonic()}`))
      clock.after(100, () => seen.push('never'))
    })
    clock.after(20, () => seen.push(`b2 at ${clock.monotonic()}`))
    clock.advance(20)
    assert.deepEqual(seen, ['a at 10', 'c at 15', 'b at 20', 'b2 at 20'])
    assert.equal(clock.monotonic(), 20)
  })

  it('forgets what is cancelled', () => {
    const clock = new ManualClock()
    let ran = 0
    const timer = clock.after(10, () => ran++)
    timer.cancel()
    clock.advance(20)
    timer.cancel()
    assert.equal(ran, 0)
  })

  it('corrects the wall clock without letting time pass', () => {
    const clock = new ManualClock(1000)
    let ran = 0
    clock.after(10, () => ran++)
    clock.setNow(999_999)
    assert.deepEqual([clock.now(), clock.monotonic(), ran], [999_999, 0, 0])
    clock.advance(10)
    assert.deepEqual([clock.now(), clock.monotonic(), ran], [1_000_009, 10, 1])
  })
})
