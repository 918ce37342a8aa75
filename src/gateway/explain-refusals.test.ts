import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { refusalCases } from '../../test/support/explain-cases.ts'
import { explainWorld } from '../../test/support/explain-world.ts'

describe('explain names the policy, the rule and its place, for', () => {
  for (const { title, ask, standings, expected, words } of refusalCases) {
    test(title, async (t) => {
      const w = await explainWorld(t)
      const { outcome } = await w.explain(await ask(w), standings)
      assert.ok(outcome !== undefined, 'something ends it')
      const { words: told, ...rest } = outcome
      const wanted = { decision: 'refuses', isReached: true, ...expected }
      for (const [name, value] of Object.entries(wanted)) assert.equal(rest[name as keyof typeof rest], value, name)
      assert.match(told, words)
    })
  }
})
