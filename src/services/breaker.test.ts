import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { breakerOf, serviceWorld, specOf } from '../../test/support/service-world.ts'
import type { ServiceWorld } from '../../test/support/service-world.ts'
import { Breaker, uncounted } from './breaker.ts'
import type { CallEnd } from './breaker.ts'
import { BreakerBoard } from './breaker-board.ts'
import type { BreakerSpec } from './service-spec.ts'

interface Scene {
  readonly world: ServiceWorld
  readonly breaker: (worker?: number) => Breaker
  /** A call that takes so long; false when it may not pass. */
  readonly call: (breaker: Breaker, end: CallEnd, tookMs?: number) => boolean
}

function scene(parts: Partial<BreakerSpec> = {}, workers = 1): Scene {
  const world = serviceWorld()
  const spec = breakerOf(parts)
  world.main.commit([specOf([7001], { breaker: spec })])
  return {
    world,
    breaker: (worker = 0) =>
      new Breaker({ name: { service: 'orders', address: '' }, spec, board: new BreakerBoard(world.hub.link(worker)), workers }),
    call(breaker, end, tookMs = 0) {
      const now = world.clock.monotonic()
      if (!breaker.mayEnter(now)) return false
      const pass = breaker.enter(now)
      world.clock.advance(tookMs)
      breaker.leave(pass, world.clock.monotonic(), end, tookMs)
      return true
    },
  }
}

describe('circuit breaker', () => {
  it('opens when half of at least ten calls failed, and not before there were ten', () => {
    const { breaker: create, call, world } = scene()
    const breaker = create()
    for (let i = 0; i < 9; i++) assert.ok(call(breaker, i < 4 ? 'good' : 'failed'))
    assert.ok(breaker.isClosed)
    call(breaker, 'failed')
    assert.ok(!breaker.isClosed)
    assert.ok(!call(breaker, 'good'))
    assert.deepEqual(world.main.breaker('orders'), { state: 'open', reason: 'failures', forMs: 5000 })
    assert.equal(world.meter.counts.get('velum_service_breakers_open orders service'), 1)
    assert.equal(world.meter.counts.get('velum_service_breaker_openings_total orders service failures'), 1)
  })

  it('stays closed below the ratio, and forgets what the window has left behind', () => {
    const { breaker: create, call, world } = scene()
    const breaker = create()
    for (let i = 0; i < 100; i++) call(breaker, i % 5 > 2 ? 'failed' : 'good')
    assert.ok(breaker.isClosed)
    world.clock.advance(10_000)
    for (let i = 0; i < 4; i++) call(breaker, 'failed')
    assert.ok(breaker.isClosed)
  })

  it('opens when too many calls are slow, where that is asked for', () => {
    const { breaker: create, call, world } = scene({ slowMs: 100 })
    const breaker = create()
    for (let i = 0; i < 10; i++) call(breaker, 'good', i < 5 ? 1 : 100)
    assert.equal(world.main.breaker('orders')?.reason, 'slow')
    const plain = scene()
    const other = plain.breaker()
    for (let i = 0; i < 10; i++) plain.call(other, 'good', 100)
    assert.ok(other.isClosed && !other.isTiming)
  })

  it('lets a few probes through when its time is over, and closes when they went well', () => {
    const { breaker: create, call, world } = scene()
    const breaker = create()
    for (let i = 0; i < 10; i++) call(breaker, 'failed')
    world.clock.advance(4999)
    assert.ok(!breaker.mayEnter(world.clock.monotonic()))
    world.clock.advance(1)
    const now = world.clock.monotonic()
    const passes = [breaker.enter(now), breaker.enter(now)]
    assert.ok(!breaker.mayEnter(now))
    assert.equal(breaker.enter(now), uncounted)
    assert.equal(world.main.breaker('orders')?.state, 'half-open')
    breaker.leave(passes[0], now, 'good', 0)
    assert.ok(!breaker.isClosed)
    breaker.leave(passes[1], now, 'good', 0)
    assert.ok(breaker.isClosed)
    assert.equal(world.main.breaker('orders'), undefined)
    assert.equal(world.meter.counts.get('velum_service_breakers_open orders service'), 0)
  })

  it('opens again with the first probe that fails or is slow; one whose client left says nothing', () => {
    for (const [end, tookMs] of [
      ['failed', 0],
      ['good', 100],
    ] as const) {
      const { breaker: create, call, world } = scene({ slowMs: 100 })
      const breaker = create()
      for (let i = 0; i < 10; i++) call(breaker, 'failed')
      world.clock.advance(5000)
      assert.ok(call(breaker, 'void'))
      assert.ok(call(breaker, 'good'))
      assert.ok(call(breaker, end, tookMs))
      assert.ok(!call(breaker, 'good'))
      assert.deepEqual(world.main.breaker('orders'), { state: 'open', reason: 'probe', forMs: 5000 })
    }
  })

  it('pays no heed to calls that began in an earlier phase', () => {
    const { breaker: create, call, world } = scene()
    const breaker = create()
    const late = breaker.enter(world.clock.monotonic())
    for (let i = 0; i < 10; i++) call(breaker, 'failed')
    world.clock.advance(5000)
    breaker.leave(late, world.clock.monotonic(), 'failed', 5000)
    assert.equal(world.main.breaker('orders')?.state, 'half-open')
    assert.ok(call(breaker, 'good') && call(breaker, 'good'))
    assert.ok(breaker.isClosed)
  })

  it('is open on every worker when it opened on one, and closes on all by the probes of all', () => {
    const { breaker: create, call, world } = scene({ probes: 2 }, 2)
    const [one, other] = [create(0), create(1)]
    for (let i = 0; i < 10; i++) call(one, 'failed')
    assert.ok(!call(other, 'good'))
    world.clock.advance(5000)
    const now = world.clock.monotonic()
    const pass = one.enter(now)
    assert.ok(!one.mayEnter(now), 'each worker has its part of the probes')
    one.leave(pass, now, 'good', 0)
    assert.ok(!other.isClosed)
    assert.ok(call(other, 'good'))
    assert.ok(one.isClosed && other.isClosed)
  })

  it('is known to a worker that starts later, survives a reload, and ends with its thresholds', async () => {
    const { breaker: create, call, world } = scene()
    for (let i = 0, breaker = create(); i < 10; i++) call(breaker, 'failed')
    const late = create(1)
    await new Promise((resolve) => setImmediate(resolve))
    assert.ok(!late.isClosed)
    world.main.commit([specOf([7001, 7002], { breaker: breakerOf() })])
    assert.ok(!late.isClosed)
    world.main.commit([specOf([7001], { breaker: breakerOf({ openMs: 1 }) })])
    assert.ok(late.isClosed)
    assert.equal(world.main.breaker('orders'), undefined)
  })

  it('works alone when main says nothing', () => {
    const world = serviceWorld()
    const link = { ask: () => Promise.reject(new Error('nobody')), tell() {}, hear: () => () => {} }
    const options = { name: { service: 'orders', address: '' }, spec: breakerOf(), board: new BreakerBoard(link), workers: 1 }
    const breaker = new Breaker(options)
    const call = (now: number, end: CallEnd): void => breaker.leave(breaker.enter(now), now, end, 0)
    for (let i = 0; i < 10; i++) call(0, 'failed')
    assert.ok(!breaker.mayEnter(4999))
    call(5000, 'good')
    call(5000, 'good')
    assert.ok(breaker.isClosed)
    assert.equal(world.sent.length, 0)
  })
})
