import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseTargeted } from './cache-control.ts'

test('a targeted field with a wrong parameter or number says nothing, as one that does not parse', () => {
  for (const field of [
    'max-age=60;x= 1',
    'max-age=60;x=',
    'max-age=60;x=a"b',
    'max-age=60;X',
    'max-age=1234567890123.5',
    'max-age=60;x=:Gk=:',
  ]) {
    assert.equal(parseTargeted(field), undefined, field)
  }
  for (const field of [
    'max-age=60;x',
    'max-age=60; x="a, b"',
    'max-age=60;x=?1;y=:aGk=:',
    'max-age=60, z=-1.5',
    'a=:aGk:, max-age=60;x=::',
  ]) {
    assert.equal(parseTargeted(field)?.maxAge, 60, field)
  }
})
