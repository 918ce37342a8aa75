import assert from 'node:assert/strict'
import { test } from 'node:test'
import { mediaTypeOf } from './media-type.ts'

test('the type is what stands before the parameters, in lower case', () => {
  const cases: [string, string][] = [
    ['application/json', 'application/json'],
    ['Application/JSON; charset=utf-8', 'application/json'],
    ['text/plain \t;a="b;c"', 'text/plain'],
    [' text/plain ', 'text/plain'],
    ['', ''],
    [';', ''],
    ['a/b c', 'a/b c'],
    // To a service this is another type than application/json.
    ['application/json\u00a0', 'application/json\u00a0'],
    ['application/json\u00a0; charset=utf-8', 'application/json\u00a0'],
  ]
  for (const [value, type] of cases) assert.equal(mediaTypeOf(value), type, JSON.stringify(value))
})
