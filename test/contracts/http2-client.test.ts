import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer as createHttp2Server } from 'node:http2'
import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2'
import type { AddressInfo, Socket } from 'node:net'
import { suite, test } from 'node:test'
import { textBody } from '../../src/core/body.ts'
import type { Fault } from '../../src/core/fault.ts'
import { Headers } from '../../src/core/headers.ts'
import { systemClock } from '../../src/core/clock.ts'
import { Sweeper } from '../../src/core/sweeper.ts'
import type { ClientWire, ClientWireOptions } from '../../src/wire/client-wire.ts'
import { createHttp2Client } from '../../src/wire/http2/http2-client.ts'
import { callOf, isFault, nextTurn, pulled, streamOf, until, wireOptions } from '../support/client-wires.ts'
import type { Informed } from '../support/exchange.ts'
import { exchangeOf } from '../support/exchange.ts'
import { errorCode, flag, frame, frameType, resetFrame } from '../support/http2-frames.ts'
import { frameScene, status200 } from '../support/http2-service.ts'

/** A service of node:http2, and a client wire to it. */
async function play(
  answer: (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void,
  run: (wire: ClientWire, connections: () => number) => Promise<void>,
  options: Partial<ClientWireOptions> = {},
  settings: { maxConcurrentStreams?: number } = {},
): Promise<void> {
  const server = createHttp2Server({ settings })
  let connections = 0
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    connections++
    sockets.add(socket)
  })
  server.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    stream.on('error', () => {})
    answer(stream, headers)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const sweeper = new Sweeper(systemClock)
  const wire = createHttp2Client({ ...wireOptions((server.address() as AddressInfo).port, systemClock, sweeper), ...options })
  try {
    await run(wire, () => connections)
  } finally {
    wire.close()
    sweeper.close()
    for (const socket of sockets) socket.destroy()
    server.close()
  }
}

suite('calls over HTTP/2', { timeout: 60_000 }, () => {
  test('are what the service sees, without fields of HTTP/1 connections', () => {
    let seen: IncomingHttpHeaders = {}
    return play(
      (stream, headers) => {
        seen = headers
        stream.respond({ ':status': 200 }, { endStream: true })
      },
      async (wire) => {
        const headers = [
          'X-A',
          '1',
          'X-A',
          '2',
          'Connection',
          'close',
          'Upgrade',
          'h2c',
          'TE',
          'gzip',
          'Host',
          'other',
          'Keep-Alive',
          '5',
        ]
        await wire.send(callOf({ target: '/a?b', authority: 'a.example', headers }), exchangeOf())
        assert.deepEqual(
          [seen[':method'], seen[':path'], seen[':authority'], seen[':scheme'], seen['x-a'], seen['te'], seen['host']],
          ['GET', '/a?b', 'a.example', 'http', '1, 2', 'trailers', undefined],
        )
        for (const name of ['connection', 'upgrade', 'keep-alive', 'content-length']) assert.equal(seen[name], undefined)
      },
    )
  })

  test('bring bodies whole, streamed and with trailers', () => {
    const seen: string[] = []
    return play(
      (stream, headers) => {
        let text = ''
        let trailers = ''
        stream.on('data', (chunk: Buffer) => void (text += chunk.toString()))
        stream.on('trailers', (fields) => void (trailers = String(fields['x-sum'])))
        stream.on('end', () => {
          seen.push(`${text} ${headers['content-length']} ${trailers}`)
          stream.respond({ ':status': 200 }, { endStream: true })
        })
      },
      async (wire) => {
        const post = (body: ReturnType<typeof textBody>): Promise<unknown> =>
          wire.send(callOf({ method: 'POST', body }), exchangeOf())
        await post(textBody('hello'))
        await post(streamOf(['he', '', 'llo'], 5))
        await post(streamOf(['he', 'llo']))
        await post(streamOf(['he', 'llo'], undefined, Headers.from([['x-sum', '7']])))
        await post(textBody('x'.repeat(300_000)))
        assert.deepEqual(seen.slice(0, 4), ['hello 5 ', 'hello 5 ', 'hello undefined ', 'hello undefined 7'])
        assert.equal(seen[4].length, 300_008)
      },
    )
  })

  test('share one connection up to what the service allows, then open another', () => {
    const doors: ServerHttp2Stream[] = []
    return play(
      (stream) => void doors.push(stream),
      async (wire, connections) => {
        const calls = Array.from({ length: 5 }, () => wire.send(callOf(), exchangeOf()))
        await until(() => doors.length === 5)
        assert.deepEqual([connections(), wire.open, wire.busy, wire.queued], [3, 3, 5, 0])
        for (const stream of doors) stream.respond({ ':status': 200 }, { endStream: true })
        for (const call of calls) assert.equal((await call).status, 200)
        await until(() => wire.busy === 0)
      },
      {},
      { maxConcurrentStreams: 2 },
    )
  })

  test('wait in line when every connection is full, and are refused when the line is', () => {
    const doors: ServerHttp2Stream[] = []
    return play(
      (stream) => void doors.push(stream),
      async (wire) => {
        const first = wire.send(callOf(), exchangeOf())
        await until(() => doors.length === 1)
        const second = wire.send(callOf(), exchangeOf())
        await assert.rejects(wire.send(callOf(), exchangeOf()), isFault('overloaded', true))
        assert.deepEqual([wire.busy, wire.queued], [1, 1])
        doors[0].respond({ ':status': 200 }, { endStream: true })
        await first
        await until(() => doors.length === 2)
        doors[1].respond({ ':status': 201 }, { endStream: true })
        assert.equal((await second).status, 201)
      },
      { maxConnections: 1, maxQueued: 1 },
      { maxConcurrentStreams: 1 },
    )
  })
})

suite('answers of services of HTTP/2', { timeout: 60_000 }, () => {
  test('have status, fields, content and trailers', () =>
    play(
      (stream) => {
        stream.additionalHeaders({ ':status': 103, link: '</a>' })
        stream.respond({ ':status': 418, 'set-cookie': ['a=b', 'c=d'] }, { waitForTrailers: true })
        stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '3' }))
        stream.end('tea')
      },
      async (wire) => {
        const informed: Informed[] = []
        const answer = await wire.send(callOf(), exchangeOf({}, informed))
        assert.deepEqual([answer.status, answer.headers.all('set-cookie')], [418, ['a=b', 'c=d']])
        assert.equal(await pulled(answer.body), 'tea')
        assert.equal(answer.body.trailers()?.get('grpc-status'), '3')
        assert.deepEqual(
          informed.map(({ status, headers }) => [status, headers.get('link')]),
          [[103, '</a>']],
        )
      },
    ))

  test('to HEAD have a size and no content', () =>
    play(
      (stream) => stream.respond({ ':status': 200, 'content-length': '77' }, { endStream: true }),
      async (wire) => {
        const { body } = await wire.send(callOf({ method: 'HEAD' }), exchangeOf())
        assert.deepEqual([body.size, await pulled(body)], [77, ''])
      },
    ))

  test('stop at the service while their reader does not ask', () => {
    let stream: ServerHttp2Stream | undefined
    return play(
      (came) => {
        stream = came
        came.respond({ ':status': 200 })
        for (let i = 0; i < 64; i++) came.write(Buffer.alloc(65_536))
        came.end()
      },
      async (wire) => {
        const { body } = await wire.send(callOf(), exchangeOf())
        for (let i = 0; i < 50; i++) await nextTurn()
        assert.ok(stream!.writableLength > 3_500_000, String(stream!.writableLength))
        assert.equal((await pulled(body)).length, 64 * 65_536)
      },
    )
  })

  test('that end by a reset without an error are cut off, not complete', () =>
    frameScene(async ({ wire, accepted, request }) => {
      const sending = wire.send(callOf(), exchangeOf())
      await until(() => accepted.length === 1)
      const id = await request(accepted[0], 0)
      accepted[0].send(
        frame(frameType.headers, flag.endHeaders, id, status200),
        frame(frameType.data, 0, id, Buffer.from('half')),
        resetFrame(id, errorCode.none),
      )
      const { body } = await sending
      await assert.rejects(pulled(body), isFault('service-truncated'))
    }))

  test('that end with another error are cut off, too', () =>
    frameScene(async ({ wire, accepted, request }) => {
      const sending = wire.send(callOf(), exchangeOf())
      await until(() => accepted.length === 1)
      const id = await request(accepted[0], 0)
      accepted[0].send(frame(frameType.headers, flag.endHeaders, id, status200), frame(frameType.data, 0, id, Buffer.from('half')))
      const { body } = await sending
      accepted[0].send(resetFrame(id, 2))
      await assert.rejects(pulled(body), isFault('service-truncated'))
    }))

  test('that are complete although a reset without an error follows', () =>
    frameScene(async ({ wire, accepted, request }) => {
      const sending = wire.send(callOf({ method: 'POST', body: streamOf(['x'.repeat(200_000)]) }), exchangeOf())
      await until(() => accepted.length === 1)
      const id = await request(accepted[0], 0)
      accepted[0].send(
        frame(frameType.headers, flag.endHeaders, id, status200),
        frame(frameType.data, flag.endStream, id, Buffer.from('enough')),
        resetFrame(id, errorCode.none),
      )
      assert.equal(await pulled((await sending).body), 'enough')
    }))

  test('whose length is not kept are nonsense or cut off, never complete', () =>
    frameScene(async ({ wire, accepted, request }) => {
      const sending = wire.send(callOf(), exchangeOf())
      await until(() => accepted.length === 1)
      const id = await request(accepted[0], 0)
      // content-length: 9, as a literal with the name of entry 28.
      const head = Buffer.concat([status200, Buffer.from([0x0f, 0x0d, 1, 0x39])])
      accepted[0].send(
        frame(frameType.headers, flag.endHeaders, id, head),
        frame(frameType.data, flag.endStream, id, Buffer.from('four')),
      )
      await assert.rejects(
        async () => pulled((await sending).body),
        (thrown: Fault) => thrown.code.startsWith('service-'),
      )
    }))
})
