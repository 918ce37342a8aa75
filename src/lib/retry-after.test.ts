import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseRetryAfter } from './retry-after.ts'

test('what a Retry-After asks for, in seconds and as a date, and nothing for what asks for nothing', () => {
  const now = Date.parse('2026-11-24T12:00:00Z')
  const cases: [string | undefined, number][] = [
    [undefined, 0],
    ['', 0],
    ['0', 0],
    ['3', 3000],
    ['Tue, 24 Nov 2026 12:00:05 GMT', 5000],
    ['Tue, 24 Nov 2026 11:59:59 GMT', 0],
    ['Tue Nov 24 12:00:05 2026', 5000],
    ['soon', 0],
    ['wait 2050', 0],
    ['2050-01-01T00:00:00Z', 0],
    ['-5', 0],
    ['1e3', 0],
    ['1.5', 0],
    [' 3', 0],
    ['9'.repeat(400), Infinity],
  ]
  for (const [value, ms] of cases) assert.equal(parseRetryAfter(value, now), ms, String(value))
})
