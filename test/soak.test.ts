// What the soak judges by: a ledger that misses nothing, and trends that tell leaks from noise.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { leftMemory } from '../proof/soak/left-memory.ts'
import { Ledger } from '../proof/soak/ledger.ts'
import type { Arrival } from '../proof/soak/ledger.ts'
import { floorsOf, isFlat, mediansOf, trendOf } from '../proof/soak/trend.ts'
import type { Point } from '../proof/soak/trend.ts'

/** A heap that goes up and down like a saw, with `leak` per second beneath. */
function saw(leak: number): Point[] {
  return Array.from({ length: 240 }, (_, i) => [i * 5, 50 + leak * i * 5 + ((i * 37) % 20)])
}

describe('the trend of the soak', () => {
  it('is flat for a saw, and not for a saw that creeps', () => {
    const hour = 3600
    assert.ok(isFlat(trendOf(floorsOf(saw(0), 20)), 0.1))
    assert.ok(!isFlat(trendOf(floorsOf(saw(0.01), 20)), 8))
    assert.ok(Math.abs(trendOf(floorsOf(saw(0.01), 20)).slope - 0.01 * hour) < 3)
    assert.ok(!isFlat(trendOf(mediansOf(saw(0.01), 20)), 8))
  })

  it('is not moved by a few wild readings', () => {
    const points = saw(0).map(([at, value], i): Point => [at, i % 50 === 0 ? value * 100 : value])
    assert.ok(isFlat(trendOf(mediansOf(points, 20)), 5))
  })

  it('says nothing of too few readings', () => {
    assert.deepEqual(trendOf([[0, 1]]), { slope: 0, noise: 0, rise: 0 })
    assert.deepEqual(floorsOf([], 20), [])
  })
})

describe('what is left of memory after collections', () => {
  it('is summed over workers, and says nothing while one of them has not collected yet', (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'velum-soak-left-'))
    t.after(() => rmSync(folder, { recursive: true }))
    assert.deepEqual(leftMemory(join(folder, 'none yet'), 2), {})
    writeFileSync(join(folder, 'main'), '30 3')
    writeFileSync(join(folder, 'worker-0'), '100 10')
    writeFileSync(join(folder, 'worker-1.new'), '')
    assert.deepEqual(leftMemory(folder, 2), {})
    writeFileSync(join(folder, 'worker-1'), '200 20')
    assert.deepEqual(leftMemory(folder, 2), {
      'heap left of main': 30,
      'heap left of workers': 300,
      'external memory left of main': 3,
      'external memory left of workers': 30,
    })
  })
})

const after = (arrivals: number, arrival: Arrival): Ledger => {
  const ledger = new Ledger()
  const id = ledger.begin('a')
  for (let i = 0; i < arrivals; i++) ledger.arrived(id)
  ledger.settle(id, arrival)
  return ledger
}

describe('the ledger of the soak', () => {
  it('misses no request that got lost, came twice, or came although it was refused', () => {
    assert.equal(after(0, 'once').lost, 1)
    assert.equal(after(2, 'once').doubled, 1)
    assert.equal(after(2, 'at-most-once').doubled, 1)
    assert.equal(after(0, 'once-or-more').lost, 1)
    assert.equal(after(1, 'never').wrong.size, 1)
  })

  it('finds nothing wrong where nothing is', () => {
    const fine: [number, Arrival][] = [
      [1, 'once'],
      [0, 'at-most-once'],
      [1, 'at-most-once'],
      [3, 'once-or-more'],
      [0, 'never'],
    ]
    for (const [arrivals, arrival] of fine) {
      const { wrong, lost, doubled, strangers } = after(arrivals, arrival)
      assert.deepEqual([wrong.size, lost, doubled, strangers], [0, 0, 0, 0], `${arrivals} ${arrival}`)
    }
    assert.equal(after(3, 'once-or-more').tally('a').retries, 2)
  })

  it('sees a second arrival after the answer, and what nobody sent', () => {
    const ledger = new Ledger()
    const id = ledger.begin('a')
    ledger.arrived(id)
    ledger.settle(id, 'once')
    ledger.rotate()
    ledger.arrived(id)
    assert.equal(ledger.doubled, 1)
    ledger.arrived('b.1')
    assert.equal(ledger.strangers, 1)
    assert.equal(ledger.open, 0)
  })
})
