import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Clock } from './clock.ts'
import { ManualClock } from './manual-clock.ts'
import { Deadlines, endWait } from './deadlines.ts'

test('each wait is due after its own time, in order, and one that is over is not', () => {
  const clock = new ManualClock()
  const deadlines = new Deadlines(clock, 100)
  const due: string[] = []
  deadlines.add(() => due.push('a'))
  clock.advance(40)
  const over = deadlines.add(() => due.push('b'))
  clock.advance(40)
  deadlines.add(() => {
    due.push('c')
    deadlines.add(() => due.push('d'))
  })
  over.isOver = true
  clock.advance(19)
  assert.deepEqual(due, [])
  clock.advance(1)
  assert.deepEqual(due, ['a'])
  clock.advance(80)
  assert.deepEqual(due, ['a', 'c'])
  clock.advance(100)
  assert.deepEqual(due, ['a', 'c', 'd'])
})

test('a thread that was too busy looks again before it calls anything late', () => {
  let now = 0
  const timers: { delayMs: number; run: () => void }[] = []
  const clock: Clock = {
    now: () => now,
    monotonic: () => now,
    after(delayMs, run) {
      timers.push({ delayMs, run })
      return { cancel: () => {} }
    },
  }
  const deadlines = new Deadlines(clock, 100)
  const due: string[] = []
  const wait = deadlines.add(() => due.push('a'))
  deadlines.add(() => due.push('b'))
  now = 500
  timers.shift()!.run()
  assert.deepEqual(due, [], 'its timer came 400 ms late: answers may lie unread')
  wait.isOver = true
  now = 900
  timers.shift()!.run()
  assert.deepEqual(due, ['b'], 'but once only')
})

test('ending makes everything due at once', () => {
  const clock = new ManualClock()
  const deadlines = new Deadlines(clock, 100)
  let due = 0
  deadlines.add(() => due++)
  deadlines.add(() => due++).isOver = true
  deadlines.endAll()
  clock.advance(1000)
  assert.equal(due, 1)
})

test('however many waits come and end, each one left is due in its time, and none is forgotten', () => {
  const clock = new ManualClock()
  const deadlines = new Deadlines(clock, 100)
  const due: number[] = []
  for (let i = 0; i < 5000; i++) {
    const wait = deadlines.add(() => due.push(i))
    if (i % 1000 !== 999) endWait(wait)
    if (i % 100 === 99) clock.advance(1)
  }
  // Added after 9, 19, … 49 ms.
  clock.advance(100)
  assert.deepEqual(due, [999, 1999, 2999, 3999, 4999])
  const last = deadlines.add(() => due.push(-1))
  clock.advance(99)
  assert.equal(due.length, 5)
  clock.advance(1)
  assert.deepEqual([due.length, last.isOver], [6, true])
})
