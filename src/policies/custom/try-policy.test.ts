import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ManualClock } from '../../core/manual-clock.ts'
import type { PolicyDefinition } from './define-policy.ts'
import { definePolicy } from './define-policy.ts'
import type { PartTrial } from './try-policy.ts'
import { tryPolicy } from './try-policy.ts'

/** Tries a policy that may say how long a call takes, on a clock that only it moves. */
async function trialOf(
  define: (clock: ManualClock) => PolicyDefinition<unknown>,
  options: readonly unknown[] = [undefined],
): Promise<PartTrial[]> {
  const clock = new ManualClock()
  return tryPolicy(define(clock), options, clock)
}

const throwing = (): never => {
  throw new TypeError('no such\nthing')
}

test('the middle call counts, each function by itself, until a tenth of a second is over', async () => {
  let calls = 0
  const parts = await trialOf((clock) => ({
    decide() {
      clock.advance(++calls === 1 ? 40 : 3)
      return 'pass'
    },
    onHead: () => clock.advance(1),
  }))
  assert.deepEqual(parts, [
    { part: 'decide', calls: 16, medianMs: 3, thrown: undefined },
    { part: 'onHead', calls: 16, medianMs: 1, thrown: undefined },
  ])
})

test('one that costs nothing is called so often and no more; one that costs too much, once', async () => {
  assert.equal((await trialOf(() => ({ decide: () => 'pass' })))[0].calls, 200)
  const [slow] = await trialOf((clock) => ({ onDone: () => clock.advance(5000) }))
  assert.deepEqual([slow.calls, slow.medianMs], [1, 5000])
})

test('what is thrown or rejected is told only where every request ends so', async () => {
  assert.equal((await trialOf(() => ({ decide: throwing })))[0].thrown, 'TypeError: no such')
  assert.equal((await trialOf(() => ({ decide: () => Promise.reject(new Error('late')) })))[0].thrown, 'Error: late')
  const needsCaller = definePolicy<unknown>({ decide: ({ caller }) => (caller!.subject === '' ? { status: 403 } : 'pass') })
  assert.equal((await trialOf(() => needsCaller))[0].thrown, undefined)
  assert.equal((await trialOf(() => ({ decide: () => new Promise(() => {}) })))[0].thrown, undefined)
})

test('requests come with and without what a request may have, and with each of the options', async () => {
  const seen = new Set<string>()
  const policy = definePolicy<unknown>({
    options: (written) => written,
    decide(request, { options, records, log, isPeek }) {
      log.info('unheard')
      records.set('a', 'b', 1000)
      assert.equal(records.get('a'), 'b')
      assert.equal(isPeek, false)
      const has = [request.header('x-any'), request.caller, request.query].map((value) => value !== undefined)
      seen.add(`${String(options)} ${request.method} ${has.join()}`)
      return 'pass'
    },
    onHead: (_request, answer) => answer.setHeader('x-status', String(answer.status)),
  })
  const parts = await trialOf(() => policy, [1, 2, 3])
  assert.deepEqual(
    parts.map(({ thrown }) => thrown),
    [undefined, undefined],
  )
  assert.equal(seen.size, 12, [...seen].join('; '))
  assert.deepEqual(await trialOf(() => policy, []), [])
})
