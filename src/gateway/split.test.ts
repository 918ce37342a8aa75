import assert from 'node:assert/strict'
import { test } from 'node:test'
import { exchangeOf } from '../../test/support/exchange.ts'
import { createDraw, createStickyDraw, drawByWeight } from './split.ts'

const [a, b, none] = [
  { name: 'a', weight: 95 },
  { name: 'b', weight: 5 },
  { name: 'none', weight: 0 },
]

test('draws in proportion to weight, and never what has none', () => {
  const counts = new Map([a, b, none].map(({ name }) => [name, 0]))
  for (let i = 0; i < 1000; i++) {
    const { name } = drawByWeight([none, a, b, none], i / 1000)
    counts.set(name, counts.get(name)! + 1)
  }
  assert.deepEqual(Object.fromEntries(counts), { a: 950, b: 50, none: 0 })
})

test('a number that rounding left at the end still draws something with weight', () => {
  assert.equal(drawByWeight([a, none], 1), a)
})

test('a split by request draws anew each time', () => {
  const numbers = [0.1, 0.99]
  const draw = createDraw([a, b], 'request', () => numbers.shift()!)
  assert.equal(draw(exchangeOf()), a)
  assert.equal(draw(exchangeOf()), b)
})

test('a sticky split gives one caller one service, and spreads callers by weight', () => {
  const draw = createDraw([a, b], 'address', () => assert.fail('a sticky split draws no lots'))
  let canaries = 0
  for (let i = 0; i < 2000; i++) {
    const x = exchangeOf({ remoteAddress: `10.0.${i >> 8}.${i & 255}` })
    const drawn = draw(x)
    assert.equal(draw(x), drawn)
    if (drawn === b) canaries++
  }
  assert.ok(canaries > 60 && canaries < 140, `${canaries} of 2000 at 5 %`)
})

test('a split by subject tells issuers apart and falls back to the address', () => {
  const draw = createDraw([a, { name: 'c', weight: 95 }], 'subject', Math.random)
  const identity = { kind: 'bearer', issuer: 'i', subject: 's', tenant: undefined, client: undefined } as const
  const rest = { scopes: [], roles: [], claims: {}, expiresAt: Infinity, session: undefined, credentialId: undefined }
  const [one, other] = [exchangeOf({ remoteAddress: '10.0.0.1' }), exchangeOf({ remoteAddress: '10.9.9.9' })]
  one.identity = other.identity = { ...identity, ...rest }
  assert.equal(draw(one), draw(other))
  assert.equal(draw(exchangeOf()), draw(exchangeOf()))
})

const keys = Array.from({ length: 20_000 }, (_, i) => `caller-${i}`)

/** What each key draws. */
function drawnBy(weights: Readonly<Record<string, number>>): string[] {
  const draw = createStickyDraw(Object.entries(weights).map(([name, weight]) => ({ name, weight })))
  return keys.map((key) => draw(key).name)
}

test('a sticky split gives each its share, whatever the weights', () => {
  for (const weights of [
    { a: 1, b: 1 },
    { a: 99, b: 1 },
    { a: 5, b: 3, c: 2 },
    { a: 1000, b: 1 },
    { a: 7, none: 0 },
  ]) {
    const drawn = drawnBy(weights)
    const total = Object.values(weights).reduce((sum, weight) => sum + weight, 0)
    for (const [name, weight] of Object.entries(weights)) {
      const share = weight / total
      const count = drawn.filter((other) => other === name).length
      // Five standard deviations: the keys are fixed, so this either always holds or never.
      const slack = 5 * Math.sqrt(keys.length * share * (1 - share))
      assert.ok(Math.abs(count - keys.length * share) <= slack, `${name}: ${count} of ${keys.length} at ${share}`)
    }
  }
})

test('when weights change, callers move only to what gained and from what lost', () => {
  const before = drawnBy({ a: 50, b: 25, c: 25 })
  const after = drawnBy({ a: 40, b: 30, c: 30 })
  const moved = keys.flatMap((_, i) => (before[i] === after[i] ? [] : [`${before[i]} to ${after[i]}`]))
  assert.deepEqual([...new Set(moved)].sort(), ['a to b', 'a to c'])
  assert.ok(moved.length > 0.09 * keys.length && moved.length < 0.11 * keys.length, `${moved.length} moved`)
})

test('a service more, or none of its weight left, moves no caller between the others', () => {
  const two = drawnBy({ a: 1, b: 1 })
  const three = drawnBy({ a: 1, b: 1, c: 1 })
  assert.ok(keys.every((_, i) => three[i] === 'c' || three[i] === two[i]))
  assert.deepEqual(drawnBy({ c: 0, b: 1, a: 1 }), two)
})

test('a sticky split by address takes a /64 of IPv6 for one caller', () => {
  const draw = createDraw([a, { name: 'c', weight: 95 }], 'address', Math.random)
  for (let i = 0; i < 50; i++) {
    const [one, other] = [`2001:db8:0:${i}::1`, `2001:db8:0:${i}:1:2:3:4`]
    assert.equal(draw(exchangeOf({ remoteAddress: one })), draw(exchangeOf({ remoteAddress: other })))
  }
})
