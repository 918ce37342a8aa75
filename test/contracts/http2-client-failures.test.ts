import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { suite, test } from 'node:test'
import { Fault } from '../../src/core/fault.ts'
import { callOf, isFault, nextTurn, pulled, streamOf, until } from '../support/client-wires.ts'
import { exchangeOf } from '../support/exchange.ts'
import { errorCode, flag, frame, frameType, resetFrame } from '../support/http2-frames.ts'
import { frameScene, maxStreamsSetting, status200 } from '../support/http2-service.ts'

const goaway = (last: number, code: number): Buffer => {
  const payload = Buffer.alloc(8)
  payload.writeUInt32BE(last)
  payload.writeUInt32BE(code, 4)
  return frame(frameType.goaway, 0, 0, payload)
}

suite('services of HTTP/2 that fail', { timeout: 60_000 }, () => {
  test('refuse a stream: unsent', () =>
    frameScene(async ({ wire, accepted, request }) => {
      const sending = wire.send(callOf(), exchangeOf())
      await until(() => accepted.length === 1)
      accepted[0].send(resetFrame(await request(accepted[0], 0), errorCode.refused))
      await assert.rejects(sending, isFault('service-reset', true))
    }))

  test('reset a stream: not unsent', () =>
    frameScene(async ({ wire, accepted, request }) => {
      const sending = wire.send(callOf(), exchangeOf())
      await until(() => accepted.length === 1)
      accepted[0].send(resetFrame(await request(accepted[0], 0), errorCode.cancel))
      await assert.rejects(sending, isFault('service-reset', false))
    }))

  test('go away: what they never looked at is unsent, what they did look at is answered, new calls go elsewhere', () =>
    frameScene(async ({ wire, accepted, request }) => {
      const first = wire.send(callOf(), exchangeOf())
      await until(() => accepted.length === 1)
      await request(accepted[0], 0)
      const second = wire.send(callOf(), exchangeOf())
      await request(accepted[0], 1)
      accepted[0].send(goaway(1, errorCode.none))
      await assert.rejects(second, isFault('service-reset', true))
      const third = wire.send(callOf(), exchangeOf())
      await until(() => accepted.length === 2)
      accepted[0].send(frame(frameType.headers, flag.endHeaders | flag.endStream, 1, status200))
      assert.equal((await first).status, 200)
      await accepted[0].ended()
      const id = await request(accepted[1], 0)
      accepted[1].send(frame(frameType.headers, flag.endHeaders | flag.endStream, id, status200))
      assert.equal((await third).status, 200)
    }))

  test('close the connection: calls under way have failed', () =>
    frameScene(async ({ wire, accepted, request }) => {
      const sending = wire.send(callOf(), exchangeOf())
      await until(() => accepted.length === 1)
      await request(accepted[0], 0)
      accepted[0].socket.resetAndDestroy()
      await assert.rejects(sending, isFault('service-reset', false))
      await until(() => wire.open === 0)
    }))

  test('do not answer: service-timeout, the stream is cancelled, and a connection that is dead is given up', () =>
    frameScene(async ({ wire, accepted, request, clock }) => {
      const sending = wire.send(callOf(), exchangeOf())
      await until(() => accepted.length === 1)
      const id = await request(accepted[0], 0)
      clock.advance(5100)
      await assert.rejects(sending, isFault('service-timeout', false))
      assert.equal(await accepted[0].resetCode(id), errorCode.cancel)
      // Nobody answers the PING either.
      await accepted[0].frame(({ type }) => type === frameType.ping)
      clock.advance(1100)
      await accepted[0].ended()
      assert.equal(wire.open, 0)
    }))

  test('stop in the middle of an answer: service-timeout for the reader, who was not waiting before', () =>
    frameScene(async ({ wire, accepted, request, clock }) => {
      const sending = wire.send(callOf(), exchangeOf())
      await until(() => accepted.length === 1)
      const id = await request(accepted[0], 0)
      accepted[0].send(frame(frameType.headers, flag.endHeaders, id, status200))
      const { body } = await sending
      clock.advance(60_000)
      const reading = pulled(body)
      await nextTurn()
      clock.advance(10_100)
      await assert.rejects(reading, isFault('service-timeout'))
    }))

  test('are not there, or speak something else: service-refused, unsent', async () => {
    await frameScene(
      async ({ wire }) => {
        await assert.rejects(wire.send(callOf(), exchangeOf()), isFault('service-refused', true))
      },
      { port: 1 },
    )
    const http1 = createServer((socket) => {
      socket.on('error', () => {})
      socket.end('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n')
    }).listen(0, '127.0.0.1')
    await once(http1, 'listening')
    await frameScene(
      async ({ wire }) => {
        await assert.rejects(wire.send(callOf(), exchangeOf()), isFault('service-refused', true))
      },
      { port: (http1.address() as AddressInfo).port },
    )
    http1.close()
  })

  test('never say what they allow: service-refused after the time to connect', async () => {
    const mute = createServer((socket) => socket.on('error', () => {})).listen(0, '127.0.0.1')
    await once(mute, 'listening')
    let connected = false
    mute.on('connection', () => (connected = true))
    await frameScene(
      async ({ wire, clock }) => {
        const sending = wire.send(callOf(), exchangeOf())
        await until(() => connected)
        await nextTurn()
        clock.advance(1100)
        await assert.rejects(sending, isFault('service-refused', true))
      },
      { port: (mute.address() as AddressInfo).port },
    )
    mute.close()
  })
})

suite('giving calls over HTTP/2 up', { timeout: 60_000 }, () => {
  test('by the client before the head cancels the stream, and not the connection', () =>
    frameScene(async ({ wire, accepted, request }) => {
      const x = exchangeOf()
      const sending = wire.send(callOf(), x)
      await until(() => accepted.length === 1)
      const id = await request(accepted[0], 0)
      x.leave(new Fault('client-left'))
      await assert.rejects(sending, isFault('client-left'))
      assert.equal(await accepted[0].resetCode(id), errorCode.cancel)
      const next = wire.send(callOf(), exchangeOf())
      const again = await request(accepted[0], 1)
      accepted[0].send(frame(frameType.headers, flag.endHeaders | flag.endStream, again, status200))
      assert.equal((await next).status, 200)
      assert.equal(accepted.length, 1)
    }))

  test('by the reader cancels the stream', () =>
    frameScene(async ({ wire, accepted, request }) => {
      const sending = wire.send(callOf(), exchangeOf())
      await until(() => accepted.length === 1)
      const id = await request(accepted[0], 0)
      accepted[0].send(frame(frameType.headers, flag.endHeaders, id, status200))
      ;(await sending).body.cancel(new Fault('cancelled'))
      assert.equal(await accepted[0].resetCode(id), errorCode.cancel)
    }))

  test('by a client that left while it waited sends nothing', () =>
    frameScene(
      async ({ wire, accepted, request }) => {
        void wire.send(callOf(), exchangeOf()).catch(() => {})
        await until(() => accepted.length === 1)
        await request(accepted[0], 0)
        const x = exchangeOf()
        const waiting = wire.send(callOf(), x)
        x.leave(new Fault('client-left'))
        await assert.rejects(waiting, isFault('client-left'))
        assert.equal(wire.queued, 0)
      },
      { settings: maxStreamsSetting(1), maxConnections: 1 },
    ))

  test('of the request’s body cancels the stream, with the body’s own fault', () =>
    frameScene(async ({ wire, accepted, request }) => {
      const body = streamOf(['a'])
      const pull = body.pull.bind(body)
      let count = 0
      body.pull = () => (count++ === 0 ? pull() : Promise.reject(new Fault('body-timeout')))
      const sending = wire.send(callOf({ method: 'POST', body }), exchangeOf())
      await assert.rejects(sending, isFault('body-timeout'))
      assert.equal(await accepted[0].resetCode(await request(accepted[0], 0)), errorCode.cancel)
    }))

  test('answer before the request is complete: the rest is cancelled, however the answer comes', async () => {
    const endings = [flag.endHeaders | flag.endStream, flag.endHeaders] as const
    for (const flags of endings) {
      await frameScene(async ({ wire, accepted, request }) => {
        const body = streamOf(['begun'])
        const pull = body.pull.bind(body)
        let count = 0
        body.pull = () => (count++ === 0 ? pull() : new Promise(() => {}))
        const sending = wire.send(callOf({ method: 'POST', body }), exchangeOf())
        await until(() => accepted.length === 1)
        const id = await request(accepted[0], 0)
        await accepted[0].frame(({ type, stream }) => type === frameType.data && stream === id)
        const frames = [frame(frameType.headers, flags, id, status200)]
        if ((flags & flag.endStream) === 0) frames.push(frame(frameType.data, flag.endStream, id, Buffer.from('no')))
        accepted[0].send(...frames)
        const answer = await sending
        const chunks: unknown[] = []
        for (let chunk = await answer.body.pull(); chunk !== null; chunk = await answer.body.pull()) chunks.push(String(chunk))
        assert.deepEqual(chunks, frames.length === 1 ? [] : ['no'])
        assert.equal(await accepted[0].resetCode(id), errorCode.cancel)
      })
    }
  })

  test('of the wire lets its calls finish and then closes', () =>
    frameScene(async ({ wire, accepted, request }) => {
      const sending = wire.send(callOf(), exchangeOf())
      await until(() => accepted.length === 1)
      const id = await request(accepted[0], 0)
      wire.close()
      await assert.rejects(wire.send(callOf(), exchangeOf()), isFault('service-refused', true))
      accepted[0].send(frame(frameType.headers, flag.endHeaders | flag.endStream, id, status200))
      assert.equal((await sending).status, 200)
      await accepted[0].ended()
      assert.equal(wire.open, 0)
    }))

  test('a connection without calls is closed when its time is over', () =>
    frameScene(async ({ wire, accepted, request, clock }) => {
      const sending = wire.send(callOf(), exchangeOf())
      await until(() => accepted.length === 1)
      const id = await request(accepted[0], 0)
      accepted[0].send(frame(frameType.headers, flag.endHeaders | flag.endStream, id, status200))
      await sending
      await until(() => wire.busy === 0)
      clock.advance(4100)
      await accepted[0].ended()
      assert.equal(wire.open, 0)
    }))
})
