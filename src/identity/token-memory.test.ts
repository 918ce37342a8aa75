import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { TokenMemory } from './token-memory.ts'
import type { VerificationKey } from './verification-key.ts'

const keyOf = (): VerificationKey => ({ isLive: true }) as VerificationKey
const key = keyOf()
/** A text that is told apart by its end, as signatures are. */
const tokenOf = (name: string, length = 100): string => `${'h'.repeat(length - 40)}${name.padStart(40, '-')}`

test('finds what it remembers, by the exact text', () => {
  const memory = new TokenMemory<string>({ maxTokens: 10, maxChars: 10_000 })
  memory.remember(tokenOf('a'), 'alice', key, 100, 0)
  assert.equal(memory.find(tokenOf('a'), 50), 'alice')
  assert.equal(memory.find(tokenOf('b'), 50), undefined)
  assert.equal(memory.find(`x${tokenOf('a').slice(1)}`, 50), undefined, 'the same end is not enough')
  assert.equal(memory.find(tokenOf('a').slice(1), 50), undefined)
  assert.equal(memory.find('', 50), undefined)
})

test('a finding ends with its time', () => {
  const memory = new TokenMemory<string>({ maxTokens: 10, maxChars: 10_000 })
  memory.remember(tokenOf('a'), 'alice', key, 100, 0)
  assert.equal(memory.find(tokenOf('a'), 99), 'alice')
  assert.equal(memory.find(tokenOf('a'), 100), undefined)
})

test('what has ended leaves as others come, long before the memory is full', () => {
  const memory = new TokenMemory<number>({ maxTokens: 16_384, maxChars: 10_000_000 })
  for (let n = 0; n < 5000; n++) {
    memory.remember(tokenOf(String(n)), n, key, n + 60, n)
    assert.equal(memory.find(tokenOf(String(Math.max(0, n - 59))), n), Math.max(0, n - 59), 'what has not ended stays')
  }
  assert.ok(memory.size <= 90, `${memory.size} of which 60 have not ended`)
  const old = keyOf()
  const other = new TokenMemory<number>({ maxTokens: 100, maxChars: 10_000 })
  for (let n = 0; n < 8; n++) other.remember(tokenOf(String(n)), n, old, 100, 0)
  old.isLive = false
  for (let n = 10; n < 14; n++) other.remember(tokenOf(String(n)), n, key, 100, 0)
  assert.equal(other.size, 4)
})

test('a finding ends with the key it rests on, and can be learnt anew', () => {
  const memory = new TokenMemory<string>({ maxTokens: 10, maxChars: 10_000 })
  const old = keyOf()
  memory.remember(tokenOf('a'), 'alice', old, 100, 0)
  old.isLive = false
  assert.equal(memory.find(tokenOf('a'), 1), undefined)
  memory.remember(tokenOf('a'), 'alice again', key, 100, 0)
  assert.equal(memory.find(tokenOf('a'), 1), 'alice again')
  assert.equal(memory.size, 1)
})

test('keeps what is used and gives up what is not', () => {
  const memory = new TokenMemory<number>({ maxTokens: 3, maxChars: 10_000 })
  for (const n of [0, 1, 2]) memory.remember(tokenOf(String(n)), n, key, 100, 0)
  assert.equal(memory.find(tokenOf('0'), 1), 0)
  assert.equal(memory.find(tokenOf('2'), 1), 2)
  memory.remember(tokenOf('3'), 3, key, 100, 0)
  assert.equal(memory.find(tokenOf('1'), 1), undefined)
  assert.deepEqual(
    [0, 2, 3].map((n) => memory.find(tokenOf(String(n)), 1)),
    [0, 2, 3],
  )
})

test('text is bounded too, and what is longer than that is not kept', () => {
  const memory = new TokenMemory<string>({ maxTokens: 100, maxChars: 1000 })
  for (let n = 0; n < 50; n++) memory.remember(tokenOf(String(n), 300), String(n), key, 100, 0)
  assert.equal(memory.size, 3)
  memory.remember(tokenOf('long', 1001), 'long', key, 100, 0)
  assert.equal(memory.find(tokenOf('long', 1001), 1), undefined)
  memory.remember('short', 'short', key, 100, 0)
  assert.equal(memory.find('short', 1), 'short')
  memory.remember(tokenOf('whole', 1000), 'whole', key, 100, 0)
  assert.equal(memory.size, 1)
})

test('never finds what was not remembered, and never holds more than it may', () => {
  const step = fc.record({
    name: fc.integer({ min: 0, max: 15 }),
    length: fc.integer({ min: 40, max: 200 }),
    isAsked: fc.boolean(),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), fc.integer({ min: 1, max: 6 }), (steps, maxTokens) => {
      const memory = new TokenMemory<string>({ maxTokens, maxChars: 1000 })
      const last = new Map<string, string>()
      steps.forEach(({ name, length, isAsked }, i) => {
        const token = tokenOf(String(name), length)
        if (isAsked) {
          const found = memory.find(token, 1)
          assert.ok(found === undefined || found === last.get(token))
        } else {
          memory.remember(token, String(i), key, 100, 0)
          last.set(token, String(i))
          assert.equal(memory.find(token, 1), String(i), 'what was just learnt is known')
        }
        assert.ok(memory.size <= maxTokens)
      })
    }),
  )
})

test('however many tokens come and go, each that should be there is found', () => {
  const memory = new TokenMemory<number>({ maxTokens: 300, maxChars: 1_000_000 })
  for (let n = 0; n < 5000; n++) {
    memory.remember(tokenOf(String(n)), n, key, 100, 0)
    if (n % 97 !== 0) continue
    let found = 0
    for (let back = Math.max(0, n - 1000); back <= n; back++) if (memory.find(tokenOf(String(back)), 1) === back) found++
    assert.equal(found, Math.min(n + 1, 300))
    assert.equal(memory.size, Math.min(n + 1, 300))
  }
})

test('forgets all when it is closed, and may be used again', () => {
  const memory = new TokenMemory<string>({ maxTokens: 2, maxChars: 1000 })
  for (const name of ['a', 'b', 'c']) memory.remember(tokenOf(name), name, key, 100, 0)
  memory.close()
  assert.equal(memory.size, 0)
  assert.equal(memory.find(tokenOf('c'), 1), undefined)
  memory.remember(tokenOf('d'), 'd', key, 100, 0)
  assert.equal(memory.find(tokenOf('d'), 1), 'd')
})
