import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { Timer } from './clock.ts'
import { ManualClock } from './manual-clock.ts'
import type { Due } from './sweeper.ts'
import { Sweeper } from './sweeper.ts'

class Deadline implements Due {
  dueAt: number
  readonly firedAt: number[] = []
  readonly #onDue: (due: Deadline) => void

  constructor(dueAt: number, onDue: (due: Deadline) => void = (due) => (due.dueAt = Infinity)) {
    this.dueAt = dueAt
    this.#onDue = onDue
  }

  onDue(now: number): void {
    this.firedAt.push(now)
    this.#onDue(this)
  }
}

describe('sweeper', () => {
  it('fires a deadline at most one tick late and never early', () => {
    const clock = new ManualClock()
    const sweeper = new Sweeper(clock, 50)
    const due = new Deadline(120)
    sweeper.watch(due)
    clock.advance(119)
    assert.deepEqual(due.firedAt, [])
    clock.advance(51)
    assert.deepEqual(due.firedAt, [150])
    clock.advance(500)
    assert.deepEqual(due.firedAt, [150])
  })

  it('follows a deadline that is moved by assignment', () => {
    const clock = new ManualClock()
    const sweeper = new Sweeper(clock, 50)
    const due = new Deadline(100)
    sweeper.watch(due)
    clock.advance(60)
    due.dueAt = 300
    clock.advance(200)
    assert.deepEqual(due.firedAt, [])
    clock.advance(100)
    assert.deepEqual(due.firedAt, [300])
  })

  it('asks again every tick while the deadline stays in the past', () => {
    const clock = new ManualClock()
    const sweeper = new Sweeper(clock, 50)
    const due = new Deadline(0, () => {})
    sweeper.watch(due)
    clock.advance(150)
    assert.deepEqual(due.firedAt, [50, 100, 150])
  })

  it('forgets what is unwatched, also in the middle of a sweep, and takes new ones then', () => {
    const clock = new ManualClock()
    const sweeper = new Sweeper(clock, 50)
    const second = new Deadline(0)
    const third = new Deadline(60)
    sweeper.watch(
      new Deadline(0, (due) => {
        sweeper.unwatch(due)
        sweeper.unwatch(second)
        sweeper.watch(third)
      }),
    )
    sweeper.watch(second)
    clock.advance(100)
    assert.deepEqual(second.firedAt, [])
    assert.deepEqual(third.firedAt, [100])
  })

  it('keeps no timer while nothing is watched, and none after it was closed', () => {
    let timers = 0
    class CountingClock extends ManualClock {
      override after(delayMs: number, run: () => void): Timer {
        timers++
        return super.after(delayMs, run)
      }
    }
    const clock = new CountingClock()
    const sweeper = new Sweeper(clock, 50)
    assert.equal(timers, 0)
    const due = new Deadline(Infinity)
    sweeper.watch(due)
    assert.equal(timers, 1)
    sweeper.unwatch(due)
    clock.advance(50)
    clock.advance(500)
    assert.equal(timers, 1)
    sweeper.watch(due)
    assert.equal(timers, 2)
    sweeper.close()
    clock.advance(500)
    assert.equal(timers, 2)
  })

  it('asks each of those watched once in a sweep, whoever leaves or comes meanwhile', () => {
    const action = fc.tuple(fc.constantFrom('watch', 'unwatch', 'leaves', 'sends away', 'sweep'), fc.nat(9), fc.nat(9))
    fc.assert(
      fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
        const clock = new ManualClock()
        const sweeper = new Sweeper(clock, 50)
        const watched = new Set<number>()
        const leaving = new Map<number, number>()
        let asked: number[] = []
        const all = Array.from(
          { length: 10 },
          (_, me) =>
            new Deadline(0, () => {
              asked.push(me)
              const other = leaving.get(me)
              if (other === undefined) return
              sweeper.unwatch(all[other])
              watched.delete(other)
            }),
        )
        for (const [what, one, other] of actions) {
          if (what === 'watch') watched.add(one)
          if (what === 'watch') sweeper.watch(all[one])
          if (what === 'unwatch') watched.delete(one)
          if (what === 'unwatch') sweeper.unwatch(all[one])
          if (what === 'leaves') leaving.set(one, one)
          if (what === 'sends away') leaving.set(one, other)
          if (what !== 'sweep') continue
          const before = new Set(watched)
          asked = []
          clock.advance(50)
          assert.equal(new Set(asked).size, asked.length)
          for (const each of asked) assert.ok(before.has(each))
          for (const each of watched) assert.ok(asked.includes(each))
        }
      }),
    )
  })

  it('goes on sweeping after a deadline that threw', () => {
    const clock = new ManualClock()
    const sweeper = new Sweeper(clock, 50)
    const bad = new Deadline(0, (due) => {
      due.dueAt = Infinity
      throw new Error('a bug')
    })
    const good = new Deadline(0)
    sweeper.watch(bad)
    sweeper.watch(good)
    assert.throws(() => clock.advance(50), /a bug/)
    clock.advance(50)
    assert.deepEqual(good.firedAt, [100])
  })
})
