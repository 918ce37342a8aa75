import assert from 'node:assert/strict'
import fc from 'fast-check'
import { defineTarget } from './fuzz-target.ts'

// Targets whose promises do not hold, for the test of the command that runs them (`run.test.ts`).

const wrong = defineTarget({
  name: 'wrong',
  promise: 'no number is above 10',
  cases: fc.nat(1000),
  check: (number) => assert.ok(number <= 10),
})

const endless = defineTarget({
  name: 'endless',
  promise: 'every number is looked at',
  cases: fc.nat(1000),
  check(number) {
    if (number > 900) for (;;);
  },
})

const silent = defineTarget({
  name: 'silent',
  promise: 'every number is answered',
  cases: fc.nat(1000),
  check: (number) => (number > 900 ? new Promise<void>(() => {}) : undefined),
})

export const fuzzTargets = [wrong, endless, silent]
