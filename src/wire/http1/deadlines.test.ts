import assert from 'node:assert/strict'
import { Socket } from 'node:net'
import { beforeEach, describe, test } from 'node:test'
import { ManualClock } from '../../core/manual-clock.ts'
import { Sweeper } from '../../core/sweeper.ts'
import type { ServerWireOptions } from '../server-wire.ts'
import { bodyWaitMs } from '../body-pace.ts'
import { Deadlines } from './deadlines.ts'

const limits = { idleMs: 1000, writeMs: 500, bodyMs: 100, minBodyRate: 10 } as ServerWireOptions['limits']

describe('Deadlines', () => {
  let clock: ManualClock
  let said: string[]
  let unsent: number
  let deadlines: Deadlines

  beforeEach(() => {
    clock = new ManualClock()
    said = []
    unsent = 100
    const socket = new Socket()
    Object.defineProperty(socket, 'writableLength', { get: () => unsent })
    const owner = { readOverdue: () => void said.push('read'), writeOverdue: () => void said.push('write') }
    deadlines = new Deadlines({ clock, limits } as unknown as ServerWireOptions, socket, owner)
    new Sweeper(clock, 10).watch(deadlines)
  })

  test('an idle connection has its time, and then one word', () => {
    clock.advance(990)
    assert.deepEqual(said, [])
    clock.advance(5000)
    assert.deepEqual(said, ['read'])
  })

  test('what is no longer awaited is not missed', () => {
    deadlines.awaitInput(50)
    deadlines.awaitInput(Infinity)
    clock.advance(5000)
    assert.deepEqual(said, [])
  })

  test('input and output are timed apart', () => {
    deadlines.awaitInput(2000)
    deadlines.awaitOutput()
    clock.advance(600)
    assert.deepEqual(said, ['write'])
    clock.advance(2000)
    assert.deepEqual(said, ['write', 'read'])
  })

  test('a client that takes something, however little, gets the time again', () => {
    deadlines.awaitInput(Infinity)
    deadlines.awaitOutput()
    for (; unsent > 95; unsent--) {
      clock.advance(480)
      assert.deepEqual(said, [])
    }
    clock.advance(1100)
    assert.deepEqual(said, ['write'])
  })
})

describe('bodyWaitMs', () => {
  test('is bodyMs at first, then what the bytes have earned', () => {
    assert.equal(bodyWaitMs(limits, 0, 0), 100)
    assert.equal(bodyWaitMs(limits, 0, 60), 40)
    assert.equal(bodyWaitMs(limits, 0, 100), 0)
    assert.equal(bodyWaitMs(limits, 10, 950), 50)
    assert.equal(bodyWaitMs(limits, 1000, 950), 100)
    assert.equal(bodyWaitMs({ ...limits, minBodyRate: 0 }, 0, 9999), 100)
  })
})
