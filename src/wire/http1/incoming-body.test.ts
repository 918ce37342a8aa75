import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Fault } from '../../core/fault.ts'
import { RequestFields } from '../request-fields.ts'
import type { BodySource } from './incoming-body.ts'
import { IncomingBody, receiveBody } from './incoming-body.ts'

const spelt = (chunk: Buffer | null): string | undefined => chunk?.toString('latin1')

/** Counts what a body asks of its connection. */
class Source implements BodySource {
  wanted = 0
  taken = 0
  bodyWanted(): void {
    this.wanted++
  }
  bodyTaken(): void {
    this.taken++
  }
}

const feed = (body: IncomingBody, text: string): number => {
  const bytes = Buffer.from(text, 'latin1')
  const at = body.take(bytes, 0, bytes.length)
  bytes.fill('#') // only lent
  return at
}

describe('IncomingBody', () => {
  test('gives what has come at once, and waits for the rest', async () => {
    const source = new Source()
    const body = new IncomingBody({ kind: 'length', length: 4 }, source)
    assert.equal(feed(body, 'ab'), 2)
    assert.equal(spelt(await body.pull()), 'ab')
    assert.equal(source.taken, 1)
    const next = body.pull()
    assert.equal(source.wanted, 1)
    assert.equal(feed(body, 'cdnext'), 2)
    assert.equal(spelt(await next), 'cd')
    assert.equal(body.pull(), null)
    assert.equal(body.received, 4)
  })

  test('a read of many chunks makes one piece', async () => {
    const body = new IncomingBody({ kind: 'chunked', maxTrailerBytes: 100, maxTrailerCount: 2 }, new Source())
    feed(body, '1\r\na\r\n1\r\nb\r\n1\r\nc\r\n')
    assert.equal(spelt(await body.pull()), 'abc')
  })

  test('the end alone ends a waiting pull', async () => {
    const body = new IncomingBody({ kind: 'chunked', maxTrailerBytes: 100, maxTrailerCount: 2 }, new Source())
    const next = body.pull()
    feed(body, '0\r\n\r\n')
    assert.equal(await next, null)
  })

  test('a fault is told to whoever waits and to whoever asks, and what is queued is dropped', async () => {
    const why = new Fault('client-left')
    const waiting = new IncomingBody({ kind: 'length', length: 4 }, new Source())
    const next = waiting.pull()
    waiting.fail(why)
    await assert.rejects(async () => next, why)
    const queued = new IncomingBody({ kind: 'length', length: 4 }, new Source())
    feed(queued, 'ab')
    queued.fail(why)
    assert.equal(queued.queued, 0)
    assert.throws(() => queued.pull(), why)
    assert.equal(feed(queued, 'cd'), 2, 'what still comes is passed over')
    assert.equal(queued.isComplete, false)
  })

  test('broken framing is a fault', () => {
    const body = new IncomingBody({ kind: 'chunked', maxTrailerBytes: 100, maxTrailerCount: 2 }, new Source())
    feed(body, 'x')
    assert.equal(body.fault?.code, 'malformed')
  })

  test('a reader that gave up never sees an end that was none', () => {
    const body = new IncomingBody({ kind: 'length', length: 4 }, new Source())
    feed(body, 'ab')
    body.cancel(new Fault('cancelled'))
    feed(body, 'cd')
    assert.equal(body.discarded, 4)
    assert.ok(body.isComplete)
    assert.throws(() => body.pull(), { code: 'cancelled' })
  })

  test('is full by bytes, and by pieces that are worth nothing', () => {
    const large = new IncomingBody({ kind: 'length', length: 100_000 }, new Source())
    feed(large, 'x'.repeat(65_535))
    assert.equal(large.isFull, false)
    feed(large, 'x')
    assert.equal(large.isFull, true)
    const small = new IncomingBody({ kind: 'length', length: 100_000 }, new Source())
    for (let i = 0; i < 31; i++) feed(small, 'x')
    assert.equal(small.isFull, false)
    feed(small, 'x')
    assert.equal(small.isFull, true)
  })

  test('a fork sees what is read, a replay reads it again', async () => {
    const body = new IncomingBody({ kind: 'length', length: 4 }, new Source())
    const fork = body.fork(100)
    const replay = body.replay(100)!
    feed(body, 'abcd')
    assert.equal(spelt(await replay.first.pull()), 'abcd')
    assert.equal(await replay.first.pull(), null)
    assert.equal(spelt(await replay.again()!.pull()), 'abcd')
    assert.equal(spelt(await fork.pull()), 'abcd')
    assert.equal(await fork.pull(), null)
  })
})

const fields = (contentLength: number, isChunked = false): RequestFields =>
  Object.assign(new RequestFields(), { contentLength, isChunked })
const arrive = (text: string, what: RequestFields) => {
  const bytes = Buffer.from(text)
  return receiveBody(what, bytes, 1, bytes.length, new Source())
}

describe('receiveBody', () => {
  test('a body that is all there is whole, and a copy', () => {
    for (const [text, what, at] of [
      ['.abcnext', fields(3), 4],
      ['.3\r\nabc\r\n0\r\n\r\nnext', fields(-1, true), 14],
    ] as const) {
      const arrival = arrive(text, what)
      assert.equal(arrival.body.bytes?.toString(), 'abc')
      assert.equal(arrival.incoming, undefined)
      assert.equal(arrival.at, at)
    }
  })

  test('a body with trailers or with more to come is to be pulled', () => {
    for (const [text, what] of [
      ['.ab', fields(3)],
      ['.3\r\nabc\r\n', fields(-1, true)],
      ['.3\r\nabc\r\n0\r\nx: y\r\n\r\n', fields(-1, true)],
    ] as const) {
      const arrival = arrive(text, what)
      assert.equal(arrival.body, arrival.incoming)
      assert.equal(arrival.at, text.length)
    }
  })

  test('broken framing is told before there is an exchange', () =>
    assert.equal(arrive('.x', fields(-1, true)).fault?.code, 'malformed'))
})
