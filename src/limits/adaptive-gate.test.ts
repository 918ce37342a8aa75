import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Exchange } from '../core/exchange.ts'
import { Fault } from '../core/fault.ts'
import { isPromise } from '../core/handler.ts'
import { ManualClock } from '../core/manual-clock.ts'
import { exchangeOf } from '../../test/support/exchange.ts'
import { CapacityWorld } from '../../test/support/capacity-world.ts'
import { AdaptiveGate } from './adaptive-gate.ts'
import { Place } from './capacity-gate.ts'
import { priorities } from './priority.ts'

/** Eight requests at a time, 10 ms each: 800 a second. */
const eightWorkers = (): CapacityWorld => new CapacityWorld(8, 10)

/** A gate at the start, with three places, and what its gauge shows. */
function gateOf(): { gate: AdaptiveGate; clock: ManualClock; told: () => number } {
  const clock = new ManualClock()
  let places = 0
  const gate = new AdaptiveGate(clock, { add: (n) => void (places += n) })
  return { gate, clock, told: () => places }
}

/** Takes that many places. */
function fill(gate: AdaptiveGate, rank: number, count: number): Place[] {
  return Array.from({ length: count }, () => {
    const place = new Place(rank, true)
    assert.equal(gate.enter(place, exchangeOf()), true)
    return place
  })
}

describe('a service that gets more than it can do', () => {
  it('keeps its latency and its throughput, for as long as that lasts', async () => {
    const world = new CapacityWorld(8, 10, { present: ['default'] })
    await world.run(5, { default: 400 })
    assert.equal(world.tallies.default.refused, 0)
    await world.run(5, { default: 2000 })
    await world.run(60, { default: 2000 })
    const { default: tally } = world.tallies
    assert.ok(tally.answered > 60 * 800 * 0.95, `${tally.answered} answered`)
    assert.ok(tally.percentile(0.99) < 40, `p99 ${tally.percentile(0.99)} ms`)
    // Neither a drift upwards, because the latency of an overload was taken for a usual one, nor an oscillation.
    assert.ok(
      Math.min(...world.places) >= 8 && Math.max(...world.places) <= 24,
      `${Math.min(...world.places)} to ${Math.max(...world.places)}`,
    )
  })

  it('keeps them also when the first thing that the gateway ever sees is the flood', async () => {
    for (const workers of [1, 4, 16]) {
      const world = new CapacityWorld(workers, 10, { present: ['default'] })
      await world.run(5, { default: workers * 250 })
      await world.run(20, { default: workers * 250 })
      const { default: tally } = world.tallies
      assert.ok(tally.answered > 20 * workers * 100 * 0.9, `${workers} workers: ${tally.answered} answered`)
      // Three places are the fewest there are: one worker has them as a queue, and believes that to be its rest.
      assert.ok(tally.percentile(0.99) < (workers === 1 ? 120 : 70), `${workers} workers: p99 ${tally.percentile(0.99)} ms`)
    }
  })

  it('answers what is critical about as quickly as ever, while what is sheddable is refused', async () => {
    const world = eightWorkers()
    await world.run(10, { critical: 100, default: 100, sheddable: 100 })
    const usual = world.tallies.critical.percentile(0.99)
    await world.run(5, { critical: 100, default: 100, sheddable: 3000 })
    await world.run(30, { critical: 100, default: 100, sheddable: 3000 })
    const { critical, default: standard, sheddable } = world.tallies
    assert.equal(critical.refused, 0)
    assert.ok(critical.percentile(0.99) < 3 * usual, `critical p99 ${critical.percentile(0.99)} ms, usually ${usual}`)
    assert.ok(standard.refusedShare < 0.01, `${standard.refused} refused by default`)
    assert.ok(sheddable.refusedShare > 0.7, `${sheddable.refused} shed`)
    assert.ok(critical.answered + standard.answered + sheddable.answered > 30 * 800 * 0.9)
  })

  it('gets the critical ones first when even they are too many', async () => {
    const world = eightWorkers()
    await world.run(10, { critical: 200, default: 200, sheddable: 200 })
    await world.run(30, { critical: 700, default: 700, sheddable: 700 })
    const { critical, default: standard, sheddable } = world.tallies
    assert.ok(critical.refusedShare < 0.1, `critical ${critical.refusedShare}`)
    assert.ok(standard.refusedShare > 0.6, `default ${standard.refusedShare}`)
    assert.ok(sheddable.refusedShare > standard.refusedShare)
  })
})

describe('a service that is slowed from 10 ms to 2 s', () => {
  it('is asked for little at once, never for nothing, and has all of its traffic back within seconds of its recovery', async () => {
    const world = eightWorkers()
    await world.run(10, { critical: 50, default: 100, sheddable: 200 })
    const before = world.limit
    world.workMs = 2000
    await world.run(20, { critical: 50, default: 100, sheddable: 200 })
    // The first slow answer comes after 2 s; long before, that nothing comes has been noticed.
    assert.ok(world.places[15] <= before / 2, `${world.places[15]} of ${before} places after 1.5 s`)
    assert.ok(Math.min(...world.places) >= 3)
    const { critical, sheddable } = world.tallies
    // Of 4 that it can do a second, those that matter get the larger part, though four times as many are sheddable.
    assert.ok(critical.answered > sheddable.answered, `${critical.answered} critical, ${sheddable.answered} sheddable`)
    assert.ok(sheddable.refusedShare > 0.95)
    world.workMs = 10
    await world.run(5, { critical: 50, default: 100, sheddable: 200 })
    await world.run(10, { critical: 50, default: 100, sheddable: 200 })
    for (const priority of priorities) assert.equal(world.tallies[priority].refused, 0, priority)
    assert.ok(world.tallies.critical.percentile(0.99) < 30)
  })
})

describe('a service that several workers of the gateway flood', () => {
  it('is not believed to be at rest then by any of them, however unevenly they share what comes', async () => {
    for (const [gates, workers] of [
      [2, 8],
      [4, 8],
      [8, 8],
    ]) {
      const world = new CapacityWorld(workers, 10, { gates })
      const capacity = workers * 100
      await world.run(10, { critical: capacity / 8, default: capacity / 8, sheddable: capacity / 8 })
      const flood = { critical: capacity / 8, default: capacity / 8, sheddable: 3 * capacity }
      await world.run(20, flood)
      await world.run(40, flood)
      const { critical, sheddable } = world.tallies
      const words = `${gates} before ${workers}`
      assert.equal(critical.refused, 0, words)
      assert.ok(critical.percentile(0.5) < 25, `${words}: critical p50 ${critical.percentile(0.5)} ms`)
      assert.ok(critical.percentile(0.99) < 60, `${words}: critical p99 ${critical.percentile(0.99)} ms`)
      assert.ok(sheddable.refusedShare > 0.7, words)
    }
  })

  it('is believed by all of them once it is slower by itself', async () => {
    const world = new CapacityWorld(8, 10, { gates: 4 })
    await world.run(20, { critical: 100, default: 100, sheddable: 3000 })
    world.workers = 1000
    world.workMs = 40
    await world.run(15, { critical: 500, default: 500, sheddable: 500 })
    await world.run(15, { critical: 500, default: 500, sheddable: 500 })
    for (const priority of priorities) assert.ok(world.tallies[priority].refusedShare < 0.001, priority)
  })
})

describe('a service that has become slower by itself', () => {
  it('is believed after a few seconds, and gets all of its traffic', async () => {
    const world = new CapacityWorld(1000, 10, { present: ['default'] })
    await world.run(10, { default: 2000 })
    world.workMs = 40
    await world.run(10, { default: 2000 })
    await world.run(20, { default: 2000 })
    assert.ok(world.tallies.default.refusedShare < 0.01, `${world.tallies.default.refusedShare}`)
    assert.ok(world.limit > 80)
  })
})

describe('a place', () => {
  it('is waited for: shortly, by rank, and never by what is sheddable', async () => {
    const { gate, clock } = gateOf()
    const [held] = fill(gate, 0, 3)
    assert.equal(gate.enter(new Place(2, true), exchangeOf()), false)
    const standard = gate.enter(new Place(1, true), exchangeOf())
    const critical = gate.enter(new Place(0, true), exchangeOf())
    assert.ok(isPromise(standard) && isPromise(critical))
    clock.advance(50)
    gate.leave(held, 'answered')
    assert.equal(await critical, true)
    clock.advance(51)
    assert.equal(await standard, false)
  })

  it('is not waited for by more than a few once the want lasts, but by what is critical', async () => {
    const { gate, clock } = gateOf()
    fill(gate, 0, 3)
    const wanting = (rank: number): (boolean | Promise<boolean>)[] =>
      Array.from({ length: 40 }, () => gate.enter(new Place(rank, true), exchangeOf()))
    const burst = wanting(1)
    assert.equal(burst.filter(isPromise).length, 32)
    clock.advance(102)
    assert.deepEqual(await Promise.all(burst.map((entered) => Promise.resolve(entered))), Array(40).fill(false))
    assert.equal(wanting(1).filter(isPromise).length, 2)
    assert.equal(wanting(0).filter(isPromise).length, 32)
    clock.advance(1100)
    assert.equal(wanting(1).filter(isPromise).length, 32)
    gate.close()
  })

  it('that comes free while the thread was busy is given to who waited for it, though his time is over', async () => {
    const { gate, clock } = gateOf()
    const [held] = fill(gate, 0, 3)
    const critical = gate.enter(new Place(0, true), exchangeOf())
    clock.advance(1000)
    gate.leave(held, 'answered')
    clock.advance(10)
    assert.equal(await critical, true)
  })

  it('is waited for by what is critical for a second', async () => {
    const { gate, clock } = gateOf()
    fill(gate, 0, 3)
    let isIn: boolean | undefined
    void Promise.resolve(gate.enter(new Place(0, true), exchangeOf())).then((entered) => (isIn = entered))
    clock.advance(1000)
    await Promise.resolve()
    assert.equal(isIn, undefined)
    clock.advance(1)
    await new Promise((resolve) => void setImmediate(resolve))
    assert.equal(isIn, false)
  })

  it('is not kept for a client that left while waiting', async () => {
    const { gate } = gateOf()
    const [held] = fill(gate, 0, 3)
    const x: Exchange = exchangeOf()
    const place = new Place(0, true)
    const entered = gate.enter(place, x)
    assert.ok(isPromise(entered))
    x.leave(new Fault('client-left'))
    await assert.rejects(entered, (fault: unknown) => fault instanceof Fault && fault.code === 'client-left')
    gate.leave(held, 'answered')
    assert.equal(place.isHeld, false)
    assert.equal(gate.hasPlace(0), true)
  })

  it('is left to what matters more, and what matters less keeps nobody out when the limit falls', () => {
    const { gate, clock, told } = gateOf()
    assert.equal(told(), 3)
    fill(gate, 2, 1)
    assert.deepEqual([gate.hasPlace(0), gate.hasPlace(1), gate.hasPlace(2)], [true, true, false])
    fill(gate, 1, 1)
    assert.deepEqual([gate.hasPlace(0), gate.hasPlace(1), gate.hasPlace(2)], [true, false, false])
    fill(gate, 0, 1)
    assert.deepEqual([gate.hasPlace(0), gate.hasPlace(1), gate.hasPlace(2)], [false, false, false])
    assert.match(
      gate.words(2),
      /^3 under way on this worker, 1 of 3 places are open to sheddable requests; latency not measured yet$/,
    )
    // Without routes of other priorities, all places are open.
    gate.serves(['sheddable'])
    assert.deepEqual([gate.hasPlace(0), gate.hasPlace(1), gate.hasPlace(2)], [false, false, false])
    gate.close()
    assert.equal(told(), 0)
    clock.advance(1)
  })

  it('of a body that is still coming says nothing of the service', () => {
    const { gate, clock, told } = gateOf()
    for (let i = 0; i < 200; i++) {
      const place = new Place(1, false)
      assert.equal(gate.enter(place, exchangeOf()), true)
      clock.advance(i < 100 ? 10 : 30_000)
      gate.leave(place, 'answered')
    }
    assert.equal(told(), 3)
    assert.match(gate.words(1), /latency not measured yet/)
  })
})
