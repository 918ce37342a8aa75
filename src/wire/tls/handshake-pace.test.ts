import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { paceHandshake } from './handshake-pace.ts'

test('a few begin in each turn, in their order, and none is forgotten', async () => {
  await turn()
  const begun: number[] = []
  const begin = (first: number, count: number): void => {
    for (let i = first; i < first + count; i++) paceHandshake(() => void begun.push(i))
  }
  begin(0, 1000)
  assert.ok(begun.length > 0 && begun.length <= 8)
  let most = 0
  for (let before = begun.length; begun.length < 1000; before = begun.length) {
    await turn()
    assert.ok(begun.length > before, 'each turn brings some')
    most = Math.max(most, begun.length - before)
  }
  assert.ok(most <= 8)
  begin(1000, 1)
  await turn()
  await turn()
  assert.deepEqual(
    begun,
    Array.from({ length: 1001 }, (_, i) => i),
  )
})
