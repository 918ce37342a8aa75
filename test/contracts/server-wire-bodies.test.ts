import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Answer } from '../../src/core/answer.ts'
import { textAnswer } from '../../src/core/answer.ts'
import type { Body } from '../../src/core/body.ts'
import type { Exchange } from '../../src/core/exchange.ts'
import type { Fault } from '../../src/core/fault.ts'
import { createHttp1Server } from '../../src/wire/http1/http1-server.ts'
import { createNodeServer } from '../../src/wire/node/node-server.ts'
import { until } from '../support/client-wires.ts'
import { RawClient, turns } from '../support/raw-client.ts'
import { drained, serverScene, serverWires } from '../support/server-wires.ts'

const post = (fields: string, content = ''): string => `POST / HTTP/1.1\r\nHost: a\r\n${fields}\r\n\r\n${content}`
const get = 'GET /next HTTP/1.1\r\nHost: a\r\n\r\n'

/** A handler whose exchange the test holds in its hands. */
class Held {
  x: Exchange | undefined = undefined
  #answer: ((answer: Answer) => void) | undefined = undefined

  readonly handler = (x: Exchange): Promise<Answer> | Answer => {
    if (x.target === '/next') return textAnswer(200, 'next')
    this.x = x
    return new Promise((resolve) => {
      this.#answer = resolve
    })
  }

  answer(answer: Answer): void {
    this.#answer!(answer)
  }

  async body(): Promise<Body> {
    await until(() => this.x !== undefined)
    return this.x!.body
  }
}

for (const [name, create] of serverWires) {
  describe(`request bodies over ${name}`, () => {
    test('a body comes in pieces as they arrive, and ends', async () => {
      const held = new Held()
      await serverScene(
        create,
        async ({ port, served }) => {
          const client = await RawClient.to(port)
          client.send(post('Content-Length: 6', 'ab'))
          const body = await held.body()
          assert.equal(body.size, 6)
          assert.equal(body.bytes, undefined)
          assert.equal((await body.pull())!.toString(), 'ab')
          const next = body.pull()
          client.send('cdef')
          assert.equal((await next)!.toString(), 'cdef')
          assert.equal(await body.pull(), null)
          held.answer(textAnswer(200, 'x'))
          assert.equal((await client.answer())!.status, 200)
          assert.equal(served.seen[0].outcome!.receivedBytes, 6)
          client.send(get)
          assert.equal((await client.answer())!.content, 'next')
          client.close()
        },
        { handler: held.handler },
      )
    })

    test('chunks are taken apart, whatever they are cut into', async () => {
      const held = new Held()
      await serverScene(
        create,
        async ({ port }) => {
          const client = await RawClient.to(port)
          client.send(post('Transfer-Encoding: chunked', '3\r\nabc\r'))
          const content = drained(await held.body())
          for (const piece of ['\n2', ';x=y\r', '\nde\r\n', '0', '\r\n\r', '\n']) {
            client.send(piece)
            await turns(2)
          }
          assert.equal(await content, 'abcde')
          held.answer(textAnswer(200, 'x'))
          assert.equal((await client.answer())!.status, 200)
          client.close()
        },
        { handler: held.handler },
      )
    })

    test('a handler that does not read slows the client down and fills no memory', async () => {
      const held = new Held()
      const size = 64 * 1024 * 1024
      await serverScene(
        create,
        async ({ port }) => {
          const client = await RawClient.to(port)
          client.socket.write(post(`Content-Length: ${size}`))
          const piece = Buffer.alloc(1024 * 1024, 'x')
          let sent = 0
          const more = (): void => {
            while (sent < size) {
              sent += piece.length
              if (!client.socket.write(piece)) return
            }
          }
          client.socket.on('drain', more)
          more()
          const body = await held.body()
          await turns(200)
          assert.ok(client.socket.bytesWritten - client.socket.writableLength < size / 2, 'the client has been held up')
          let read = 0
          for (let chunk = await body.pull(); chunk !== null; chunk = await body.pull()) read += chunk.length
          assert.equal(read, size)
          held.answer(textAnswer(200, 'x'))
          assert.equal((await client.answer())!.status, 200)
          client.close()
        },
        { handler: held.handler },
      )
    })

    test('100 is sent by the first pull', async () => {
      const held = new Held()
      await serverScene(
        create,
        async ({ port }) => {
          const client = await RawClient.to(port)
          client.send(post('Content-Length: 2\r\nExpect: 100-Continue'))
          const body = await held.body()
          await turns(5)
          assert.equal(client.received, '')
          const content = drained(body)
          await client.got('100 Continue\r\n\r\n')
          client.send('ab')
          assert.equal(await content, 'ab')
          held.answer(textAnswer(200, 'x'))
          assert.equal((await client.answer())!.status, 100)
          assert.equal((await client.answer())!.status, 200)
          client.send(get)
          assert.equal((await client.answer())!.content, 'next')
          client.close()
        },
        { handler: held.handler },
      )
    })

    test('a client that was never told to continue is answered and let go', () =>
      serverScene(
        create,
        async ({ port, served }) => {
          const client = await RawClient.to(port)
          client.send(post('Content-Length: 50\r\nExpect: 100-continue'))
          const answer = (await client.answer())!
          assert.equal(answer.status, 403)
          assert.equal(answer.fields.get('connection'), 'close')
          client.send('GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n')
          await client.ended()
          assert.equal(served.seen.length, 1)
          client.close()
        },
        { handler: () => textAnswer(403, 'no') },
      ))

    test('HTTP/1.0 cannot expect anything', () =>
      serverScene(create, async ({ port }) => {
        const client = await RawClient.to(port)
        client.send('POST / HTTP/1.0\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\nab')
        assert.equal((await client.answer())!.status, 200)
        client.close()
      }))

    test('an early answer: a short rest of the body is passed over and the connection kept', () =>
      serverScene(
        create,
        async ({ port, served }) => {
          const client = await RawClient.to(port)
          client.send(post('Content-Length: 1000', 'x'))
          assert.equal((await client.answer())!.status, 413)
          client.send('y'.repeat(999) + get)
          assert.equal((await client.answer())!.status, 413)
          assert.deepEqual(
            served.seen.map(({ x }) => x.target),
            ['/', '/next'],
          )
          client.close()
        },
        { handler: () => textAnswer(413, 'no') },
      ))

    test('the client leaving ends the exchange, and the body for whoever reads it', async () => {
      const held = new Held()
      await serverScene(
        create,
        async ({ port, served }) => {
          const client = await RawClient.to(port)
          client.send(post('Content-Length: 6', 'ab'))
          const body = await held.body()
          await body.pull()
          const next = assert.rejects(async () => body.pull(), { code: 'client-left' })
          let left: Fault | undefined
          held.x!.whenLeft((why) => {
            left = why
          })
          client.close()
          await next
          await until(() => left !== undefined)
          assert.equal(left!.code, 'client-left')
          assert.equal(served.seen[0].outcome, undefined, 'the handler has not settled')
          held.answer(textAnswer(200, 'x'))
          await until(() => served.seen[0].outcome !== undefined)
          assert.equal(served.seen[0].outcome!.end, 'client-left')
          assert.equal(served.seen[0].outcome!.status, 0)
        },
        { handler: held.handler },
      )
    })

    test('a body that stalls is a fault for its reader, and 408 for the client', () =>
      serverScene(create, async ({ port, served, clock }) => {
        const client = await RawClient.to(port)
        client.send(post('Content-Length: 6', 'ab'))
        await until(() => served.seen.length === 1)
        await turns(3)
        clock.advance(19_900)
        await turns(3)
        assert.equal(client.received, '')
        clock.advance(200)
        const answer = (await client.answer())!
        assert.equal(answer.status, 408)
        assert.equal(answer.fields.get('connection'), 'close')
        await client.ended()
        client.close()
        assert.equal(served.seen[0].outcome!.fault!.code, 'body-timeout')
      }))

    test('a body that trickles is cut off when it is too slow on the whole', () =>
      serverScene(create, async ({ port, served, clock }) => {
        const client = await RawClient.to(port)
        client.send(post('Content-Length: 1000', 'x'))
        await until(() => served.seen.length === 1)
        // One byte every ten seconds is always in time for bodyMs, but far below minBodyRate.
        for (let i = 0; i < 3 && client.received === ''; i++) {
          await turns(5)
          clock.advance(10_000)
          client.send('x')
          await turns(5)
        }
        clock.advance(100)
        assert.equal((await client.answer())!.status, 408)
        client.close()
      }))

    test('a slow handler is not held against the client', async () => {
      const held = new Held()
      await serverScene(
        create,
        async ({ port, clock }) => {
          const client = await RawClient.to(port)
          client.send(post('Content-Length: 4', 'ab'))
          const body = await held.body()
          clock.advance(500_000)
          assert.equal((await body.pull())!.toString(), 'ab')
          clock.advance(500_000)
          const next = body.pull()
          client.send('cd')
          assert.equal((await next)!.toString(), 'cd')
          held.answer(textAnswer(200, 'x'))
          assert.equal((await client.answer())!.status, 200)
          client.close()
        },
        { handler: held.handler },
      )
    })
  })
}

describe('request bodies over our own wire alone', () => {
  test('a body that came with its head is there at once', () =>
    serverScene(
      createHttp1Server,
      async ({ port, served }) => {
        const client = await RawClient.to(port)
        client.send(post('Content-Length: 3', 'abc') + post('Transfer-Encoding: chunked', '1\r\na\r\n2\r\nbc\r\n0\r\n\r\n'))
        await client.answer()
        await client.answer()
        for (const { x, outcome } of served.seen) {
          assert.equal(x.body.bytes?.toString(), 'abc')
          assert.equal(outcome!.receivedBytes, 3)
        }
        client.close()
      },
      { handler: () => textAnswer(200, 'x') },
    ))

  test('trailers can be read behind the end', async () => {
    const held = new Held()
    await serverScene(
      createHttp1Server,
      async ({ port }) => {
        const client = await RawClient.to(port)
        client.send(post('Transfer-Encoding: chunked', '1\r\na\r\n0\r\nX-Sum: 1\r\n\r\n'))
        const body = await held.body()
        assert.equal(body.trailers(), undefined)
        assert.equal(await drained(body), 'a')
        assert.equal(body.trailers()!.get('x-sum'), '1')
        held.answer(textAnswer(200, 'x'))
        assert.equal((await client.answer())!.status, 200)
        client.close()
      },
      { handler: held.handler },
    )
  })

  test('an early answer to a large body ends the connection, but the client gets to read it', () =>
    serverScene(
      createHttp1Server,
      async ({ port, served }) => {
        const client = await RawClient.to(port)
        client.send(post('Content-Length: 10000000', 'x'.repeat(1000)))
        const answer = (await client.answer())!
        assert.equal(answer.status, 413)
        assert.equal(answer.fields.get('connection'), 'close')
        await client.ended()
        // Still sending: what comes is dropped, not reset.
        for (let i = 0; i < 20; i++) {
          client.send('y'.repeat(65_536))
          await turns(1)
        }
        assert.equal(client.error, undefined)
        assert.equal(served.seen.length, 1)
        client.close()
      },
      { handler: () => textAnswer(413, 'no') },
    ))

  test('a rest of unknown length is not waited for, and the answer says so: who sends on would meet a closed connection', () =>
    serverScene(
      createHttp1Server,
      async ({ port }) => {
        const client = await RawClient.to(port)
        client.send(post('Transfer-Encoding: chunked', '1\r\nx\r\n'))
        const answer = (await client.answer())!
        assert.deepEqual([answer.status, answer.fields.get('connection')], [413, 'close'])
        for (let i = 0; i < 10; i++) client.send(`8000\r\n${'y'.repeat(0x8000)}\r\n`)
        await client.ended()
        client.close()
      },
      { handler: () => textAnswer(413, 'no') },
    ))

  test('broken chunks behind a good start are told to the reader and to the client', () =>
    serverScene(createHttp1Server, async ({ port, served }) => {
      const client = await RawClient.to(port)
      client.send(post('Transfer-Encoding: chunked', '1\r\na\r\n'))
      await until(() => served.seen.length === 1)
      client.send('zz\r\n')
      const answer = (await client.answer())!
      assert.equal(answer.status, 400)
      assert.match(answer.content, /chunk size/)
      await client.ended()
      client.close()
      assert.equal(served.seen[0].outcome!.fault!.code, 'malformed')
    }))

  test('a client that ends its side inside its body is answered', () =>
    serverScene(createHttp1Server, async ({ port, served }) => {
      const client = await RawClient.to(port)
      client.send(post('Content-Length: 5', 'ab'))
      await until(() => served.seen.length === 1)
      client.socket.end()
      assert.equal((await client.answer())!.status, 400)
      await client.ended()
      client.close()
      assert.equal(served.seen[0].outcome!.fault!.code, 'client-left')
    }))
})

test('the adapter reads the rest of any body that was answered early', () =>
  serverScene(
    createNodeServer,
    async ({ port }) => {
      const client = await RawClient.to(port)
      client.send(post('Content-Length: 1000000', 'x'))
      assert.equal((await client.answer())!.status, 413)
      client.send('y'.repeat(999_999) + get)
      assert.equal((await client.answer())!.status, 413)
      client.close()
    },
    { handler: () => textAnswer(413, 'no') },
  ))
