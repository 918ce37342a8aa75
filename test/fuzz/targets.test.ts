import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { defineTarget } from './fuzz-target.ts'
import { spoilt } from './spoilt.ts'
import { fuzzTargets } from './targets/list.ts'

// A short, seeded run of what `npm run fuzz` does for as long as one likes.
describe('parsers keep their promises on hostile input', () => {
  for (const { name, promise, fewCases, run } of fuzzTargets) {
    test(`${name}: ${promise}`, async () => {
      const broken = await run(1, fewCases)
      if (broken !== undefined) assert.fail(broken)
    })
  }
})

describe('the fuzzer itself', () => {
  test('finds a broken promise and gives the smallest case of it', async () => {
    const wrong = defineTarget({
      name: 'wrong',
      promise: 'no text holds a NUL',
      cases: spoilt(['a long enough text to begin with']),
      check: (text) => assert.ok(!text.includes('\0')),
    })
    assert.match((await wrong.run(1, 1000)) ?? '', /^case "[^"]*\\u0000[^"]*" \(seed 1,/)
  })
  test('is the same for the same seed', async () => {
    const seen: string[][] = [[], []]
    for (const cases of seen) {
      const target = defineTarget({
        name: 'n',
        promise: 'p',
        cases: spoilt(['abc', 'def']),
        check: (text) => void cases.push(text),
      })
      await target.run(7, 50)
    }
    assert.deepEqual(seen[0], seen[1])
    assert.ok(new Set(seen[0]).size > 20)
  })
  test('names are given once', () => {
    const names = fuzzTargets.map(({ name }) => name)
    assert.equal(new Set(names).size, names.length)
  })
})
