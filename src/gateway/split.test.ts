import assert from 'node:assert/strict'
import { test } from 'node:test'
import { exchangeOf } from '../../test/support/exchange.ts'
import { createDraw, drawByWeight, hashFraction } from './split.ts'

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

test('the fraction of a text lies in [0, 1)', () => {
  for (const text of ['', 'a', '10.0.0.1', '\u{1f600}']) {
    const fraction = hashFraction(text)
    assert.ok(fraction >= 0 && fraction < 1)
  }
})
