import assert from 'node:assert/strict'
import { connect } from 'node:http2'
import { suite, test } from 'node:test'
import { Answer, textAnswer } from '../../src/core/answer.ts'
import type { Chunk, End } from '../../src/core/body.ts'
import { END, StreamBody } from '../../src/core/body.ts'
import { Headers } from '../../src/core/headers.ts'
import { createHttp2Server } from '../../src/wire/http2/http2-server.ts'
import { maxStreams } from '../../src/wire/http2/server-session.ts'
import { nextTurn, until } from '../support/client-wires.ts'
import {
  FrameSocket,
  errorCode,
  flag,
  frame,
  frameType,
  headerBlock,
  headersFrame,
  requestFields,
  resetFrame,
} from '../support/http2-frames.ts'
import { serverScene } from '../support/server-wires.ts'
import type { CreateServerWire, ServerScene } from '../support/server-wires.ts'

const create: CreateServerWire = (options) => createHttp2Server(options, () => 0.5)
const never = new Promise<never>(() => {})

/** Some pieces, a few turns of the event loop apart, and an end of unknown length. */
class Trickle extends StreamBody {
  #count = 0

  constructor() {
    super(undefined)
  }

  trailers(): undefined {
    return undefined
  }

  protected async read(): Promise<Chunk | End> {
    const count = this.#count++
    for (let i = 0; i < count % 5; i++) await nextTurn()
    return count === 20 ? END : Buffer.from('piece')
  }

  protected stop(): void {
    this.#count = 20
  }
}

/** An honest client is answered while and after somebody else floods. */
async function honest({ port }: ServerScene): Promise<void> {
  const session = connect(`http://127.0.0.1:${port}`)
  const stream = session.request({ ':path': '/honest' })
  const status = await new Promise((resolve, reject) => {
    stream.on('response', (headers) => resolve(headers[':status']))
    stream.on('error', reject)
    session.on('error', reject)
  })
  assert.equal(status, 200)
  session.destroy()
}

suite('floods over HTTP/2', () => {
  test('rapid reset: few exchanges, then GOAWAY with ENHANCE_YOUR_CALM', async () => {
    let under = 0
    await serverScene(
      create,
      async (scene) => {
        const client = await FrameSocket.to(scene.port)
        for (let id = 1; id < 20_000 && !client.hasEnded; id += 2) {
          client.send(headersFrame(id, requestFields('/slow')), resetFrame(id, errorCode.cancel))
          if (id % 100 === 1) await nextTurn()
        }
        assert.equal(await client.goawayCode(), errorCode.calm)
        await client.ended()
        await honest(scene)
        assert.ok(scene.served.seen.length < 1000, `${scene.served.seen.length} exchanges`)
        assert.equal(scene.wire.connections, 1)
      },
      {
        handler: (x) => {
          if (x.target === '/honest') return textAnswer(200, 'yes')
          under++
          return new Promise((resolve) => {
            x.whenLeft(() => {
              under--
              resolve(textAnswer(200, 'late'))
            })
          })
        },
      },
    )
    assert.equal(under, 0, 'everything that was begun was told to stop')
  })

  test('rapid reset against a handler that does not let go: no more than the streams of one connection', async () => {
    await serverScene(
      create,
      async ({ port, served }) => {
        const client = await FrameSocket.to(port)
        for (let id = 1; id < 2 * maxStreams + 200; id += 2) {
          client.send(headersFrame(id, requestFields('/stuck')), resetFrame(id, errorCode.cancel))
          await nextTurn()
        }
        await until(() => served.seen.length > 0)
        await nextTurn()
        assert.ok(served.seen.length <= maxStreams, `${served.seen.length} exchanges`)
        client.close()
      },
      { handler: () => never },
    )
  })

  test('rapid reset of answers that stream: the connection falls, the process does not', { timeout: 60_000 }, async () => {
    await serverScene(
      create,
      async (scene) => {
        for (let round = 0; round < 20; round++) {
          const client = await FrameSocket.to(scene.port)
          let id = 1
          let resets: Buffer[] = []
          while (!client.hasEnded && id < 1200) {
            const heads: Buffer[] = []
            for (let i = 0; i < 20; i++, id += 2) heads.push(headersFrame(id, requestFields('/stream', 'POST'), flag.endHeaders))
            client.send(...heads, ...resets)
            // A twentieth of them goes on, so that there is something to end when the connection falls.
            resets = heads.slice(1).map((_head, i) => resetFrame(id - 2 * (i + 1), errorCode.cancel))
            for (let i = 0; i < (round * 7 + id) % 12; i++) await nextTurn()
          }
          assert.equal(await client.goawayCode(), errorCode.calm)
          client.close()
        }
        await honest(scene)
      },
      { handler: (x) => (x.target === '/honest' ? textAnswer(200, 'yes') : new Answer(200, new Headers(), new Trickle())) },
    )
  })

  test('more streams at a time than were offered are refused, and harm no other', async () => {
    await serverScene(
      create,
      async ({ port, served }) => {
        const client = await FrameSocket.to(port)
        const frames: Buffer[] = []
        for (let i = 0; i <= maxStreams; i++) frames.push(headersFrame(2 * i + 1, requestFields('/stuck')))
        client.send(...frames)
        const code = await client.resetCode(2 * maxStreams + 1)
        assert.ok(code === errorCode.refused || code === errorCode.protocol || code === undefined, String(code))
        await until(() => served.seen.length >= maxStreams || client.hasEnded)
        assert.ok(served.seen.length <= maxStreams)
        client.close()
      },
      { handler: () => never },
    )
  })

  for (const [what, flood] of [
    ['PING', () => frame(frameType.ping, 0, 0, Buffer.alloc(8))],
    ['SETTINGS', () => frame(frameType.settings, 0, 0, Buffer.from([0, 4, 0, 0, 0xff, 0xff]))],
  ] as const) {
    test(`a flood of ${what} frames ends the connection`, () =>
      serverScene(create, async (scene) => {
        const client = await FrameSocket.to(scene.port)
        for (let sent = 0; sent < 20_000 && !client.hasEnded; sent += 50) {
          client.send(...Array.from({ length: 50 }, flood))
          await nextTurn()
        }
        assert.ok([errorCode.calm, undefined].includes((await client.goawayCode()) as never))
        await client.ended()
        await honest(scene)
      }))
  }

  test('a flood of PING whose answers are never read ends the connection too', () =>
    serverScene(create, async (scene) => {
      const client = await FrameSocket.to(scene.port)
      client.socket.pause()
      for (let sent = 0; sent < 20_000 && !client.hasEnded; sent += 50) {
        client.send(...Array.from({ length: 50 }, () => frame(frameType.ping, 0, 0, Buffer.alloc(8))))
        await nextTurn()
      }
      client.socket.resume()
      await client.ended()
      await honest(scene)
    }))

  test('CONTINUATION without end ends the connection, in little memory', () =>
    serverScene(create, async (scene) => {
      const client = await FrameSocket.to(scene.port)
      client.send(frame(frameType.headers, flag.endStream, 1, headerBlock(requestFields())))
      const before = process.memoryUsage().rss
      for (let i = 0; i < 2000 && !client.hasEnded; i++) {
        client.send(frame(frameType.continuation, 0, 1, headerBlock([[`x-${i}`, 'y'.repeat(8000)]])))
        if (i % 8 === 0) await nextTurn()
      }
      await client.ended()
      assert.ok(process.memoryUsage().rss - before < 64 * 1024 * 1024)
      assert.equal(scene.served.seen.length, 0)
      await honest(scene)
    }))

  test('CONTINUATION frames without content end the connection', () =>
    serverScene(create, async (scene) => {
      const client = await FrameSocket.to(scene.port)
      client.send(frame(frameType.headers, flag.endStream, 1, headerBlock(requestFields())))
      for (let i = 0; i < 20_000 && !client.hasEnded; i += 50) {
        client.send(...Array.from({ length: 50 }, () => frame(frameType.continuation, 0, 1)))
        await nextTurn()
      }
      await client.ended()
      await honest(scene)
    }))

  test('a compressed head that grows when it is read is not read to its end (HPACK bomb)', () =>
    serverScene(create, async (scene) => {
      const client = await FrameSocket.to(scene.port)
      // One long entry in the table, then thousands of one-byte references to it.
      const name = Buffer.concat([Buffer.from([0x40, 1]), Buffer.from('x')])
      const value = Buffer.concat([Buffer.from([0x7f, 0x81, 0x1e]), Buffer.alloc(127 + 1 + 30 * 128, 'y')])
      const bomb = Buffer.concat([headerBlock(requestFields()), name, value, Buffer.alloc(12_000, 0xbe)])
      client.send(frame(frameType.headers, flag.endStream | flag.endHeaders, 1, bomb))
      await client.frame(({ type, stream }) => (type === frameType.reset && stream === 1) || type === frameType.goaway)
      assert.equal(scene.served.seen.length, 0)
      await honest(scene)
      client.close()
    }))

  test('frames without use end the connection when their window is over', () =>
    serverScene(create, async (scene) => {
      const client = await FrameSocket.to(scene.port)
      client.send(headersFrame(1, requestFields('/a')))
      assert.equal(await client.status(1), 200)
      const priority = frame(frameType.priority, 0, 1, Buffer.from([0, 0, 0, 0, 16]))
      const many = Array.from({ length: 5000 }, () => priority)
      for (let i = 0; i < 40; i++) {
        client.send(...many)
        await nextTurn()
      }
      const ping = frame(frameType.ping, 0, 0, Buffer.from('12345678'))
      client.send(ping)
      await client.frame(({ type }) => type === frameType.ping)
      scene.clock.advance(11_000)
      assert.equal(await client.goawayCode(), errorCode.calm)
      await client.ended()
      await honest(scene)
    }))

  test('DATA frames without content end the connection', () =>
    serverScene(
      create,
      async (scene) => {
        const client = await FrameSocket.to(scene.port)
        client.send(headersFrame(1, requestFields('/slow', 'POST'), flag.endHeaders))
        for (let i = 0; i < 20_000 && !client.hasEnded; i += 50) {
          client.send(...Array.from({ length: 50 }, () => frame(frameType.data, 0, 1)))
          await nextTurn()
        }
        await client.ended()
        await honest(scene)
      },
      { handler: (x) => (x.target === '/honest' ? textAnswer(200, 'yes') : never) },
    ))

  test('refused requests without end end the connection', () =>
    serverScene(create, async (scene) => {
      const client = await FrameSocket.to(scene.port)
      for (let id = 1; id < 4000 && !client.hasEnded; id += 2) {
        client.send(headersFrame(id, requestFields('/a#b')))
        await nextTurn()
      }
      assert.equal(await client.goawayCode(), errorCode.calm)
      await honest(scene)
    }))

  test('a client that ends its side leaves nothing behind, with and without a stream under way', () =>
    serverScene(
      create,
      async (scene) => {
        const idle = await FrameSocket.to(scene.port)
        await idle.frame(({ type }) => type === frameType.settings)
        const busy = await FrameSocket.to(scene.port)
        busy.send(headersFrame(1, requestFields('/stuck')))
        await until(() => scene.served.seen.length === 1)
        idle.socket.end()
        busy.socket.end()
        await idle.ended()
        await busy.ended()
        await until(() => scene.wire.connections === 0)
        await honest(scene)
      },
      {
        handler: (x) =>
          x.target === '/honest'
            ? textAnswer(200, 'yes')
            : new Promise((resolve) => {
                x.whenLeft(() => resolve(textAnswer(200, 'late')))
              }),
      },
    ))
})
