import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { exchangeOf } from '../../test/support/exchange.ts'
import { callOf, fails, serviceWorld, specOf, targetOf } from '../../test/support/service-world.ts'
import type { ServiceWorld } from '../../test/support/service-world.ts'
import type { Exchange } from '../core/exchange.ts'
import { createService } from './create-service.ts'
import type { ServiceSpec } from './service-spec.ts'

const byCart = { hash: { kind: 'header', name: 'x-cart' } } as const
const keys = Array.from({ length: 4000 }, (_, i) => `cart-${i}`)
const carrying = (key: string): Exchange => exchangeOf({ headers: ['x-cart', key] })

/** Where each key leads. */
async function placesOf(weights: ReadonlyMap<number, number>, parts: Partial<ServiceSpec> = {}, worker = 0): Promise<number[]> {
  const w = serviceWorld()
  const targets = [...weights].map(([port, weight]) => targetOf(port, { weight }))
  return placesIn(w, specOf([], { targets, balance: byCart, ...parts }), worker)
}

async function placesIn(w: ServiceWorld, spec: ServiceSpec, worker = 0): Promise<number[]> {
  const { service } = createService(spec, w.env(worker, 2), w.createWire, () => 0)
  w.sent.length = 0
  for (const key of keys) await service(callOf(), carrying(key))
  return [...w.sent]
}

const moved = (before: readonly number[], after: readonly number[]): number[] =>
  before.flatMap((port, i) => (after[i] === port ? [] : [port]))

const shareOf = (places: readonly number[]): number => places.filter((port) => port === 7002).length

/** Ports with weights, in any order. */
const someTargets = fc
  .uniqueArray(fc.record({ port: fc.integer({ min: 1, max: 65_535 }), weight: fc.integer({ min: 1, max: 9 }) }), {
    selector: ({ port }) => port,
    minLength: 2,
    maxLength: 6,
  })
  .map((targets) => new Map(targets.map(({ port, weight }) => [port, weight])))
const someRuns = { numRuns: 15 }

describe('consistent hashing', () => {
  it('leads the same key to the same target on every worker, in whatever order the targets are written', async () => {
    await fc.assert(
      fc.asyncProperty(someTargets, async (targets) => {
        const turned = new Map([...targets].toReversed())
        assert.deepEqual(await placesOf(targets), await placesOf(turned, {}, 1))
      }),
      someRuns,
    )
  })

  it('gives every target its share by weight', async () => {
    await fc.assert(
      fc.asyncProperty(someTargets, async (targets) => {
        const places = await placesOf(targets)
        const total = [...targets.values()].reduce((sum, weight) => sum + weight, 0)
        for (const [port, weight] of targets) {
          const share = weight / total
          const got = places.filter((place) => place === port).length / keys.length
          // Five standard deviations: keys are what chance makes of them.
          assert.ok(Math.abs(got - share) < 5 * Math.sqrt((share * (1 - share)) / keys.length), `${port}: ${got} of ${share}`)
        }
      }),
      someRuns,
    )
  })

  it('moves only the keys of a target that leaves, and spreads them over all others', async () => {
    await fc.assert(
      fc.asyncProperty(someTargets, async (targets) => {
        const before = await placesOf(targets)
        const [gone] = targets.keys()
        const after = await placesOf(new Map([...targets].filter(([port]) => port !== gone)))
        assert.ok(moved(before, after).every((port) => port === gone))
        assert.ok(!after.includes(gone))
      }),
      someRuns,
    )
  })

  it('moves keys only to a target whose weight grew', async () => {
    await fc.assert(
      fc.asyncProperty(someTargets, async (targets) => {
        const before = await placesOf(targets)
        const [grown] = targets.keys()
        const after = await placesOf(new Map([...targets].map(([port, weight]) => [port, port === grown ? weight + 3 : weight])))
        assert.ok(after.every((port, i) => port === before[i] || port === grown))
      }),
      someRuns,
    )
  })

  it('moves the keys of a target that is out, just those, and takes them back with it', async () => {
    const w = serviceWorld()
    const spec = specOf([7001, 7002, 7003], { balance: byCart, eject: { failures: 1, baseMs: 1000 } })
    w.main.commit([spec])
    const before = await placesIn(w, spec)
    w.main.drain('orders', '10.0.0.1:7002', true)
    const during = await placesIn(w, spec)
    assert.ok(moved(before, during).every((port) => port === 7002))
    assert.ok(!during.includes(7002))
    for (const port of [7001, 7003]) assert.ok(moved(before, during).length > 0 && during.includes(port))
    w.main.drain('orders', '10.0.0.1:7002', false)
    assert.deepEqual(await placesIn(w, spec), before)
  })

  it('moves keys over little by little while a target starts slowly', async () => {
    const w = serviceWorld()
    const spec = specOf([7001, 7002, 7003], { balance: byCart, slowStartMs: 10_000 })
    w.main.commit([spec])
    const before = await placesIn(w, spec)
    w.main.drain('orders', '10.0.0.1:7002', true)
    await placesIn(w, spec)
    w.main.drain('orders', '10.0.0.1:7002', false)
    const shares: number[] = []
    for (let i = 0; i <= 4; i++) {
      const places = await placesIn(w, spec)
      assert.ok(places.every((port, at) => port === before[at] || before[at] === 7002))
      shares.push(shareOf(places))
      w.clock.advance(2500)
    }
    assert.ok(
      shares.every((each, i) => i === 0 || each > shares[i - 1]),
      String(shares),
    )
    assert.equal(shares.at(-1), shareOf(before))
  })

  it('asks the next best target for a further try, and the same one for the same key', async () => {
    const w = serviceWorld()
    const spec = specOf([7001, 7002, 7003], { balance: byCart })
    const [first] = await placesIn(w, spec)
    w.behave.set(first, fails('service-refused', true))
    const { service } = createService(spec, w.env(), w.createWire, () => 0)
    const seconds = new Set<number>()
    for (let i = 0; i < 5; i++) {
      w.sent.length = 0
      await service(callOf(), carrying(keys[0]))
      seconds.add(w.sent[1])
    }
    assert.equal(seconds.size, 1)
    assert.ok(!seconds.has(first))
  })

  it('falls back to round-robin for a request without the key', async () => {
    const w = serviceWorld()
    const { service } = createService(specOf([7001, 7002], { balance: byCart }), w.env(), w.createWire, () => 0)
    for (let i = 0; i < 4; i++) await service(callOf(), exchangeOf())
    assert.deepEqual(w.sent, [7001, 7002, 7001, 7002])
  })
})
