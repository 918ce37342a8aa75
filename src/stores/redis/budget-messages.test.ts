import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { BudgetCall, BudgetLevel } from '../../core/budgets.ts'
import { BudgetMessage, readBudgetAnswer } from './budget-messages.ts'

const level: BudgetLevel = { id: 'a', place: 'a', kind: 'token-bucket', parameters: [10, 2, 1000], cost: 1 }

function calls(count: number): BudgetCall[] {
  return Array.from({ length: count }, () => ({ verb: 'charge', count: 1, levels: [level] }))
}

test('answers are read number by number, whatever they are', () => {
  const numbers = fc.oneof(
    fc.integer({ min: -1, max: 1000 }),
    fc.maxSafeInteger(),
    fc.double({ noDefaultInfinity: true, noNaN: true }),
    fc.constantFrom(1e14, 1e15, 1e21, 0.5, -1),
  )
  fc.assert(
    fc.property(fc.array(fc.array(numbers, { minLength: 6, maxLength: 6 }), { minLength: 1, maxLength: 5 }), (rows) => {
      const answer = readBudgetAnswer(calls(rows.length), rows.map((row) => row.join(' ')).join(' '))
      // What is written is read: -0 is written as 0.
      const plain = (n: number): number => Number(String(n))
      assert.deepEqual(
        answer,
        rows.map(([granted, remaining, retry, reset, unit, delay]) => ({
          granted: plain(granted),
          levels: [
            {
              remaining: plain(remaining),
              retryAfterMs: retry === -1 ? Infinity : plain(retry),
              resetAfterMs: plain(reset),
              unitAfterMs: plain(unit),
              delayMs: plain(delay),
            },
          ],
        })),
      )
    }),
  )
})

test('an answer that ends early says nothing, not zero', () => {
  for (const text of ['1 9', '', '1 9 ', '1 x']) {
    const answer = readBudgetAnswer(calls(1), text)
    assert.ok(!('epoch' in answer) && Number.isNaN(answer[0].levels[0].delayMs), text)
  }
  assert.throws(() => readBudgetAnswer(calls(1), 7))
  assert.deepEqual(readBudgetAnswer(calls(1), '!1700000000000 12'), { epoch: 1_700_000_000_000, ageMs: 12 })
})

test('a message says each limit by its kind and parameters, also where two kinds share a list of them', () => {
  const message = new BudgetMessage('epoch', 5, 7, ({ id }) => `key:${id}`)
  message.call({ verb: 'charge', count: 2, levels: [level, { ...level, id: 'b', kind: 'fixed-window' }] })
  message.call({ verb: 'peek', count: 1, levels: [{ ...level, cost: 3 }] })
  assert.deepEqual(message.keys, ['epoch', 'key:a', 'key:b'])
  assert.equal(message.text, '5 7 1 2 2 2 1 10 2 1000 1 3 3 10 2 1000 1 2 1 1 2 1 10 2 1000 3 ')
})
