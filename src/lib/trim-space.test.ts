import assert from 'node:assert/strict'
import { test } from 'node:test'
import { trimSpace } from './trim-space.ts'

test('spaces and tabs are taken off both ends, and nothing else is', () => {
  const cases: [string, string][] = [
    ['', ''],
    ['a', 'a'],
    ['a \t b', 'a \t b'],
    [' a', 'a'],
    ['a\t', 'a'],
    ['\t a b \t ', 'a b'],
    [' ', ''],
    [' \t ', ''],
    ['\u00a0a\u00a0', '\u00a0a\u00a0'],
    [' \u00a0 a', '\u00a0 a'],
    ['a\v', 'a\v'],
    ['a\f', 'a\f'],
    ['\r\na\r\n', '\r\na\r\n'],
    ['\ufeffa\u2028', '\ufeffa\u2028'],
  ]
  for (const [text, trimmed] of cases) assert.equal(trimSpace(text), trimmed, JSON.stringify(text))
})
