import assert from 'node:assert/strict'
import { test } from 'node:test'
import { amountText } from '../dashboard/words.ts'

test('a number of things is of one thing only where it is one', () => {
  const texts = [0, 1, 2, 1234, 12_345].map((count) => amountText(count, 'retry', 'retries'))
  assert.deepEqual(texts, ['0 retries', '1 retry', '2 retries', '1,234 retries', '12.3K retries'])
})
