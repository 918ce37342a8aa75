import assert from 'node:assert/strict'
import { test } from 'node:test'
import { exchangeOf } from '../../test/support/exchange.ts'
import { textAnswer } from '../core/answer.ts'
import type { Answer } from '../core/answer.ts'
import { Fault } from '../core/fault.ts'
import type { Outcome } from '../core/policy.ts'
import type { Generation } from './generation.ts'
import { CurrentGeneration } from './generation.ts'

const outcome: Outcome = { end: 'complete', status: 200, fault: undefined, receivedBytes: 0, sentBytes: 0, endedAt: 0 }

interface Probe extends Generation {
  readonly finished: string[]
  isClosed: boolean
}

function generationOf(hash: string, listeners: readonly string[] = ['test']): Probe {
  const finished: string[] = []
  return {
    hash,
    routes: [],
    finished,
    isClosed: false,
    served: (listener) =>
      listeners.includes(listener)
        ? {
            handle: () => textAnswer(200, hash),
            done: (x) => void finished.push(x.target),
            refused: () => textAnswer(400, hash),
          }
        : undefined,
    close() {
      assert.equal(this.isClosed, false, 'closed once')
      this.isClosed = true
    },
  }
}

const textOf = (answer: unknown): string => (answer as Answer).body.bytes!.toString()

test('an exchange is finished by the generation that began it', () => {
  const current = new CurrentGeneration()
  const served = current.served('test')
  const [first, second] = [generationOf('first'), generationOf('second')]
  current.commit(first)
  const early = exchangeOf({ target: '/early' })
  assert.equal(textOf(served.handle(early)), 'first')
  current.commit(second)
  const late = exchangeOf({ target: '/late' })
  assert.equal(textOf(served.handle(late)), 'second')
  assert.equal(current.active, 2)
  assert.equal(first.isClosed, false)
  served.done(early, outcome)
  assert.deepEqual(first.finished, ['/early'])
  assert.equal(first.isClosed, true)
  served.done(late, outcome)
  assert.deepEqual(second.finished, ['/late'])
  assert.equal(second.isClosed, false)
  assert.equal(current.active, 0)
})

test('an idle generation is closed by the commit of the next', () => {
  const current = new CurrentGeneration()
  const first = generationOf('first')
  current.commit(first)
  current.commit(generationOf('second'))
  assert.equal(first.isClosed, true)
  assert.equal(current.retired, 0)
})

test('a listener that the new generation lacks answers 503 until its connections are gone', () => {
  const current = new CurrentGeneration()
  const served = current.served('test')
  current.commit(generationOf('first', []))
  const x = exchangeOf()
  assert.equal((served.handle(x) as Answer).status, 503)
  served.done(x, outcome)
  assert.equal(served.refused(new Fault('malformed'), x.connection).status, 503)
})
