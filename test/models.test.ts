import assert from 'node:assert/strict'
import { test } from 'node:test'
import { models } from '../proof/models/list.ts'

for (const [name, model] of Object.entries(models)) {
  test(`the model of ${name} keeps its promises, and its mutants are caught`, async () => {
    const lines = await model(true)
    assert.deepEqual(
      lines.filter(({ holds }) => !holds),
      [],
    )
    assert.ok(lines.some(({ promised }) => promised === 'caught'))
  })
}
