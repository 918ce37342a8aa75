import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ManualClock } from '../../core/manual-clock.ts'
import { createTicketKeys } from './ticket-keys.ts'

const hourMs = 3_600_000
const secret = Buffer.alloc(32, 9)

describe('ticket keys', () => {
  it('are 48 bytes, the same on every node that has the secret', () => {
    const clock = new ManualClock()
    const one = createTicketKeys({ secret, clock, changed() {} })
    const other = createTicketKeys({ secret, clock, changed() {} })
    assert.equal(one.current.length, 48)
    assert.deepEqual(one.current, other.current)
    const stranger = createTicketKeys({ secret: Buffer.alloc(32, 8), clock, changed() {} })
    assert.notDeepEqual(one.current, stranger.current)
  })

  it('change at the period, once, and are told', () => {
    const clock = new ManualClock(100 * 12 * hourMs + hourMs / 2)
    const told: Uint8Array[] = []
    const keys = createTicketKeys({ secret, clock, changed: (k) => void told.push(k) })
    const earlier = keys.current
    clock.advance(11.4 * hourMs)
    assert.equal(told.length, 0)
    clock.advance(0.2 * hourMs)
    assert.equal(told.length, 1)
    assert.deepEqual(told[0], keys.current)
    assert.notDeepEqual(keys.current, earlier)
    keys.close()
    clock.advance(48 * hourMs)
    assert.equal(told.length, 1)
  })

  it('follow a wall clock that was put right', () => {
    const clock = new ManualClock(100 * 12 * hourMs)
    const keys = createTicketKeys({ secret, clock, changed() {} })
    const earlier = keys.current
    clock.setNow(200 * 12 * hourMs)
    clock.advance(hourMs)
    assert.notDeepEqual(keys.current, earlier)
  })
})
