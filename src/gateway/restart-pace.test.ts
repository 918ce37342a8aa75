import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ManualClock } from '../core/manual-clock.ts'
import { RestartPace } from './restart-pace.ts'

test('one full set of workers is replaced at once, further ones ever later, up to half a minute', () => {
  const pace = new RestartPace(new ManualClock(), 2)
  const delays = Array.from({ length: 13 }, () => pace.lost())
  assert.deepEqual(delays, [0, 0, 100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000])
})

test('a minute without a loss makes up for the earlier ones', () => {
  const clock = new ManualClock()
  const pace = new RestartPace(clock, 1)
  assert.deepEqual([pace.lost(), pace.lost(), pace.lost()], [0, 100, 200])
  clock.advance(59_999)
  assert.equal(pace.lost(), 400)
  clock.advance(60_000)
  assert.equal(pace.lost(), 0)
})
