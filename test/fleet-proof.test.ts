import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { largestBurst } from '../proof/fleet/burst.ts'
import { mayBeWithoutStore, wasKilledWith } from '../proof/fleet/episode.ts'
import type { Episode } from '../proof/fleet/episode.ts'
import type { Told } from '../proof/fleet/told.ts'

const at = (sentAt: number, doneAt = sentAt): { sentAt: number; doneAt: number } => ({ sentAt, doneAt })
const told = (node: number, sentAt: number, doneAt: number): Told => {
  return { node, status: 0, isRefused: false, cut: 'ECONNRESET', headers: {}, text: '', sentAt, doneAt }
}
const episode: Episode = {
  done: 'something',
  startedAt: 0,
  beganAt: 10_000,
  endedAt: 12_000,
  stoppedAt: 30_000,
  away: [{ node: 1, how: 'killed', from: 10_000, to: 12_000 }],
  withoutStore: [0],
  forgets: 'nothing',
}

suite('the proof of a fleet', () => {
  test('takes what a full bucket and its rate let pass for its capacity, and sees one more', () => {
    const full = Array.from({ length: 30 }, () => at(0))
    const rest = Array.from({ length: 50 }, (_, i) => at(100 * (i + 1)))
    assert.equal(largestBurst([...full, ...rest], 10), 30)
    assert.equal(largestBurst([...full, ...rest, at(2500)], 10), 31)
  })

  test('does not count what may have passed outside of a span', () => {
    assert.equal(largestBurst([at(0, 1000), at(0, 1000)], 1), 1)
    assert.equal(largestBurst([], 1), 0)
  })

  test('counts apart only what was under way at a node when it was killed', () => {
    assert.equal(wasKilledWith(told(1, 9900, 10_001), episode), true)
    assert.equal(wasKilledWith(told(0, 9900, 10_001), episode), false)
    assert.equal(wasKilledWith(told(1, 9000, 9900), episode), false)
    assert.equal(wasKilledWith(told(1, 12_001, 12_010), episode), false)
  })

  test('excuses by the store only whose node was without it, and for five seconds more', () => {
    assert.equal(mayBeWithoutStore(told(0, 11_000, 11_001), episode), true)
    assert.equal(mayBeWithoutStore(told(0, 17_001, 17_002), episode), false)
    assert.equal(mayBeWithoutStore(told(0, 9000, 9001), episode), false)
    assert.equal(mayBeWithoutStore(told(2, 11_000, 11_001), episode), false)
    assert.equal(mayBeWithoutStore(told(1, 14_000, 14_001), episode), true)
  })
})
