import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isPass, longestPassMs, passKeys, signPass } from './explain-pass.ts'

const now = 1_700_000_000_000
const [key] = passKeys(['s'.repeat(32)])

test('a pass is good until its end, and not for longer than an hour', () => {
  assert.ok(isPass(signPass(now + 1000, key), [key], now))
  assert.ok(!isPass(signPass(now + 1000, key), [key], now + 1000))
  assert.ok(!isPass(signPass(now + longestPassMs + 1, key), [key], now), 'one that claims more is none')
})

test('a pass of another key, or one that was changed, is none', () => {
  const pass = signPass(now + 1000, key)
  assert.ok(!isPass(pass, passKeys(), now))
  assert.ok(!isPass(pass.replace(String(now + 1000), String(now + 2000)), [key], now))
  for (const text of ['', 'v1', pass.slice(0, -1), `${pass}A`, ` ${pass}`, `v2${pass.slice(2)}`])
    assert.ok(!isPass(text, [key], now))
})

test('a fleet of one secret has one key, also while it is changed', () => {
  const pass = signPass(now + 1000, passKeys(['b'.repeat(32), 'a'.repeat(32)])[0])
  assert.ok(isPass(pass, passKeys(['c'.repeat(32), 'b'.repeat(32)]), now))
})
