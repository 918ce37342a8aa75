import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { LocalHub } from '../../test/support/local-hub.ts'
import { Fault } from '../core/fault.ts'
import { silentLog } from '../core/log.ts'
import { ManualClock } from '../core/manual-clock.ts'
import { silentMeter } from '../core/meter.ts'
import { NodeTargets } from './node-targets.ts'
import type { ServiceSpec } from './service-spec.ts'
import { Standing } from './standing.ts'
import { StandingBoard } from './standing-board.ts'
import { tryEnd } from './try-end.ts'

const eject = { failures: 2, baseMs: 1000 }
const service: ServiceSpec = {
  name: 'orders',
  targets: [{ url: 'http://10.0.0.1:1', protocol: 'http', tls: false, host: '10.0.0.1', port: 1, weight: 1 }],
  balance: 'round-robin',
  timeoutMs: 1000,
  connectTimeoutMs: 1000,
  idleMs: 1000,
  maxConnections: 1,
  attempts: 1,
  eject,
  identity: 'none',
  audience: 'orders',
}

interface World {
  readonly clock: ManualClock
  readonly hub: LocalHub
  readonly main: NodeTargets
  standing(worker: number): Standing
  /** A try at the target that ends at once. */
  fail(standing: Standing, reason?: string): void
  succeed(standing: Standing): void
}

function world(): World {
  const clock = new ManualClock()
  clock.advance(1)
  const hub = new LocalHub()
  const main = new NodeTargets(hub, { clock, log: silentLog, meter: silentMeter })
  main.commit([service])
  const now = (): number => clock.monotonic()
  return {
    clock,
    hub,
    main,
    standing: (worker) =>
      new Standing({ service: 'orders', address: '10.0.0.1:1', eject, board: new StandingBoard(hub.link(worker), clock) }),
    fail: (standing, reason = '503') => standing.note(standing.enter(clock), now(), 'failed', reason),
    succeed: (standing) => standing.note(standing.enter(clock), now(), 'good', ''),
  }
}

describe('standing of a target', () => {
  it('is lost on every worker by failures in a row on one, and comes back with time', () => {
    const w = world()
    const [one, other] = [w.standing(0), w.standing(1)]
    w.fail(one)
    w.succeed(one)
    w.fail(one)
    assert.ok(one.isUsable(w.clock.monotonic()))
    w.fail(one)
    assert.ok(!one.isUsable(w.clock.monotonic()))
    assert.ok(!other.isUsable(w.clock.monotonic()))
    assert.deepEqual(w.main.status('orders', '10.0.0.1:1'), { state: 'ejected', out: { reason: '503', forMs: 1000 } })
    w.clock.advance(1000)
    assert.ok(one.isUsable(w.clock.monotonic()) && other.isUsable(w.clock.monotonic()))
    assert.deepEqual(w.main.status('orders', '10.0.0.1:1'), { state: 'in' })
  })

  it('is lost again by the first failure on trial, for twice as long, until it did well for long', () => {
    const w = world()
    const standing = w.standing(0)
    w.fail(standing)
    w.fail(standing)
    for (const spanMs of [2000, 4000]) {
      w.clock.advance(w.main.status('orders', '10.0.0.1:1').out!.forMs)
      w.fail(standing)
      assert.equal(w.main.status('orders', '10.0.0.1:1').out?.forMs, spanMs)
    }
    w.clock.advance(4000 + 60_000)
    w.succeed(standing)
    w.fail(standing)
    w.fail(standing)
    assert.equal(w.main.status('orders', '10.0.0.1:1').out?.forMs, 1000)
  })

  it('is never lost for longer than five minutes', () => {
    const w = world()
    const standing = w.standing(0)
    w.fail(standing)
    for (let i = 0; i < 12; i++) {
      w.fail(standing)
      w.clock.advance(w.main.status('orders', '10.0.0.1:1').out!.forMs)
    }
    w.fail(standing)
    assert.equal(w.main.status('orders', '10.0.0.1:1').out?.forMs, 300_000)
  })

  it('is regained by an answer to a call that was sent to it while it was out, and by no earlier one', () => {
    const w = world()
    const [one, other] = [w.standing(0), w.standing(1)]
    const now = w.clock.monotonic()
    const before = one.enter(w.clock)
    w.fail(one)
    w.fail(one)
    one.note(before, now, 'good', '')
    assert.ok(!one.isUsable(now))
    w.succeed(one)
    assert.ok(one.isUsable(now) && other.isUsable(now))
  })

  it('lets one call find out whether a connection comes about, while none did', () => {
    const w = world()
    const standing = w.standing(0)
    w.fail(standing, 'service-refused')
    w.fail(standing, 'service-refused')
    assert.ok(standing.mayTryAnyway)
    const wasOut = standing.enter(w.clock)
    assert.ok(!standing.mayTryAnyway)
    standing.note(wasOut, w.clock.monotonic(), 'good', '')
    standing.enter(w.clock)
    assert.ok(standing.mayTryAnyway)
  })

  it('is known to a worker that starts later, and forgotten with the configuration', async () => {
    const w = world()
    const standing = w.standing(0)
    w.fail(standing)
    w.fail(standing)
    const late = w.standing(1)
    await new Promise((resolve) => setImmediate(resolve))
    assert.ok(!late.isUsable(w.clock.monotonic()))
    w.main.commit([])
    assert.ok(late.isUsable(w.clock.monotonic()))
  })

  it('does not suffer from a caller in a hurry, nor from what a first try left of the time', () => {
    const call = { headBy: 100 } as Parameters<typeof tryEnd>[1]
    const late = new Fault('service-timeout')
    assert.equal(tryEnd(late, { ...call, isCallersDeadline: true }, 100, true), 'void')
    assert.equal(tryEnd(late, { ...call, isCallersDeadline: true }, 99, true), 'failed')
    assert.equal(tryEnd(late, call, 100, false), 'void')
    assert.equal(tryEnd(late, call, 100, true), 'failed')
    assert.equal(tryEnd(new Fault('client-left'), call, 0, true), 'void')
  })
})
