import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { Algorithm } from './algorithm.ts'
import { Standing } from './algorithm.ts'
import { Concurrency } from './concurrency.ts'
import { FixedWindow } from './fixed-window.ts'
import { LeakyQueue } from './leaky-queue.ts'
import { Quota } from './quota.ts'
import { SlidingLog } from './sliding-log.ts'
import { SlidingWindow } from './sliding-window.ts'
import { TokenBucket } from './token-bucket.ts'

const start = 1_789_000_000_000

interface Step {
  readonly wait: number
  readonly cost: number
}

/** Waits that often are none or tiny, sometimes long: where budgets are near their edges. */
const wait = fc.oneof(
  { weight: 4, arbitrary: fc.constant(0) },
  { weight: 4, arbitrary: fc.nat(50) },
  { weight: 2, arbitrary: fc.nat(3000) },
  { weight: 1, arbitrary: fc.nat(200_000) },
)
const steps = (largestCost: number): fc.Arbitrary<Step[]> =>
  fc.array(fc.record({ wait, cost: fc.integer({ min: 0, max: largestCost }) }), { minLength: 1, maxLength: 60 })

const rate = fc.record({
  units: fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 100_000 })),
  periodMs: fc.constantFrom(1, 7, 1000, 60_000),
})
const size = fc.integer({ min: 1, max: 30 })
const windowMs = fc.integer({ min: 1, max: 5000 })

const bucket = fc.record({ capacity: size, rate })
const windowed = fc.record({ limit: size, windowMs })

const anyTimed: fc.Arbitrary<Algorithm> = fc.oneof(
  bucket.map((b) => new TokenBucket(b.capacity, b.rate)),
  bucket.map((b) => new LeakyQueue(b.capacity, b.rate)),
  windowed.map((w) => new FixedWindow(w.limit, w.windowMs)),
  windowed.map((w) => new FixedWindow(w.limit, w.windowMs, true)),
  windowed.map((w) => new SlidingLog(w.limit, w.windowMs)),
  windowed.map((w) => new SlidingWindow(w.limit, w.windowMs)),
  fc.record({ limit: size, period: fc.constantFrom('day' as const, 'month' as const) }).map((q) => new Quota(q.limit, q.period)),
)

interface Admitted {
  readonly at: number
  readonly cost: number
  readonly delayMs: number
}

/** Asks and takes; 0 when it passed, else the wait. */
function ask(algorithm: Algorithm, s: Float64Array, now: number, cost: number): number {
  algorithm.advance(s, 0, now)
  const retryMs = algorithm.retryAfter(s, 0, now, cost)
  if (retryMs === 0) algorithm.take(s, 0, now, cost)
  return retryMs
}

/** Runs a trace and returns what passed. */
function run(algorithm: Algorithm, trace: readonly Step[], visit?: (s: Float64Array, now: number, step: Step) => void): Admitted[] {
  const s = new Float64Array(algorithm.stateLength)
  const admitted: Admitted[] = []
  let now = start
  for (const step of trace) {
    now += step.wait
    algorithm.advance(s, 0, now)
    visit?.(s, now, step)
    if (algorithm.retryAfter(s, 0, now, step.cost) > 0) continue
    admitted.push({ at: now, cost: step.cost, delayMs: algorithm.take(s, 0, now, step.cost) })
  }
  return admitted
}

/** The largest sum over any span from one admission to a later one, less what `allowed` says of a span of that length. */
function worstExcess(admitted: readonly Admitted[], allowed: (spanMs: number) => number): number {
  let worst = -Infinity
  for (let first = 0; first < admitted.length; first++) {
    let sum = 0
    for (let last = first; last < admitted.length; last++) {
      sum += admitted[last].cost
      worst = Math.max(worst, sum - allowed(admitted[last].at - admitted[first].at))
    }
  }
  return worst
}

describe('what passes', () => {
  it('of a token bucket is never more than capacity + rate · time, over every span', () => {
    fc.assert(
      fc.property(bucket, steps(35), ({ capacity, rate: { units, periodMs } }, trace) => {
        const admitted = run(new TokenBucket(capacity, { units, periodMs }), trace)
        // In units of 1/periodMs tokens, so that the comparison is exact.
        const scaled = admitted.map(({ at, cost, delayMs }) => ({ at, cost: cost * periodMs, delayMs }))
        assert.ok(worstExcess(scaled, (ms) => capacity * periodMs + ms * units) <= 0)
      }),
    )
  })

  it('of a token bucket is what an exact integer bucket admits, with the same remainder and retry', () => {
    fc.assert(
      fc.property(bucket, steps(35), ({ capacity, rate: { units, periodMs } }, trace) => {
        const algorithm = new TokenBucket(capacity, { units, periodMs })
        const standing = new Standing()
        const cap = capacity * periodMs
        let balance = cap
        let last = start
        run(algorithm, trace, (s, now, { cost }) => {
          balance = Math.min(cap, balance + (now - last) * units)
          last = now
          algorithm.read(s, 0, now, standing)
          assert.equal(standing.remaining, Math.floor(balance / periodMs))
          assert.equal(standing.resetAfterMs, Math.ceil((cap - balance) / units))
          const need = cost * periodMs
          const retry = need > cap ? Infinity : balance >= need ? 0 : Math.ceil((need - balance) / units)
          assert.equal(algorithm.retryAfter(s, 0, now, cost), retry)
          if (retry === 0) balance -= need
        })
      }),
    )
  })

  it('of a token bucket under a clock that jitters is bounded by the furthest time it has shown', () => {
    const jitter = fc.array(fc.record({ wait: fc.integer({ min: -2000, max: 2500 }), cost: fc.nat(8) }), { maxLength: 80 })
    fc.assert(
      fc.property(bucket, jitter, ({ capacity, rate: { units, periodMs } }, trace) => {
        const admitted = run(new TokenBucket(capacity, { units, periodMs }), trace)
        if (admitted.length === 0) return
        const first = admitted[0].at
        let furthest = first
        let sum = 0
        for (const { at, cost } of admitted) {
          furthest = Math.max(furthest, at)
          sum += cost * periodMs
          assert.ok(sum <= capacity * periodMs + (furthest - first) * units)
        }
      }),
    )
  })

  it('of a sliding log is never more than the limit in any half-open window', () => {
    fc.assert(
      fc.property(windowed, steps(35), ({ limit, windowMs: ms }, trace) => {
        const admitted = run(new SlidingLog(limit, ms), trace)
        assert.ok(worstExcess(admitted, (span) => (span < ms ? limit : Infinity)) <= 0)
      }),
    )
  })

  it('of a sliding window is less than twice the limit in any half-open window', () => {
    fc.assert(
      fc.property(windowed, steps(1), ({ limit, windowMs: ms }, trace) => {
        const admitted = run(new SlidingWindow(limit, ms), trace)
        assert.ok(worstExcess(admitted, (span) => (span < ms ? 2 * limit - 1 : Infinity)) <= 0)
      }),
    )
  })

  it('of a fixed window is never more than twice the limit in any window, and the limit in its own', () => {
    fc.assert(
      fc.property(windowed, fc.boolean(), steps(35), ({ limit, windowMs: ms }, isAligned, trace) => {
        const admitted = run(new FixedWindow(limit, ms, isAligned), trace)
        assert.ok(worstExcess(admitted, (span) => (span < ms ? 2 * limit : Infinity)) <= 0)
        if (!isAligned) return
        const perWindow = new Map<number, number>()
        for (const { at, cost } of admitted) perWindow.set(Math.floor(at / ms), (perWindow.get(Math.floor(at / ms)) ?? 0) + cost)
        for (const sum of perWindow.values()) assert.ok(sum <= limit)
      }),
    )
  })

  it('of a queue departs no faster than it leaks, and waits no longer than its places', () => {
    fc.assert(
      fc.property(bucket, steps(1), ({ capacity, rate: { units, periodMs } }, trace) => {
        const admitted = run(new LeakyQueue(capacity, { units, periodMs }), trace).filter(({ cost }) => cost > 0)
        const departures = admitted.map(({ at, delayMs }) => at + delayMs)
        for (let i = 1; i < departures.length; i++) {
          for (let j = 0; j < i; j++) {
            // Departures are rounded up to a whole ms each.
            assert.ok(departures[i] - departures[j] > ((i - j) * periodMs) / units - 1)
          }
        }
        for (const { delayMs } of admitted) assert.ok(delayMs <= Math.ceil((capacity * periodMs) / units))
      }),
    )
  })
})

describe('every algorithm', () => {
  it('tells the truth: at the retry the same request passes, one millisecond before it does not', () => {
    fc.assert(
      fc.property(anyTimed, steps(35), (algorithm, trace) => {
        run(algorithm, trace, (s, now, { cost }) => {
          const retryMs = algorithm.retryAfter(s, 0, now, cost)
          if (retryMs === 0 || retryMs === Infinity) return
          assert.ok(Number.isSafeInteger(retryMs) && retryMs > 0)
          assert.equal(ask(algorithm, s.slice(), now + retryMs, cost), 0)
          if (retryMs > 1) assert.equal(ask(algorithm, s.slice(), now + retryMs - 1, cost), 1)
          else assert.notEqual(ask(algorithm, s.slice(), now, cost), 0)
        })
      }),
      { numRuns: 400 },
    )
  })

  it('refuses for ever exactly what costs more than it can hold', () => {
    fc.assert(
      fc.property(anyTimed, steps(70), (algorithm, trace) => {
        run(algorithm, trace, (s, now, { cost }) => {
          assert.equal(algorithm.retryAfter(s, 0, now, cost) === Infinity, cost > algorithm.largestCost)
        })
      }),
    )
  })

  it('is not changed by a refusal: asking for what cannot be had changes no later decision', () => {
    fc.assert(
      fc.property(anyTimed, steps(35), (algorithm, trace) => {
        const greedy: Step[] = []
        for (const step of trace) {
          greedy.push(step)
          for (const cost of [algorithm.largestCost + 1, algorithm.largestCost]) greedy.push({ wait: 0, cost })
        }
        // The greedy caller asks between all others, but takes nothing.
        const plain = run(algorithm, trace)
        const s = new Float64Array(algorithm.stateLength)
        const beside: Admitted[] = []
        let now = start
        for (const [i, step] of greedy.entries()) {
          now += step.wait
          algorithm.advance(s, 0, now)
          const retryMs = algorithm.retryAfter(s, 0, now, step.cost)
          if (i % 3 === 0 && retryMs === 0) beside.push({ at: now, cost: step.cost, delayMs: algorithm.take(s, 0, now, step.cost) })
        }
        assert.deepEqual(beside, plain)
      }),
    )
  })

  it('says what is left as exactly what would still pass, and when the next unit would', () => {
    const standing = new Standing()
    fc.assert(
      fc.property(anyTimed, steps(35), (algorithm, trace) => {
        // A queue lets in one more than may wait, one by one; its places are not the measure of one request.
        fc.pre(!(algorithm instanceof LeakyQueue))
        run(algorithm, trace, (s, now) => {
          algorithm.read(s, 0, now, standing)
          const { remaining, unitAfterMs, resetAfterMs } = standing
          if (remaining > 0) assert.equal(algorithm.retryAfter(s, 0, now, remaining), 0)
          assert.notEqual(algorithm.retryAfter(s, 0, now, remaining + 1), 0)
          assert.equal(unitAfterMs, algorithm.retryAfter(s, 0, now, 1))
          assert.ok(resetAfterMs >= 0)
          const later = s.slice()
          algorithm.advance(later, 0, now + resetAfterMs)
          algorithm.read(later, 0, now + resetAfterMs, standing)
          assert.equal(standing.remaining, algorithm.largestCost)
        })
      }),
      { numRuns: 300 },
    )
  })

  it('is forgotten no earlier than it is whole: from wholeAt on its state says what zeros say', () => {
    fc.assert(
      fc.property(anyTimed, steps(35), steps(35), (algorithm, trace, more) => {
        const s = new Float64Array(algorithm.stateLength)
        let now = start
        for (const step of trace) {
          now += step.wait
          ask(algorithm, s, now, step.cost)
        }
        now = Math.max(now, algorithm.wholeAt(s, 0))
        const fresh = new Float64Array(algorithm.stateLength)
        for (const step of more) {
          now += step.wait
          assert.equal(ask(algorithm, s, now, step.cost), ask(algorithm, fresh, now, step.cost))
        }
      }),
    )
  })

  it('gives back what was taken', () => {
    const before = new Standing()
    const after = new Standing()
    fc.assert(
      fc.property(anyTimed, steps(35), (algorithm, trace) => {
        run(algorithm, trace, (s, now, { cost }) => {
          if (algorithm.retryAfter(s, 0, now, cost) !== 0) return
          const copy = s.slice()
          algorithm.read(copy, 0, now, before)
          algorithm.take(copy, 0, now, cost)
          algorithm.giveBack(copy, 0, now, cost)
          algorithm.read(copy, 0, now, after)
          assert.deepEqual(after, before)
        })
      }),
    )
  })

  it('never gives more than the whole back', () => {
    const standing = new Standing()
    fc.assert(
      fc.property(anyTimed, steps(35), fc.nat(200), (algorithm, trace, credit) => {
        run(algorithm, trace, (s, now) => {
          const copy = s.slice()
          algorithm.giveBack(copy, 0, now, credit)
          algorithm.read(copy, 0, now, standing)
          const most = algorithm instanceof LeakyQueue ? algorithm.largestCost + 1 : algorithm.largestCost
          assert.ok(standing.remaining <= most)
        })
      }),
    )
  })

  it('owes at most once its limit, however much is taken without asking', () => {
    fc.assert(
      fc.property(anyTimed, fc.array(fc.integer({ min: 1, max: 1_000_000_000 }), { maxLength: 20 }), (algorithm, debits) => {
        const s = new Float64Array(algorithm.stateLength)
        const standing = new Standing()
        algorithm.advance(s, 0, start)
        for (const cost of debits) algorithm.take(s, 0, start, cost)
        algorithm.read(s, 0, start, standing)
        assert.ok(standing.remaining >= 0)
        assert.ok(algorithm.used(s, 0, start) <= Math.max(128, 3 * algorithm.largestCost))
        // Whole again after twice the time (three times for a queue) an empty budget takes, not later.
        const once = new Float64Array(algorithm.stateLength)
        algorithm.advance(once, 0, start)
        algorithm.take(once, 0, start, algorithm.largestCost)
        const single = algorithm.wholeAt(once, 0) - start
        if (debits.length > 0) assert.ok(algorithm.wholeAt(s, 0) - start <= 3 * single)
      }),
    )
  })
})

describe('concurrency', () => {
  it('never has more under way than its limit, whichever worker takes or gives back', () => {
    const move = fc.record({ worker: fc.nat(2), cost: fc.integer({ min: 1, max: 4 }), isTake: fc.boolean() })
    fc.assert(
      fc.property(size, fc.array(move, { maxLength: 100 }), (limit, moves) => {
        const columns = [0, 1, 2].map((worker) => new Concurrency(limit, 3, worker))
        const s = new Float64Array(3)
        const held: number[][] = [[], [], []]
        for (const { worker, cost, isTake } of moves) {
          const algorithm = columns[worker]
          const sum = held.flat().reduce((a, b) => a + b, 0)
          if (isTake) {
            const passes = algorithm.retryAfter(s, 0, start, cost) === 0
            assert.equal(passes, sum + cost <= limit)
            if (!passes) continue
            algorithm.take(s, 0, start, cost)
            held[worker].push(cost)
          } else {
            const given = held[worker].pop()
            if (given !== undefined) algorithm.giveBack(s, 0, start, given)
          }
        }
      }),
    )
  })
})
