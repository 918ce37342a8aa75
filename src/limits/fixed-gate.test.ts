import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ManualClock } from '../core/manual-clock.ts'
import { Place } from './capacity-gate.ts'
import { FixedGate, fixedGateSpec } from './fixed-gate.ts'
import { allocateLimitTable, createLimitTable } from './limit-table.ts'
import { placesOf } from './priority.ts'
import type { Priority } from './priority.ts'
import { releaseWorker } from './release-worker.ts'

const workers = 3

/** A gate of ten places, as each of three workers sees it. */
function node(limit = 10, present: readonly Priority[] = ['critical', 'default', 'sheddable']) {
  const clock = new ManualClock()
  const memory = allocateLimitTable({ maxKeys: 1000, workers }, clock)
  const gateOf = (worker: number, places = limit): FixedGate =>
    new FixedGate('shop', places, present, createLimitTable(memory, worker, clock).open([fixedGateSpec('shop', places)]))
  return { memory, gateOf, gates: Array.from({ length: workers }, (_, worker) => gateOf(worker)) }
}

/** Enters until it is refused; the places it got. */
function fill(gate: FixedGate, rank: number): Place[] {
  const places: Place[] = []
  for (;;) {
    const place = new Place(rank, true)
    if (!gate.enter(place)) return places
    places.push(place)
  }
}

describe('a fixed number of places', () => {
  it('is exact over all workers, by priority', () => {
    const { gates } = node()
    const sheddable = [...fill(gates[0], 2), ...fill(gates[1], 2), ...fill(gates[2], 2)]
    assert.equal(sheddable.length, 6)
    assert.deepEqual([gates[1].hasPlace(0), gates[1].hasPlace(1), gates[1].hasPlace(2)], [true, true, false])
    const standard = [...fill(gates[2], 1), ...fill(gates[0], 1)]
    assert.equal(standard.length, 2)
    assert.equal(fill(gates[1], 0).length, 2)
    assert.equal(fill(gates[0], 0).length, 0)
    assert.equal(gates[0].words(2), '10 under way, 6 of 10 places are open to sheddable requests')
    gates[0].leave(sheddable[0])
    assert.deepEqual([gates[1].hasPlace(0), gates[1].hasPlace(1), gates[1].hasPlace(2)], [true, false, false])
  })

  it('is all open to one priority when no route has another', () => {
    const { gates } = node(64, ['sheddable'])
    assert.equal(fill(gates[0], 2).length, 64)
  })

  it('is freed of what a dead worker held', () => {
    const { gates, memory } = node()
    fill(gates[0], 0)
    assert.equal(gates[1].hasPlace(0), false)
    assert.deepEqual(releaseWorker(memory, 0), { locks: 0, places: 10 })
    assert.equal(fill(gates[1], 0).length, 10)
  })

  it('may be edited while places are held', () => {
    const { gates, gateOf } = node()
    const held = fill(gates[0], 0)
    const smaller = gateOf(1, 5)
    for (const place of held.slice(0, 5)) gates[0].leave(place)
    assert.equal(smaller.hasPlace(0), false)
    gates[0].leave(held[5])
    assert.equal(smaller.hasPlace(0), true)
  })
})

describe('the places of a priority', () => {
  it('are all but a fifth for each one above it that has routes, and never none', () => {
    assert.deepEqual(placesOf(100, ['critical', 'default', 'sheddable']), [100, 80, 60])
    assert.deepEqual(placesOf(100, ['critical', 'sheddable']), [100, 80, 80])
    assert.deepEqual(placesOf(100, ['default', 'sheddable']), [100, 100, 80])
    assert.deepEqual(placesOf(100, ['default']), [100, 100, 80])
    assert.deepEqual(placesOf(3, ['critical', 'default', 'sheddable']), [3, 2, 1])
    assert.deepEqual(placesOf(1, ['critical', 'default', 'sheddable']), [1, 1, 1])
  })
})
