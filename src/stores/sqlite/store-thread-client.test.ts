import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Fault } from '../../core/fault.ts'
import { silentLog } from '../../core/log.ts'
import { ManualClock } from '../../core/manual-clock.ts'
import { StoreUnusable } from '../../core/stores.ts'
import type { StoreCall } from '../store-verbs.ts'
import { StoreThreadClient } from './store-thread-client.ts'

const entry = new URL('../../../test/support/fragile-store-thread.ts', import.meta.url)

interface Bench {
  readonly client: StoreThreadClient
  readonly clock: ManualClock
  /** What happened, in order. */
  readonly events: string[]
}

async function startBench(t: TestContext, file = 'any'): Promise<Bench> {
  const clock = new ManualClock()
  const events: string[] = []
  const client = new StoreThreadClient({
    file,
    clock,
    log: silentLog,
    entry,
    answerMs: 1000,
    appended: (messages) => events.push(`heard ${messages.map(({ data }) => data).join()}`),
    died: () => events.push('died'),
    restarted: () => events.push('restarted'),
  })
  await client.start()
  t.after(() => client.close())
  return { client, clock, events }
}

function say(...args: unknown[]): StoreCall {
  return { verb: 'generation', args }
}

const isDown = (thrown: unknown): boolean => thrown instanceof Fault && thrown.code === 'store-down'

test('calls of one turn share a commit, and so do those that come while one is under way', async (t) => {
  const { client } = await startBench(t)
  const first = [client.call(say('a')), client.call(say('b')), client.call(say('c'))]
  await Promise.resolve()
  const next = [client.call(say('d')), client.call(say('e'))]
  assert.deepEqual(await Promise.all(first), [3, 3, 3])
  assert.deepEqual(await Promise.all(next), [2, 2])
})

test('what was appended is heard before the call is answered', async (t) => {
  const { client, events } = await startBench(t)
  const answered = client.call(say('a')).then(() => events.push('answered'))
  await answered
  assert.deepEqual(events, ['heard "a"', 'answered'])
})

test('a silent thread fails calls at their deadline, then at once, until it speaks again', async (t) => {
  const { client, clock, events } = await startBench(t)
  const alarm = new SharedArrayBuffer(4)
  const slow = assert.rejects(client.call(say('sleep', alarm)), isDown)
  await sleep(1)
  const queued = assert.rejects(client.call(say('queued')), isDown)
  clock.advance(999)
  assert.equal(client.isUp, true)
  clock.advance(1)
  await slow
  await queued
  assert.equal(client.isUp, false)
  await assert.rejects(client.call(say('x')), isDown)
  Atomics.notify(new Int32Array(alarm), 0)
  while (!client.isUp) await sleep(5)
  assert.equal(await client.call(say('y')), 1)
  assert.deepEqual(
    events,
    ['heard "sleep"', 'heard "y"'],
    'a late answer is heard on the bus, and a call that was given up is never made',
  )
})

test('a thread that dies is replaced, and followers are told', async (t) => {
  const { client, clock, events } = await startBench(t)
  const doomed = [client.call(say('die')), client.call(say('with it'))]
  for (const call of doomed) await assert.rejects(call, isDown)
  assert.equal(client.isUp, false)
  assert.deepEqual(events, ['died'])
  await assert.rejects(client.call(say('x')), isDown)
  clock.advance(100)
  while (!client.isUp) await sleep(5)
  assert.deepEqual(events, ['died', 'restarted'])
  assert.equal(await client.call(say('y')), 1)
})

test('a store that cannot be used is no store', async (t) => {
  await assert.rejects(
    () => startBench(t, 'unusable'),
    (thrown) => thrown instanceof StoreUnusable && thrown.message === 'it is broken',
  )
})

test('closing ends what is under way', async (t) => {
  const { client } = await startBench(t)
  const calls = [client.call(say('a')), client.call(say('b'))].map((call) => assert.rejects(call, isDown))
  await client.close()
  await Promise.all(calls)
  await assert.rejects(client.call(say('c')), isDown)
})
