import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseInstant } from './instant.ts'

test('reads a date as its first moment in UTC, and a time by its zone', () => {
  assert.equal(parseInstant('2027-01-31'), Date.UTC(2027, 0, 31))
  assert.equal(parseInstant('2028-02-29'), Date.UTC(2028, 1, 29))
  assert.equal(parseInstant('2027-01-31T12:00Z'), Date.UTC(2027, 0, 31, 12))
  assert.equal(parseInstant('2027-01-31T12:00:00.250+02:00'), Date.UTC(2027, 0, 31, 10, 0, 0, 250))
})

test('knows no days and times that do not exist, and none without a zone', () => {
  for (const text of [
    '2027-02-30',
    '2027-02-29',
    '2027-04-31T12:00:00Z',
    '2027-13-01',
    '2027-00-10',
    '2027-01-31T25:00:00Z',
    '2027-01-31T12:61:00Z',
    '2027-01-31T12:00:00',
    '2027-1-31',
    '31.01.2027',
    ' 2027-01-31',
    '2027-01-31\n',
    'tomorrow',
    '',
  ])
    assert.equal(parseInstant(text), undefined, text)
})
