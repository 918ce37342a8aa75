import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { AdaptiveLimit } from './adaptive-limit.ts'

type Outcome = 'failed' | 'ended' | number

/** A limit whose places are all used, in rounds: every one of them ends after `spanMs` with this outcome. */
class Rounds {
  readonly limit = new AdaptiveLimit()
  #now = 0

  go(rounds: number, outcome: Outcome, spanMs = typeof outcome === 'number' ? outcome : 10, most = Infinity): this {
    for (let round = 0; round < rounds; round++) {
      const count = Math.min(most, this.limit.places)
      for (let i = 0; i < count; i++) {
        this.limit.asked(this.#now)
        this.limit.began(this.#now)
      }
      this.#now += spanMs
      for (let i = 0; i < count; i++) {
        if (typeof outcome === 'number') this.limit.answered(outcome, this.#now)
        else this.limit[outcome](this.#now)
      }
    }
    return this
  }

  /** Callers who give up after so long. */
  giveUp(rounds: number, ms: number): this {
    for (let round = 0; round < rounds; round++) {
      const count = this.limit.places
      for (let i = 0; i < count; i++) this.limit.began(this.#now)
      this.#now += ms
      for (let i = 0; i < count; i++) this.limit.gaveUp(ms, this.#now)
    }
    return this
  }
}

describe('an adaptive limit', () => {
  it('doubles at first, while answers are as quick as at rest', () => {
    const { limit } = new Rounds().go(100, 10)
    assert.ok(limit.places > 1000, `${limit.places}`)
    assert.equal(limit.restMs, 10)
    assert.equal(new Rounds().go(1000, 10).limit.places, 4096)
  })

  it('falls when answers take longer than twice what they take at rest, and 5 ms more are no reason', () => {
    const rounds = new Rounds().go(40, 10)
    const before = rounds.limit.places
    rounds.go(10, 19)
    assert.ok(rounds.limit.places >= before)
    const high = rounds.limit.places
    rounds.go(20, 30)
    assert.ok(rounds.limit.places < high / 2, `${rounds.limit.places} of ${high}`)
    const quick = new Rounds().go(100, 1)
    const many = quick.limit.places
    quick.go(100, 5)
    assert.ok(quick.limit.places >= many)
  })

  it('never falls below three, whatever happens', () => {
    for (const outcome of [5000, 'failed', 'ended'] as const) {
      const { limit } = new Rounds().go(20, 10).go(200, outcome)
      assert.ok(limit.places >= 3, `${outcome}: ${limit.places}`)
    }
  })

  it('falls on failures that say "too much", and learns nothing from other ends, however quick', () => {
    const rounds = new Rounds().go(40, 10)
    const before = rounds.limit.places
    rounds.go(100, 'ended', 1)
    assert.equal(rounds.limit.places, before)
    assert.equal(rounds.limit.restMs, 10)
    rounds.go(40, 'failed')
    assert.ok(rounds.limit.places < before / 2)
    assert.equal(rounds.limit.restMs, 10)
  })

  it('does not believe callers who give up early, and does believe those who waited for longer than answers may take', () => {
    const rounds = new Rounds().go(40, 10)
    const before = rounds.limit.places
    rounds.giveUp(200, 5)
    assert.equal(rounds.limit.places, before)
    rounds.giveUp(20, 500)
    assert.ok(rounds.limit.places < before / 2)
  })

  it('does not take the latency of an overload for rest, though it lasts for an hour', () => {
    const rounds = new Rounds().go(5, 10)
    let most = 0
    for (let elapsedMs = 0; elapsedMs < 3_600_000;) {
      // Eight at a time, 10 ms each; the others queue.
      const latencyMs = 10 * Math.max(1, rounds.limit.places / 8)
      rounds.go(1, latencyMs)
      elapsedMs += latencyMs
      most = Math.max(most, rounds.limit.places)
    }
    assert.equal(rounds.limit.restMs, 10)
    assert.ok(
      most < 64 && rounds.limit.places >= 8 && rounds.limit.places <= 24,
      `at most ${most}, ${rounds.limit.places} at the end`,
    )
  })

  it('stays where it is without load, for a day', () => {
    const rounds = new Rounds().go(4, 10)
    const before = rounds.limit.places
    rounds.go(86_400, 10, 1000, 1)
    assert.equal(rounds.limit.places, before)
  })
})
