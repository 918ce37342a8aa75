import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { DeltaPart } from './list-delta.ts'
import { telling, toldBy } from './list-delta.ts'

const items = Array.from({ length: 80 }, (_, i) => ({ i }))
const lists = fc.shuffledSubarray(items)

function deltaOf(list: readonly object[], before: readonly object[]): DeltaPart<readonly object[]>[] {
  const parts: DeltaPart<readonly object[]>[] = []
  for (const _ of telling(
    list,
    before,
    (fresh) => fresh,
    (part) => parts.push(part),
  ));
  return parts
}

test('a list that is told by any other one is the same again, and tells as new what that one lacks, in pieces of 32', () => {
  fc.assert(
    fc.property(lists, lists, (list, before) => {
      const delta = deltaOf(list, before)
      const steps = toldBy(delta, before, (piece) => piece)
      let step = steps.next()
      while (step.done !== true) step = steps.next()
      assert.deepEqual(step.value, list)
      const fresh = delta.flatMap((part) => ('fresh' in part ? [part.fresh] : []))
      assert.ok(fresh.every(({ length }) => length >= 1 && length <= 32))
      assert.deepEqual(new Set(fresh.flat()), new Set(list.filter((item) => !before.includes(item))))
    }),
  )
})

test('where one thing was replaced, added or moved, the rest is two stretches', () => {
  const one = { i: -1 }
  const lengthOf = (list: readonly object[]): number => deltaOf(list, items).length
  assert.equal(lengthOf(items), 1)
  assert.equal(lengthOf(items.with(40, one as never)), 3)
  assert.equal(lengthOf(items.toSpliced(40, 0, one as never)), 3)
  assert.equal(lengthOf(items.toSpliced(40, 1)), 2)
  assert.equal(lengthOf([...items.slice(1), items[0]]), 2)
})
