import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AdaptiveLimit } from './adaptive-limit.ts'
import { allocateRests, releaseRests, restsOf } from './rest-board.ts'

test('workers see the largest latency at rest that another one found of a service, until that one is gone', () => {
  const memory = allocateRests(3)
  const [a, b, c] = [0, 1, 2].map((worker) => restsOf(memory, worker, 'orders'))
  assert.equal(a.largestOfOthers, 0)
  b.tell(12)
  c.tell(10)
  assert.deepEqual([a.largestOfOthers, b.largestOfOthers, c.largestOfOthers], [12, 10, 12])
  assert.equal(restsOf(memory, 0, 'billing').largestOfOthers, 0)
  releaseRests(memory, 1)
  assert.equal(a.largestOfOthers, 10)
})

/** One request after the other, each answered after `ms`, for so long. */
function serve(limit: AdaptiveLimit, ms: number, from: number, forMs: number): number {
  let now = from
  for (; now < from + forMs; now += ms) {
    limit.asked(now)
    limit.began(now)
    limit.answered(ms, now + ms)
  }
  return now
}

test('a worker that starts in an overload takes what others found at rest before it', () => {
  const memory = allocateRests(2)
  restsOf(memory, 0, 'orders').tell(10)
  const late = new AdaptiveLimit(restsOf(memory, 1, 'orders'))
  serve(late, 30, 0, 1500)
  assert.equal(late.restMs, 10)
})

test('a worker that sees what another one tolerates joins it, and goes no further', () => {
  const memory = allocateRests(2)
  const other = restsOf(memory, 0, 'orders')
  other.tell(10)
  const limit = new AdaptiveLimit(restsOf(memory, 1, 'orders'))
  let now = serve(limit, 10, 0, 1000)
  other.tell(12)
  now = serve(limit, 24, now, 60_000)
  const joined = limit.restMs
  // A service that is far slower is so by itself.
  now = serve(limit, 100, now, 20_000)
  assert.deepEqual([joined, limit.restMs], [12, 100])
  serve(limit, 10, now, 5000)
  assert.ok(limit.restMs < 11)
})
