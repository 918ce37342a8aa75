import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Charge } from '../core/counters.ts'
import { ManualClock } from '../core/manual-clock.ts'
import type { LimitSpec, Rate } from './limit-spec.ts'
import { allocateLimitTable, createLimitTable } from './limit-table.ts'
import type { LimitTable, LocalCounters } from './limit-table.ts'
import { releaseWorker } from './release-worker.ts'

const common = { per: [], missing: 'shared', shadow: false, tolerance: 0, onStoreFailure: 'local' } as const
const twoPerSecond: Rate = { units: 2, periodMs: 1000 }

function bucket(name: string, capacity: number, refill = twoPerSecond): LimitSpec {
  return { ...common, name, algorithm: 'token-bucket', capacity, refill }
}

function windowed(
  name: string,
  algorithm: 'fixed-window' | 'sliding-log' | 'sliding-window',
  limit: number,
  windowMs = 10_000,
): LimitSpec {
  return { ...common, name, algorithm, limit, windowMs }
}

function held(name: string, limit: number): LimitSpec {
  return { ...common, name, algorithm: 'concurrency', limit }
}

function charge(limit: string, key = 'k', cost = 1): Charge {
  return { limit, key, cost }
}

function tableOf(clock: ManualClock, maxKeys = 1000): LimitTable {
  return createLimitTable(allocateLimitTable({ maxKeys, workers: 1 }, clock), 0, clock)
}

function remaining(counters: LocalCounters, limit: string, key = 'k'): number {
  return counters.peek([charge(limit, key, 0)]).levels[0].remaining
}

/** How many of `count` charges pass. */
function passing(counters: LocalCounters, count: number, make: (i: number) => Charge): number {
  let passed = 0
  for (let i = 0; i < count; i++) if (counters.charge([make(i)]).refusedBy === -1) passed++
  return passed
}

/** Uses some of a limit, edits it, and gives the edited one. */
function used(before: LimitSpec, after: LimitSpec, cost: number): { counters: LocalCounters; clock: ManualClock } {
  const clock = new ManualClock()
  const table = tableOf(clock)
  table.open([before]).charge([charge(before.name, 'k', cost)])
  return { counters: table.open([after]), clock }
}

function twoWorkers(): { memory: SharedArrayBuffer; clock: ManualClock } {
  const clock = new ManualClock()
  return { memory: allocateLimitTable({ maxKeys: 1000, workers: 2 }, clock), clock }
}

describe('a step of several levels', () => {
  it('is charged whole', () => {
    const counters = tableOf(new ManualClock()).open([bucket('a', 10), bucket('b', 5), windowed('c', 'sliding-log', 3)])
    const { refusedBy, levels } = counters.charge([charge('a', 'k', 2), charge('b'), charge('c')])
    assert.equal(refusedBy, -1)
    assert.deepEqual(
      levels.map((level) => level.remaining),
      [8, 4, 2],
    )
  })

  it('takes nothing anywhere when one level refuses, and names the one with the longest wait', () => {
    const counters = tableOf(new ManualClock()).open([
      bucket('a', 10),
      bucket('b', 1),
      bucket('c', 1, { units: 1, periodMs: 1000 }),
    ])
    counters.charge([charge('b'), charge('c')])
    const { refusedBy, levels } = counters.charge([charge('a', 'fresh'), charge('b'), charge('c')])
    assert.equal(refusedBy, 2)
    assert.deepEqual(
      levels.map((level) => level.retryAfterMs),
      [0, 500, 1000],
    )
    assert.equal(remaining(counters, 'a', 'fresh'), 10)
  })

  it('that charges one budget twice passes only if both fit', () => {
    const counters = tableOf(new ManualClock()).open([bucket('a', 3)])
    assert.equal(counters.charge([charge('a', 'k', 2), charge('a', 'k', 2)]).refusedBy, 1)
    assert.equal(remaining(counters, 'a'), 3)
    assert.equal(counters.charge([charge('a', 'k', 2), charge('a', 'k', 1)]).refusedBy, -1)
    assert.equal(remaining(counters, 'a'), 0)
  })

  it('says why a cost can never pass', () => {
    const counters = tableOf(new ManualClock()).open([bucket('a', 3), bucket('b', 30)])
    const { refusedBy, levels } = counters.charge([charge('b', 'k', 1), charge('a', 'k', 4)])
    assert.equal(refusedBy, 1)
    assert.equal(levels[1].retryAfterMs, Infinity)
    assert.equal(remaining(counters, 'b'), 30)
  })

  it('throws on an unknown limit or a cost that is none, and leaves no lock behind', () => {
    const counters = tableOf(new ManualClock()).open([bucket('a', 3)])
    assert.throws(() => counters.charge([charge('a'), charge('nobody')]), /no limit is named nobody/)
    for (const cost of [-1, 0.5, Number.NaN, Infinity]) assert.throws(() => counters.charge([charge('a', 'k', cost)]), /is no cost/)
    assert.equal(counters.charge([charge('a')]).refusedBy, -1)
  })
})

describe('budgets', () => {
  it('are told apart by limit and by key', () => {
    const counters = tableOf(new ManualClock()).open([bucket('a', 5), bucket('b', 5)])
    counters.charge([charge('a', 'x', 3)])
    assert.deepEqual([remaining(counters, 'a', 'x'), remaining(counters, 'a', 'y'), remaining(counters, 'b', 'x')], [2, 5, 5])
  })

  it('are asked without being touched', () => {
    const counters = tableOf(new ManualClock()).open([bucket('a', 5)])
    for (let i = 0; i < 20; i++) assert.equal(counters.peek([charge('a', 'k', 5)]).refusedBy, -1)
    assert.equal(counters.charge([charge('a', 'k', 5)]).refusedBy, -1)
    assert.equal(counters.peek([charge('a')]).levels[0].retryAfterMs, 500)
  })

  it('get back what is credited, never more than the whole', () => {
    const counters = tableOf(new ManualClock()).open([bucket('a', 5)])
    counters.charge([charge('a', 'k', 4)])
    counters.credit([charge('a', 'k', 2)])
    assert.equal(remaining(counters, 'a'), 3)
    counters.credit([charge('a', 'k', 1000), charge('a', 'never seen', 3)])
    assert.deepEqual([remaining(counters, 'a'), remaining(counters, 'a', 'never seen')], [5, 5])
  })

  it('may be debited into debt, once their capacity at most', () => {
    const clock = new ManualClock()
    const counters = tableOf(clock).open([bucket('a', 10)])
    counters.debit([charge('a', 'k', 14)])
    assert.equal(counters.peek([charge('a')]).levels[0].retryAfterMs, 2500)
    counters.debit([charge('a', 'k', 1_000_000)])
    assert.equal(counters.peek([charge('a')]).levels[0].retryAfterMs, 5500)
    clock.advance(5500)
    assert.equal(remaining(counters, 'a'), 1)
  })

  it('do not follow corrections of the machine clock', () => {
    const clock = new ManualClock()
    const counters = tableOf(clock).open([bucket('a', 2), windowed('w', 'sliding-window', 2)])
    passing(counters, 3, () => charge('a'))
    clock.setNow(clock.now() - 3_600_000)
    assert.equal(counters.peek([charge('a')]).levels[0].retryAfterMs, 500)
    clock.setNow(clock.now() + 7_200_000)
    assert.equal(counters.peek([charge('a')]).levels[0].retryAfterMs, 500)
    clock.advance(500)
    assert.equal(counters.charge([charge('a')]).refusedBy, -1)
  })

  it('of a calendar quota do follow the calendar', () => {
    const clock = new ManualClock(Date.UTC(2026, 1, 27, 12))
    const counters = tableOf(clock).open([{ ...common, name: 'q', algorithm: 'quota', limit: 3, period: 'month' }])
    assert.equal(
      passing(counters, 5, () => charge('q')),
      3,
    )
    assert.equal(counters.peek([charge('q')]).levels[0].retryAfterMs, 1.5 * 86_400_000)
    clock.setNow(Date.UTC(2026, 2, 1))
    assert.equal(
      passing(counters, 5, () => charge('q')),
      3,
    )
  })
})

describe('a table with too many keys', () => {
  // 196 keys make one stripe, with 248 slots before keys must share.
  const slow: Rate = { units: 1, periodMs: 1000 }

  it('keeps every drained budget, and gives all newcomers together one budget', () => {
    const clock = new ManualClock()
    const table = tableOf(clock, 196)
    const counters = table.open([bucket('a', 5, slow)])
    for (let i = 0; i < 248; i++) assert.equal(counters.charge([charge('a', `known ${i}`, 5)]).refusedBy, -1)
    assert.equal(table.troubles.shared, 0)
    assert.equal(
      passing(counters, 500, (i) => charge('a', `new ${i}`)),
      5,
    )
    assert.equal(table.troubles.shared, 500)
    for (let i = 0; i < 248; i++) assert.equal(counters.peek([charge('a', `known ${i}`)]).levels[0].retryAfterMs, 1000)
    clock.advance(1000)
    for (let i = 0; i < 248; i++) assert.equal(remaining(counters, 'a', `known ${i}`), 1)
    assert.equal(
      passing(counters, 500, (i) => charge('a', `newer ${i}`)),
      1,
    )
  })

  it('gives newcomers budgets of their own again once others are whole', () => {
    const clock = new ManualClock()
    const counters = tableOf(clock, 196).open([bucket('a', 5, slow)])
    for (let i = 0; i < 248; i++) counters.charge([charge('a', `known ${i}`, 5)])
    clock.advance(5001)
    for (let i = 0; i < 248; i++)
      assert.equal(
        passing(counters, 6, () => charge('a', `new ${i}`)),
        5,
      )
  })

  it('lets each limit share apart from the others, and refuses when even that has no room', () => {
    const clock = new ManualClock()
    const table = tableOf(clock, 196)
    const names = Array.from({ length: 9 }, (_, i) => `limit${i}`)
    const counters = table.open(names.map((name) => bucket(name, 5, slow)))
    for (let i = 0; i < 248; i++) counters.charge([charge('limit0', `known ${i}`, 5)])
    for (const name of names.slice(0, 8))
      assert.equal(
        passing(counters, 20, (i) => charge(name, `new ${i}`)),
        5,
      )
    assert.throws(() => counters.charge([charge('limit8', 'new')]), { code: 'overloaded' })
    assert.equal(table.troubles.refused, 1)
    // Nothing was taken from the levels before the one without room, and no lock is held.
    assert.throws(() => counters.charge([charge('limit0', 'known 3', 0), charge('limit8', 'new')]), { code: 'overloaded' })
    assert.equal(counters.charge([charge('limit0', 'known 3', 1)]).refusedBy, 0)
  })

  it('spends no room on questions, on cost 0, and on costs that never fit', () => {
    const clock = new ManualClock()
    const table = tableOf(clock, 196)
    const counters = table.open([bucket('a', 5, slow)])
    for (let i = 0; i < 2000; i++) {
      counters.peek([charge('a', `asked ${i}`)])
      counters.charge([charge('a', `free ${i}`, 0)])
      counters.charge([charge('a', `huge ${i}`, 6)])
    }
    for (let i = 0; i < 248; i++) counters.charge([charge('a', `known ${i}`, 5)])
    assert.equal(table.troubles.shared, 0)
  })

  it('never admits a key more than its budget while a flood of other keys comes and goes', () => {
    const clock = new ManualClock()
    const counters = tableOf(clock, 196).open([bucket('a', 5, slow)])
    let admitted = 0
    for (let second = 0; second < 30; second++) {
      for (let i = 0; i < 100; i++) {
        counters.charge([charge('a', `flood ${second} ${i}`, 1 + (i % 5))])
        if (counters.charge([charge('a', 'watched')]).refusedBy === -1) admitted++
      }
      clock.advance(1000)
    }
    assert.equal(admitted, 5 + 29)
  })

  it('holds as many keys as it was made for, nearly all with budgets of their own', () => {
    const clock = new ManualClock()
    const table = tableOf(clock, 100_000)
    const counters = table.open([bucket('a', 2, slow)])
    for (let i = 0; i < 100_000; i++) counters.charge([charge('a', `key ${i}`, 2)])
    assert.ok(table.troubles.shared < 100, `${table.troubles.shared} of 100,000 had to share`)
    let forgotten = 0
    for (let i = 0; i < 100_000; i++) if (counters.peek([charge('a', `key ${i}`)]).refusedBy === -1) forgotten++
    assert.equal(forgotten, 0)
  })

  it('refuses what it cannot count under a concurrency limit, and loses none of the others', () => {
    const table = tableOf(new ManualClock(), 196)
    const counters = table.open([held('h', 1)])
    let count = 0
    const fill = (): void => {
      for (; ; count++) counters.charge([charge('h', `key ${count}`)])
    }
    assert.throws(fill, { code: 'overloaded' })
    assert.ok(count > 500)
    for (let i = 0; i < count; i++) assert.equal(counters.peek([charge('h', `key ${i}`)]).refusedBy, 0)
  })
})

describe('an edited limit', () => {
  it('keeps what was used of a bucket when it grows, shrinks, or is refilled at another rate', () => {
    assert.equal(remaining(used(bucket('a', 10), bucket('a', 20), 7).counters, 'a'), 13)
    assert.equal(remaining(used(bucket('a', 10), bucket('a', 8), 7).counters, 'a'), 1)
    assert.equal(remaining(used(bucket('a', 10), bucket('a', 10, { units: 1, periodMs: 60_000 }), 7).counters, 'a'), 3)
  })

  it('below what was used leaves nothing, and never less than that', () => {
    const { counters, clock } = used(bucket('a', 10), bucket('a', 4), 7)
    assert.equal(counters.peek([charge('a')]).levels[0].retryAfterMs, 500)
    clock.advance(500)
    assert.equal(remaining(counters, 'a'), 1)
  })

  it('keeps the window and its count', () => {
    for (const algorithm of ['fixed-window', 'sliding-log', 'sliding-window'] as const) {
      const { counters, clock } = used(windowed('w', algorithm, 10), windowed('w', algorithm, 12), 7)
      assert.equal(remaining(counters, 'w'), 5, algorithm)
      clock.advance(20_000)
      assert.equal(remaining(counters, 'w'), 12, algorithm)
    }
  })

  it('keeps the count when only the window changes', () => {
    for (const algorithm of ['fixed-window', 'sliding-log', 'sliding-window'] as const) {
      assert.equal(
        remaining(used(windowed('w', algorithm, 10), windowed('w', algorithm, 10, 60_000), 7).counters, 'w'),
        3,
        algorithm,
      )
    }
  })

  it('keeps what was used when its algorithm changes', () => {
    assert.equal(remaining(used(bucket('a', 10), windowed('a', 'fixed-window', 10), 7).counters, 'a'), 3)
    assert.equal(remaining(used(windowed('a', 'sliding-window', 10), bucket('a', 10), 7).counters, 'a'), 3)
    assert.equal(
      remaining(used(bucket('a', 10), { ...common, name: 'a', algorithm: 'quota', limit: 10, period: 'day' }, 7).counters, 'a'),
      3,
    )
  })

  it('keeps what is under way of a concurrency limit', () => {
    const { counters } = used(held('h', 4), held('h', 2), 3)
    assert.equal(counters.charge([charge('h')]).refusedBy, 0)
    counters.credit([charge('h', 'k', 2)])
    assert.equal(counters.charge([charge('h')]).refusedBy, -1)
  })

  it('is followed by a Generation that still knows the older edition', () => {
    const table = tableOf(new ManualClock())
    const older = table.open([bucket('a', 10)])
    const newer = table.open([bucket('a', 4)])
    older.charge([charge('a', 'k', 3)])
    assert.equal(remaining(newer, 'a'), 1)
    assert.equal(remaining(older, 'a'), 1)
    assert.equal(
      passing(older, 5, () => charge('a')),
      1,
    )
  })

  it('can be edited back', () => {
    const table = tableOf(new ManualClock())
    table.open([bucket('a', 10)]).charge([charge('a', 'k', 3)])
    table.open([bucket('a', 100)]).charge([charge('a', 'k', 3)])
    assert.equal(remaining(table.open([bucket('a', 10)]), 'a'), 4)
  })

  it('counts as used up what an edition left that is long forgotten', () => {
    const clock = new ManualClock()
    const memory = allocateLimitTable({ maxKeys: 1000, workers: 1 }, clock)
    const first = createLimitTable(memory, 0, clock).open([bucket('a', 10)])
    first.charge([charge('a', 'k', 1)])
    for (let i = 0; i < 2100; i++) createLimitTable(memory, 0, clock).open([bucket('a', 11 + i)])
    const last = createLimitTable(memory, 0, clock).open([bucket('a', 10)])
    assert.equal(remaining(last, 'a', 'another'), 10)
    assert.equal(remaining(last, 'a'), 0)
  })
})

describe('workers', () => {
  it('share budgets', () => {
    const { memory, clock } = twoWorkers()
    const [one, two] = [0, 1].map((worker) => createLimitTable(memory, worker, clock).open([bucket('a', 5)]))
    one.charge([charge('a', 'k', 3)])
    assert.equal(remaining(two, 'a'), 2)
  })

  it('share a concurrency limit; a dead one gives all its places back and the others keep theirs', () => {
    const { memory, clock } = twoWorkers()
    const [one, two] = [0, 1].map((worker) => createLimitTable(memory, worker, clock).open([held('h', 4)]))
    one.charge([charge('h', 'k', 3)])
    one.charge([charge('h', 'other')])
    two.charge([charge('h')])
    assert.equal(two.charge([charge('h')]).refusedBy, 0)
    assert.deepEqual(releaseWorker(memory, 0), { locks: 0, places: 4 })
    assert.deepEqual([remaining(two, 'h'), remaining(two, 'h', 'other')], [3, 4])
    two.credit([charge('h')])
    assert.equal(remaining(two, 'h'), 4)
  })

  it('have numbers, and memory of another kind is none of a table', () => {
    const { memory, clock } = twoWorkers()
    assert.throws(() => createLimitTable(memory, 3, clock), /made for workers 0 to 1, not 3/)
    assert.throws(() => createLimitTable(new SharedArrayBuffer(1 << 16), 0, clock), /not a limit table/)
    createLimitTable(memory, 2, clock).open([bucket('a', 5)])
  })

  it('cannot open a limit that cannot be counted', () => {
    const { memory, clock } = twoWorkers()
    assert.throws(() => createLimitTable(memory, 0, clock).open([bucket('a', 0)]), /limit a: capacity must be a whole number/)
    // The registry is free again.
    createLimitTable(memory, 1, clock).open([bucket('a', 1)])
  })
})
