import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ManualClock } from '../core/manual-clock.ts'
import type { ToMain } from './messages.ts'
import { WorkerLog } from './worker-log.ts'

type Line = Extract<ToMain, { kind: 'log' }>

function workerLog(): { log: WorkerLog; lines: Line[]; clock: ManualClock } {
  const clock = new ManualClock()
  const lines: Line[] = []
  const log = new WorkerLog({ post: (message) => void (message.kind === 'log' && lines.push(structuredClone(message))) }, clock, 3)
  return { log, lines, clock }
}

test('lines reach main with the number of their worker, errors with their words and stack', () => {
  const { log, lines } = workerLog()
  log.warn('a thing', { error: new Error('why', { cause: new TypeError('deeper') }), service: 'orders' })
  assert.equal(lines.length, 1)
  const { level, message, fields } = lines[0]
  assert.deepEqual([level, message, fields['worker'], fields['service']], ['warn', 'a thing', 3, 'orders'])
  const error = fields['error'] as { type: string; message: string; stack: string; cause: { message: string } }
  assert.deepEqual([error.type, error.message, error.cause.message], ['Error', 'why', 'deeper'])
  assert.match(error.stack, /worker-log\.test/)
})

test('fields that cannot cross between threads do not cost the message', () => {
  const { log, lines } = workerLog()
  log.error('a thing', { run: () => 1 })
  assert.deepEqual([lines[0].message, lines[0].fields], ['a thing', { worker: 3 }])
})

test('lines below the level stay in the worker', () => {
  const { log, lines } = workerLog()
  log.debug('no')
  log.setLevel('debug')
  log.debug('yes')
  log.setLevel('error')
  log.warn('no')
  assert.deepEqual(
    lines.map(({ message }) => message),
    ['yes'],
  )
})

test('a flood is cut off, counted, and the count is said', () => {
  const { log, lines, clock } = workerLog()
  for (let i = 0; i < 1000; i++) log.error('again')
  assert.equal(lines.length, 200)
  clock.advance(1000)
  log.error('again')
  assert.deepEqual(
    lines.slice(200).map(({ message, fields }) => [message, fields['lines']]),
    [
      ['log lines were suppressed', 800],
      ['again', undefined],
    ],
  )
})
