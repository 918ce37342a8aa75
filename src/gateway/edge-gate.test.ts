import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { describe, it } from 'node:test'
import { CountingMeter } from '../../test/support/policy-env.ts'
import type { LogFields } from '../core/log.ts'
import { silentLog } from '../core/log.ts'
import { ManualClock } from '../core/manual-clock.ts'
import type { EdgeBounds } from '../limits/edge-limits.ts'
import { allocateLimitTable, createLimitTable } from '../limits/limit-table.ts'
import type { LimitTable } from '../limits/limit-table.ts'
import { releaseWorker } from '../limits/release-worker.ts'
import { EdgeGate } from './edge-gate.ts'

/** Workers of one node, each with its gate, over one table. */
class Node {
  readonly clock = new ManualClock()
  readonly meter = new CountingMeter()
  readonly lines: [string, LogFields | undefined][] = []
  readonly memory: SharedArrayBuffer

  constructor(maxHeld = 1000) {
    this.memory = allocateLimitTable({ maxKeys: 1000, maxHeld, workers: 2 }, this.clock)
  }

  gate(bounds: EdgeBounds, worker = 0, over: Partial<{ table: LimitTable; isTls: boolean }> = {}): EdgeGate {
    return new EdgeGate({
      listener: 'web',
      bounds,
      isTls: true,
      isExempt: (address) => address === '10.0.0.1',
      table: createLimitTable(this.memory, worker, this.clock),
      clock: this.clock,
      meter: this.meter,
      log: { ...silentLog, warn: (message, fields) => void this.lines.push([message, fields]) },
      ...over,
    })
  }
}

function socket(): Socket {
  return new EventEmitter() as Socket
}

function handshaken(isReused: boolean): TLSSocket {
  return { isSessionReused: () => isReused } as TLSSocket
}

function admitted(gate: EdgeGate, count: number, address = '192.0.2.1'): number {
  return Array.from({ length: count }, () => gate.admits(address, socket())).filter(Boolean).length
}

describe('connections of an address', () => {
  it('are counted while they are open', () => {
    const gate = new Node().gate({ connectionsPerAddress: 3 })
    const open = Array.from({ length: 4 }, socket)
    assert.deepEqual(
      open.map((one) => gate.admits('192.0.2.1', one)),
      [true, true, true, false],
    )
    assert.equal(admitted(gate, 4, '192.0.2.2'), 3)
    open[3].emit('close')
    assert.equal(admitted(gate, 1), 0, 'the end of one that was refused frees nothing')
    open[0].emit('close')
    assert.equal(admitted(gate, 2), 1)
  })

  it('are counted exactly over workers, and what a dead one held is free', () => {
    const node = new Node()
    const [first, second] = [node.gate({ connectionsPerAddress: 5 }), node.gate({ connectionsPerAddress: 5 }, 1)]
    assert.equal(admitted(first, 2), 2)
    assert.equal(admitted(second, 9), 3)
    assert.equal(admitted(first, 1), 0)
    releaseWorker(node.memory, 1)
    assert.equal(admitted(first, 9), 3)
  })

  it('are those of a whole /64, and of one IPv4 address', () => {
    const gate = new Node().gate({ connectionsPerAddress: 1 })
    assert.equal(gate.admits('2001:db8:1:2::1', socket()), true)
    assert.equal(gate.admits('2001:db8:1:2:ffff::9', socket()), false)
    assert.equal(gate.admits('2001:db8:1:3::1', socket()), true)
    assert.equal(gate.admits('192.0.2.1', socket()), true)
  })

  it('of a trusted proxy are not bounded', () => {
    assert.equal(
      admitted(new Node().gate({ connectionsPerAddress: 1, connectionRate: { units: 1, periodMs: 1000 } }), 50, '10.0.0.1'),
      50,
    )
  })

  it('stay counted through a change of the bound', () => {
    const node = new Node()
    const [one, other] = [socket(), socket()]
    const before = node.gate({ connectionsPerAddress: 2 })
    assert.deepEqual([before.admits('192.0.2.1', one), before.admits('192.0.2.1', other)], [true, true])
    const after = node.gate({ connectionsPerAddress: 3 })
    assert.equal(admitted(after, 2), 1)
    one.emit('close')
    assert.equal(admitted(after, 2), 1)
  })

  it('are let in uncounted when there are more addresses than can be counted', () => {
    const node = new Node(1)
    const gate = node.gate({ connectionsPerAddress: 1 })
    const open = Array.from({ length: 300 }, (_, i) => gate.admits(`192.0.${i >> 8}.${i & 255}`, socket()))
    assert.ok(open.every(Boolean))
    assert.ok(node.meter.counts.get('velum_connections_uncounted_total web')! > 200)
    assert.equal(gate.admits('192.0.0.0', socket()), false, 'who is counted is bounded still')
  })

  it('are given back however long that takes', async () => {
    const node = new Node()
    const table = createLimitTable(node.memory, 0, node.clock)
    let failures = 3
    const stubborn: LimitTable = {
      ...table,
      open(specs) {
        const counters = table.open(specs)
        return {
          charge: (charges) => counters.charge(charges),
          peek: (charges) => counters.peek(charges),
          debit: (charges) => counters.debit(charges),
          credit(charges) {
            if (failures-- > 0) throw new Error('a lock does not come free')
            counters.credit(charges)
          },
        }
      },
    }
    const gate = node.gate({ connectionsPerAddress: 1 }, 0, { table: stubborn })
    const one = socket()
    assert.equal(gate.admits('192.0.2.1', one), true)
    one.emit('close')
    assert.equal(admitted(gate, 1), 0)
    node.clock.advance(250)
    assert.equal(admitted(gate, 1), 0)
    node.clock.advance(100)
    assert.equal(admitted(gate, 1), 1)
  })
})

describe('the rate of connections of an address', () => {
  it('lets a period come at once, and is not spent by what is refused', () => {
    const node = new Node()
    const gate = node.gate({ connectionRate: { units: 10, periodMs: 1000 }, connectionsPerAddress: 1000 })
    assert.equal(admitted(gate, 50), 10)
    node.clock.advance(99)
    assert.equal(admitted(gate, 50), 0)
    node.clock.advance(1)
    assert.equal(admitted(gate, 50), 1)
    assert.equal(node.meter.counts.get('velum_connections_refused_total web connection-rate'), 40 + 50 + 49)
  })

  it('of handshakes gives back those that were resumed', () => {
    const gate = new Node().gate({ handshakeRate: { units: 2, periodMs: 60_000 } })
    assert.equal(admitted(gate, 3), 2)
    gate.handshaken('192.0.2.1', handshaken(false))
    assert.equal(admitted(gate, 1), 0)
    gate.handshaken('192.0.2.1', handshaken(true))
    assert.equal(admitted(gate, 3), 1)
  })

  it('of handshakes does not count where there is no TLS', () => {
    assert.equal(admitted(new Node().gate({ handshakeRate: { units: 2, periodMs: 60_000 } }, 0, { isTls: false }), 9), 9)
  })
})

describe('what was closed', () => {
  it('is told once in a while, with its label, for a bounded number of addresses', () => {
    const node = new Node()
    const gate = node.gate({ connectionsPerAddress: 1 })
    admitted(gate, 4)
    for (let i = 0; i < 30; i++) admitted(gate, 2, `198.51.100.${i}`)
    assert.deepEqual(node.lines, [])
    node.clock.advance(10_000)
    assert.equal(node.lines.length, 17)
    assert.deepEqual(node.lines[0], [
      'connections were closed at the edge',
      { label: 'edge:connections-per-address', listener: 'web', address: '192.0.2.1', connections: 3 },
    ])
    assert.deepEqual(node.lines[16][1], { listener: 'web', connections: 15 })
    node.clock.advance(60_000)
    assert.equal(node.lines.length, 17)
  })
})
