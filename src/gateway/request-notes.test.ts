import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { LocalHub } from '../../test/support/local-hub.ts'
import { exchangeOf } from '../../test/support/exchange.ts'
import { emptyAnswer } from '../core/answer.ts'
import type { Exchange } from '../core/exchange.ts'
import { Fault } from '../core/fault.ts'
import { ManualClock } from '../core/manual-clock.ts'
import type { Outcome, Policy } from '../core/policy.ts'
import { pass, refuse } from '../core/verdict.ts'
import { passKeys } from './explain-pass.ts'
import { RequestDesk } from './request-desk.ts'
import { RequestNotes } from './request-notes.ts'
import type { RequestRecorder } from './request-notes.ts'
import type { RequestRow } from './request-row.ts'
import { outlinesOf } from './request-row.ts'

const edge: Policy = { name: 'penalties', stage: 'penalty', source: 'penalties' }
const limits: Policy = { name: 'limits', stage: 'limit', source: 'routes[0].limits' }
const over = refuse('over-limit', { name: 'quota-exceeded' }, 'limited:few', () => 'used up', 'routes[0].limits[0]')

interface Scene {
  readonly clock: ManualClock
  readonly desk: RequestDesk
  readonly notes: RequestNotes
  readonly recorder: RequestRecorder
  readonly done: (id: string, over?: Partial<Outcome>, change?: (x: Exchange) => void) => void
}

async function scene(keys = passKeys()): Promise<Scene> {
  const clock = new ManualClock()
  const hub = new LocalHub()
  const desk = new RequestDesk(hub, { clock, workers: () => 1, keys })
  const notes = new RequestNotes(hub.link(0), clock, 0)
  const recorder = notes.recorder('hash', [edge], 2)
  await new Promise((resolve) => void setImmediate(resolve))
  const done: Scene['done'] = (id, outcome = {}, change = () => {}) => {
    const x = exchangeOf({ startedMono: clock.monotonic(), startedAt: clock.now() })
    x.id = id
    x.route = { name: 'orders', index: 0, paramNames: [], policies: [limits] }
    change(x)
    const end = {
      end: 'complete',
      status: 200,
      fault: undefined,
      receivedBytes: 0,
      sentBytes: 0,
      endedAt: clock.monotonic(),
    } as const
    recorder.done(x, { ...end, ...outcome }, outlinesOf([limits]))
  }
  return { clock, desk, notes, recorder, done }
}

function refused(x: Exchange): void {
  x.verdicts[0] = pass('free')
  x.verdicts[2] = over
  x.refusedBy = limits
  x.refusal = over
}

describe('what is kept of requests', () => {
  test('a refusal, with who was asked before and behind routing', async () => {
    const { desk, done } = await scene()
    done('a', { status: 429 }, refused)
    const row = await desk.find('a')
    assert.deepEqual(row?.verdicts, [
      { policy: 'penalties', stage: 'penalty', source: 'penalties', code: 'free', decision: 'passes', words: 'free' },
      {
        policy: 'limits',
        stage: 'limit',
        source: 'routes[0].limits[0]',
        code: 'over-limit',
        decision: 'refuses',
        words: 'used up',
      },
    ])
    assert.deepEqual(row.refused, { policy: 'limits', code: 'over-limit', source: 'routes[0].limits[0]', label: 'limited:few' })
    assert.equal(await desk.find('b'), undefined)
  })

  test('a slot that is written over shows nothing of what it held', async () => {
    const { desk, done } = await scene()
    for (let i = 0; i < 256; i++) done(`r${i}`, { status: 429 }, refused)
    done('last', { status: 500 }, (x) => {
      x.verdicts[0] = pass('free')
      x.fault = new Fault('internal', 'a bug')
    })
    const row = await desk.find('last')
    assert.equal(row?.verdicts.length, 1)
    assert.equal(row.refused, undefined)
    assert.deepEqual(row.fault, { code: 'internal', why: 'a bug' })
    assert.equal(await desk.find('r0'), undefined, 'the oldest made room')
    assert.ok((await desk.find('r1')) !== undefined)
  })

  test('the end of a Generation changes nothing of it, and slots are written over as before', async () => {
    const { desk, notes, done } = await scene()
    done('sampled')
    for (let i = 0; i < 256; i++) done(`r${i}`, { status: 429 }, refused)
    const before = await desk.list()
    notes.settle()
    assert.deepEqual(await desk.list(), before)
    done('last', { status: 500 }, (x) => {
      x.fault = new Fault('internal', 'a bug')
    })
    notes.settle()
    const row = await desk.find('last')
    assert.deepEqual([row?.status, row?.verdicts, row?.fault?.why], [500, [], 'a bug'])
    assert.equal(await desk.find('r0'), undefined)
  })

  test('a flood of refusals leaves the others, of which one in a while is kept', async () => {
    const { desk, done, clock } = await scene()
    done('first')
    done('too-soon')
    clock.advance(100)
    done('second')
    for (let i = 0; i < 1000; i++) done(`r${i}`, { status: 429 }, refused)
    const rows = await desk.list()
    assert.equal(rows.length, 258)
    assert.deepEqual(
      rows.filter(({ keptFor }) => keptFor === 'sample').map(({ id }) => id),
      ['second', 'first'],
    )
  })

  test('whoever is no request at all', async () => {
    const { desk, recorder } = await scene()
    const connection = { listener: 'web', remoteAddress: '192.0.2.7', remotePort: 1, localPort: 2, tls: undefined }
    recorder.refused('m', new Fault('malformed', 'bare LF'), connection, 400)
    const row = await desk.find('m')
    assert.deepEqual([row?.status, row?.address, row?.fault?.code], [400, '192.0.2.7', 'malformed'])
  })

  test('requests with a pass, which are answered with the codes', async () => {
    const { desk, recorder, done, clock } = await scene()
    done('filler')
    const { pass: given } = desk.sign(60_000)
    const x = exchangeOf({ headers: ['x-velum-explain', given], startedMono: clock.monotonic() })
    x.verdicts[0] = pass('free')
    const answer = emptyAnswer(404)
    recorder.left(x, answer, undefined)
    assert.equal(answer.headers.get('x-velum-explain'), 'route=; penalties=free')
    const end = { end: 'complete', status: 200, fault: undefined, receivedBytes: 0, sentBytes: 0, endedAt: 0 } as const
    recorder.done(x, end, undefined)
    assert.equal((await desk.find('test-1'))?.keptFor, 'traced')
  })

  test('is told while somebody watches, a batch at a time, and not afterwards', async () => {
    const { desk, done, clock } = await scene()
    const seen: RequestRow[] = []
    done('before', { status: 429 }, refused)
    const stop = desk.watch(({ rows }) => void seen.push(...rows))
    done('one', { status: 429 }, refused)
    done('two', { status: 429 }, refused)
    assert.equal(seen.length, 0)
    clock.advance(500)
    assert.deepEqual(
      seen.map(({ id }) => id),
      ['one', 'two'],
    )
    done('three', { status: 429 }, refused)
    stop()
    clock.advance(1000)
    done('four', { status: 429 }, refused)
    clock.advance(1000)
    assert.equal(seen.length, 2)
  })

  test('as much is told as eyes can follow, refused ones first, and of the rest how much it was', async () => {
    const { desk, done, clock } = await scene()
    const told: { ids: string[]; missed: number }[] = []
    desk.watch(({ rows, missed }) => void told.push({ ids: rows.map(({ id }) => id), missed }))
    for (let i = 0; i < 3; i++) done(`few-${i}`)
    clock.advance(500)
    assert.deepEqual(told, [{ ids: ['few-0', 'few-1', 'few-2'], missed: 0 }])

    for (let i = 0; i < 1000; i++) {
      done(`many-${i}`)
      if (i % 2 === 1) clock.advance(1)
    }
    assert.deepEqual([told[1].ids.length, told[1].ids[0], told[1].ids.length + told[1].missed], [32, 'many-0', 1000])

    for (let i = 0; i < 100; i++) {
      done(`refused-${i}`, { status: 429 }, refused)
      done(`passed-${i}`)
      clock.advance(5)
    }
    const { ids, missed } = told[2]
    assert.equal(ids.filter((id) => id.startsWith('refused')).length, 24)
    assert.deepEqual([ids.length, ids.at(-1), missed], [32, 'refused-99', 168])
  })
})
