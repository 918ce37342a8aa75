import assert from 'node:assert/strict'
import { test } from 'node:test'
import { atPointer, pathOf } from './schema-files.ts'

test('a pointer finds members and items, and nothing else that a list has', () => {
  const document = { 'a/b': [{ '~': 1 }], length: 2 }
  assert.deepEqual(atPointer(document, '#/a~1b/0/~0'), { value: 1, steps: ['a/b', '0', '~'] })
  assert.deepEqual(atPointer(document, '#/length'), { value: 2, steps: ['length'] })
  for (const pointer of ['#/a~1b/length', '#/a~1b/00', '#/a~1b/-', '#/a~1b/1', '#/constructor', '#/%'])
    assert.equal(atPointer(document, pointer), undefined, pointer)
  assert.deepEqual(pathOf(document, '#/a~1b/length'), ['a/b'])
})
