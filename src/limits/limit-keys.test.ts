import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { Hub, Link } from '../core/link.ts'
import { ManualClock } from '../core/manual-clock.ts'
import { createKeyBoard } from './key-board.ts'
import { KeyReporter, reportEveryMs } from './key-reporter.ts'
import { KeySketch } from './key-sketch.ts'

describe('a sketch of keys', () => {
  it('counts exactly while there are few', () => {
    const sketch = new KeySketch(4)
    for (const key of 'aababcab') sketch.add(key, 1)
    assert.deepEqual(sketch.heaviest(2), [
      { key: 'a', count: 4 },
      { key: 'b', count: 3 },
    ])
  })

  it('holds whatever has more than its share, never counts too little, and too much by one share at most', () => {
    const stream = fc.array(fc.oneof(fc.nat(3), fc.nat(200)), { maxLength: 600 })
    fc.assert(
      fc.property(stream, (keys) => {
        const capacity = 16
        const sketch = new KeySketch(capacity)
        const exact = new Map<string, number>()
        for (const key of keys.map(String)) {
          sketch.add(key, 1)
          exact.set(key, (exact.get(key) ?? 0) + 1)
        }
        const seen = new Map(sketch.heaviest(capacity).map(({ key, count }) => [key, count]))
        assert.ok(seen.size <= capacity)
        for (const [key, count] of exact) if (count > keys.length / capacity) assert.ok(seen.has(key))
        for (const [key, count] of seen) {
          assert.ok(count >= exact.get(key)!)
          assert.ok(count <= exact.get(key)! + keys.length / capacity)
        }
      }),
    )
  })

  it('forgets what fades', () => {
    const sketch = new KeySketch(4)
    sketch.add('a', 100)
    sketch.add('b', 1)
    sketch.fade(0.4)
    assert.deepEqual(sketch.heaviest(4), [{ key: 'a', count: 40 }])
    for (let i = 0; i < 10; i++) sketch.fade(0.4)
    assert.equal(sketch.isEmpty, true)
  })
})

/** Two workers and main, on one clock. */
function node(): { clock: ManualClock; workers: Link[]; hub: Hub; told: () => number } {
  const clock = new ManualClock()
  const listeners: ((message: unknown, worker: number) => void)[] = []
  let count = 0
  const link = (worker: number): Link => ({
    ask: () => Promise.reject(new Error('nobody answers')),
    tell(_topic, message) {
      count++
      for (const listener of listeners) listener(structuredClone(message), worker)
    },
    hear: () => () => {},
  })
  const hub: Hub = {
    answer: () => () => {},
    hear(_topic, listener) {
      listeners.push(listener)
      return () => void listeners.splice(listeners.indexOf(listener), 1)
    },
    tellAll() {},
  }
  return { clock, workers: [link(0), link(1)], hub, told: () => count }
}

describe('busy and refused keys of a node', () => {
  it('are summed over its workers as charges per second', () => {
    const { clock, workers, hub } = node()
    const board = createKeyBoard(hub, clock)
    const reporters = workers.map((link) => new KeyReporter(link, clock))
    // A minute of 80 a second on each worker by one key, 8 a second by another that is always refused.
    for (let i = 0; i < 20; i++) {
      for (const reporter of reporters) {
        const seen = reporter.of('perTenant')
        for (let n = 0; n < (80 * reportEveryMs) / 1000; n++) {
          seen.saw('busy', false)
          if (n % 10 === 0) seen.saw('refused', true)
        }
      }
      clock.advance(reportEveryMs)
    }
    const { busiest, refused } = board.keys('perTenant')
    assert.equal(busiest[0].key, 'busy')
    assert.ok(busiest[0].count > 130 && busiest[0].count < 190, `${busiest[0].count} a second`)
    assert.deepEqual(
      refused.map(({ key }) => key),
      ['refused'],
    )
    assert.ok(refused[0].count > 13 && refused[0].count < 17, `${refused[0].count} a second`)
    assert.deepEqual(board.keys('another'), { busiest: [], refused: [] })
    board.close()
    for (const reporter of reporters) reporter.close()
  })

  it('are forgotten when nobody reports them any more', () => {
    const { clock, workers, hub, told } = node()
    const board = createKeyBoard(hub, clock)
    const reporter = new KeyReporter(workers[0], clock)
    reporter.of('a').saw('k', true)
    clock.advance(reportEveryMs)
    assert.equal(board.keys('a').refused.length, 1)
    clock.advance(20 * reportEveryMs)
    assert.deepEqual(board.keys('a').refused, [])
    const before = told()
    clock.advance(20 * reportEveryMs)
    assert.equal(told(), before, 'nothing to tell, nothing told')
    reporter.close()
    reporter.of('a').saw('k', true)
    clock.advance(reportEveryMs)
    assert.equal(told(), before)
  })
})
