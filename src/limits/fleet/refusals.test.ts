import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ManualClock } from '../../core/manual-clock.ts'
import type { FleetStep } from './fleet-client.ts'
import { Refusals } from './refusals.ts'

const limits = [{ kind: 'token-bucket' }] as unknown as FleetStep['limits']
const stepOf = (id: string): FleetStep => ({ id, limits, levels: [], isExact: true, hasPlaces: false })
const wait = { remaining: 0, retryAfterMs: 5000, resetAfterMs: 5000, unitAfterMs: 5000, delayMs: 0 }

describe('Refusals', () => {
  it('forgets whom it would not refuse any more as others come, though they never ask again', () => {
    const clock = new ManualClock()
    const refusals = new Refusals(clock)
    for (let n = 0; n < 10_000; n++) {
      refusals.remember(stepOf(`key-${n}`), { granted: 0, levels: [wait] })
      clock.advance(100)
    }
    // Ten come within the second for which each holds.
    assert.ok(refusals.size < 30, `${refusals.size} are remembered`)
    assert.notEqual(refusals.find('key-9999'), undefined)
  })
})
