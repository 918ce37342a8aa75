import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Fault } from '../core/fault.ts'
import { ManualClock } from '../core/manual-clock.ts'
import { EventBody } from './event-body.ts'

const text = async (body: EventBody): Promise<string> => String(await body.pull())

test('events come one by one, and a comment while it is quiet', async () => {
  const clock = new ManualClock()
  const body = new EventBody(clock, () => {})
  assert.equal(await text(body), ': \n\n')
  body.send({ a: 1 })
  body.send({ a: 2 }, 'other')
  assert.equal(await text(body), 'data: {"a":1}\n\nevent: other\ndata: {"a":2}\n\n')
  const next = text(body)
  clock.advance(15_000)
  assert.equal(await next, ': \n\n')
})

test('who falls behind is told how much was missed', async () => {
  const body = new EventBody(new ManualClock(), () => {})
  const long = 'x'.repeat(600_000)
  body.send(long)
  body.send(1)
  body.send(2)
  await body.pull()
  body.send(3)
  assert.equal(await text(body), 'event: missed\ndata: {"missed":2}\n\ndata: 3\n\n')
})

test('what is left out is told at once, and together with what a reader missed who falls behind', async () => {
  const body = new EventBody(new ManualClock(), () => {})
  await body.pull()
  body.send(1)
  body.miss(0)
  body.miss(7)
  assert.equal(await text(body), 'data: 1\n\nevent: missed\ndata: {"missed":7}\n\n')
  body.send('x'.repeat(600_000))
  body.send(2)
  body.miss(3)
  await body.pull()
  body.miss(2)
  assert.equal(await text(body), 'event: missed\ndata: {"missed":6}\n\n')
})

test('once nobody reads it, it says so once and stays silent', async () => {
  let ended = 0
  const body = new EventBody(new ManualClock(), () => void ended++)
  await body.pull()
  const waiting = body.pull()
  body.cancel(new Fault('client-left'))
  body.cancel(new Fault('client-left'))
  assert.equal(ended, 1)
  body.send(1)
  assert.equal(await waiting, null)
})
