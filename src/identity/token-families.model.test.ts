import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { identityWorld } from '../../test/support/identity-world.ts'
import { Steps } from '../../test/support/interleavings.ts'
import type { Act } from '../../test/support/refresh-model.ts'
import { end, exploreRefreshes, refreshCases, RefreshRun } from '../../test/support/refresh-model.ts'

for (const refreshCase of refreshCases) {
  const [name, , , isEnded] = refreshCase
  test(`every interleaving: ${name}`, async (t) => {
    const world = await identityWorld()
    t.after(() => world.close())
    const nodes = [await world.worker(), await world.worker()]
    const { count, ends } = await exploreRefreshes(world, nodes, refreshCase)
    assert.ok(count > 1)
    assert.deepEqual(ends, new Set(isEnded === undefined ? [false, true] : [isEnded]))
  })
}

test('any acts in any order keep what must be true', async (t) => {
  const world = await identityWorld()
  t.after(() => world.close())
  const nodes = [await world.worker(), await world.worker()]
  const act: fc.Arbitrary<Act> = fc.oneof(
    { weight: 4, arbitrary: fc.nat(2).map((age): Act => ({ kind: 'refresh', age })) },
    { weight: 1, arbitrary: fc.constant(end) },
  )
  const rounds = fc.array(fc.array(act, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 3 })
  await fc.assert(
    fc.asyncProperty(rounds, fc.infiniteStream(fc.nat(1000)), async (all, choices) => {
      const run = await RefreshRun.begun(world, nodes, 0)
      for (const acts of all) await run.act(acts, new Steps((count) => choices.next().value % count))
      await run.check()
    }),
    { numRuns: 150 },
  )
})
