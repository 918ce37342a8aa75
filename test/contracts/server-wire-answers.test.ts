import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Answer, emptyAnswer, textAnswer } from '../../src/core/answer.ts'
import type { Body, Chunk } from '../../src/core/body.ts'
import { textBody } from '../../src/core/body.ts'
import { Fault } from '../../src/core/fault.ts'
import type { Handler } from '../../src/core/handler.ts'
import { Headers, headerBlock } from '../../src/core/headers.ts'
import { describedBody } from '../../src/wire/http1/client-body.ts'
import { RawClient } from '../support/raw-client.ts'
import { streamOf } from '../support/client-wires.ts'
import type { CreateServerWire, ServerScene } from '../support/server-wires.ts'
import { serverScene, serverWires } from '../support/server-wires.ts'

const get = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'
const head = 'HEAD / HTTP/1.1\r\nHost: a\r\n\r\n'
const old = 'GET / HTTP/1.0\r\n\r\n'

/** Answers every request in the same way; the bodies of streams are made anew each time. */
const answering =
  (status: number, body: () => Body, lines: readonly (readonly [string, string])[] = []): Handler =>
  () =>
    new Answer(status, Headers.from(lines), body())

const hinting: Handler = async (x) => {
  x.inform(103, Headers.from([['link', '</a.css>; rel=preload']]))
  await Promise.resolve()
  x.inform(100, new Headers()) // not the handler's to say
  return textAnswer(200, 'x')
}

const answered = (create: CreateServerWire, handler: Handler, play: (scene: ServerScene) => Promise<void>): Promise<void> =>
  serverScene(create, play, { handler })

for (const [name, create] of serverWires) {
  describe(`answers over ${name}`, () => {
    test('a small body goes out with its length and a date', () =>
      answered(
        create,
        () => textAnswer(200, 'hello'),
        async ({ port, served }) => {
          const client = await RawClient.to(port)
          client.send(get)
          const answer = (await client.answer())!
          assert.equal(answer.content, 'hello')
          assert.equal(answer.fields.get('content-length'), '5')
          assert.match(answer.fields.get('date')!, /GMT$/)
          assert.equal(answer.fields.get('transfer-encoding'), undefined)
          assert.equal(served.seen[0].outcome!.end, 'complete')
          assert.equal(served.seen[0].outcome!.sentBytes, 5)
          client.close()
        },
      ))

    test('bodies of every size arrive whole, in bytes as they are', async () => {
      for (const size of [0, 1, 2047, 2048, 2049, 65_536, 300_000]) {
        const bytes = Buffer.from(Array.from({ length: size }, (_, i) => (i * 7) % 256))
        await answered(
          create,
          () => new Answer(200, new Headers(), textBody(bytes.toString('latin1'))),
          async ({ port }) => {
            const client = await RawClient.to(port)
            client.send(get)
            const answer = (await client.answer())!
            assert.equal(Buffer.from(answer.content, 'latin1').toString(), bytes.toString('latin1'))
            client.close()
          },
        )
      }
    })

    test("a service's own Date is kept", () =>
      answered(
        create,
        answering(200, () => textBody('x'), [['date', 'Tue, 15 Nov 1994 08:12:31 GMT']]),
        async ({ port }) => {
          const client = await RawClient.to(port)
          client.send(get)
          const answer = (await client.answer())!
          assert.equal(answer.head.match(/^date:/gim)!.length, 1)
          assert.equal(answer.fields.get('date'), 'Tue, 15 Nov 1994 08:12:31 GMT')
          client.close()
        },
      ))

    test('framing and connection lines are our own, whatever the answer holds', () => {
      const lines = [
        ['connection', 'close, x-secret'],
        ['keep-alive', 'timeout=1'],
        ['transfer-encoding', 'gzip'],
        ['content-length', '1'],
        ['proxy-connection', 'x'],
        ['trailer', 'x'],
        ['te', 'trailers'],
        ['upgrade', 'h2c'],
        ['x-mine', '1'],
      ] as const
      return answered(
        create,
        answering(200, () => textBody('hello'), lines),
        async ({ port }) => {
          const client = await RawClient.to(port)
          client.send(get)
          const answer = (await client.answer())!
          assert.equal(answer.content, 'hello')
          assert.equal(answer.fields.get('x-mine'), '1')
          for (const gone of ['trailer', 'te', 'upgrade', 'proxy-connection', 'transfer-encoding'])
            assert.ok(!answer.fields.has(gone), gone)
          assert.doesNotMatch(answer.head, /x-secret|timeout=1\b/)
          client.close()
        },
      )
    })

    test('ready lines and blocks are sent', () =>
      answered(
        create,
        () => {
          const answer = textAnswer(200, 'x')
          answer.headers.put(headerBlock([['x-block', '1']]))
          answer.headers.putLines('x-line: 2\r\n')
          answer.headers.append('set-cookie', 'a=1')
          answer.headers.append('set-cookie', 'b=2')
          return answer
        },
        async ({ port }) => {
          const client = await RawClient.to(port)
          client.send(get)
          const answer = (await client.answer())!
          assert.equal(answer.fields.get('x-block'), '1')
          assert.equal(answer.fields.get('x-line'), '2')
          assert.match(answer.head, /set-cookie: a=1\r\nset-cookie: b=2/)
          client.close()
        },
      ))

    test('a stream of unknown length is chunked, with its trailers', () =>
      answered(
        create,
        answering(200, () => streamOf(['one', 'two'], undefined, Headers.from([['x-sum', '42']]))),
        async ({ port, served }) => {
          const client = await RawClient.to(port)
          client.send(get)
          const answer = (await client.answer())!
          assert.equal(answer.fields.get('transfer-encoding'), 'chunked')
          assert.equal(answer.content, 'onetwo')
          assert.match(client.received, /\r\n0\r\nx-sum: 42\r\n\r\n$/)
          assert.equal(served.seen[0].outcome!.sentBytes, 6)
          client.send(get)
          assert.equal((await client.answer())!.content, 'onetwo')
          client.close()
        },
      ))

    test('a stream of known length is not chunked', () =>
      answered(
        create,
        answering(200, () => streamOf(['one', 'two'], 6)),
        async ({ port }) => {
          const client = await RawClient.to(port)
          client.send(get + get)
          for (let i = 0; i < 2; i++) {
            const answer = (await client.answer())!
            assert.equal(answer.fields.get('content-length'), '6')
            assert.equal(answer.content, 'onetwo')
          }
          client.close()
        },
      ))

    test('HTTP/1.0 gets no chunks: the end of the connection ends the stream', () =>
      answered(
        create,
        answering(200, () => streamOf(['one', 'two'])),
        async ({ port }) => {
          const client = await RawClient.to(port)
          client.send('GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n')
          const answer = (await client.answer())!
          assert.equal(answer.content, 'onetwo')
          assert.equal(answer.fields.get('connection'), 'close')
          assert.equal(answer.fields.get('transfer-encoding'), undefined)
          await client.ended()
          client.close()
        },
      ))

    test('HTTP/1.0 keeps the connection only when both say so', () =>
      answered(
        create,
        () => textAnswer(200, 'x'),
        async ({ port }) => {
          const client = await RawClient.to(port)
          client.send('GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n')
          assert.equal((await client.answer())!.fields.get('connection'), 'keep-alive')
          client.send(old)
          assert.equal((await client.answer())!.fields.get('connection'), 'close')
          await client.ended()
          client.close()
        },
      ))

    test('Connection: close is answered and kept', () =>
      answered(
        create,
        () => textAnswer(200, 'x'),
        async ({ port, served }) => {
          const client = await RawClient.to(port)
          client.send(`GET / HTTP/1.1\r\nHost: a\r\nConnection: foo, Close\r\n\r\n${get}`)
          assert.equal((await client.answer())!.fields.get('connection'), 'close')
          await client.ended()
          assert.equal(await client.answer(), undefined)
          assert.equal(served.seen.length, 1)
          client.close()
        },
      ))

    test('the answer to HEAD has the length but not the content', () =>
      answered(
        create,
        answering(200, () => textBody('hello')),
        async ({ port, served }) => {
          const client = await RawClient.to(port)
          client.send(head)
          assert.equal((await client.answer(true))!.fields.get('content-length'), '5')
          client.send(get)
          assert.equal((await client.answer())!.content, 'hello')
          assert.equal(served.seen[0].outcome!.sentBytes, 0)
          client.close()
        },
      ))

    test('what a service tells of the length behind HEAD and 304 is passed on; 204 has none', async () => {
      for (const [status, text] of [
        [200, head],
        [304, get],
      ] as const) {
        await answered(
          create,
          answering(status, () => describedBody(12_345)),
          async ({ port }) => {
            const client = await RawClient.to(port)
            client.send(text + text)
            for (let i = 0; i < 2; i++) assert.equal((await client.answer(true))!.fields.get('content-length'), '12345')
            client.close()
          },
        )
      }
      await answered(
        create,
        () => emptyAnswer(204),
        async ({ port }) => {
          const client = await RawClient.to(port)
          client.send(get + get)
          for (let i = 0; i < 2; i++) {
            const answer = (await client.answer())!
            assert.equal(answer.status, 204)
            assert.ok(!answer.fields.has('content-length') && !answer.fields.has('transfer-encoding'))
          }
          client.close()
        },
      )
    })

    test('an early hint goes out before the answer, and not to HTTP/1.0', () =>
      answered(create, hinting, async ({ port, served }) => {
        const client = await RawClient.to(port)
        client.send(get)
        const hint = (await client.answer())!
        assert.equal(hint.status, 103)
        assert.equal(hint.fields.get('link'), '</a.css>; rel=preload')
        assert.equal((await client.answer())!.status, 200)
        served.seen[0].x.inform(103, new Headers()) // too late: nothing is sent
        client.send(old)
        assert.equal((await client.answer())!.status, 200)
        assert.equal(client.received.match(/HTTP\/1\.1 1/g)!.length, 1)
        client.close()
      }))

    test('a handler that throws is answered by the problem of its fault', () =>
      answered(
        create,
        async () => {
          throw new Fault('service-timeout')
        },
        async ({ port, served }) => {
          const client = await RawClient.to(port)
          client.send(get)
          assert.equal((await client.answer())!.status, 504)
          assert.equal(served.seen[0].outcome!.fault!.code, 'service-timeout')
          client.send(get)
          assert.equal((await client.answer())!.status, 504)
          client.close()
        },
      ))

    test('a body that fails at once is answered, not cut', () =>
      answered(
        create,
        answering(200, () => failing([], 'service-truncated', undefined, true)),
        async ({ port, served }) => {
          const client = await RawClient.to(port)
          client.send(get)
          assert.equal((await client.answer())!.status, 502)
          assert.equal(served.seen[0].outcome!.fault!.code, 'service-truncated')
          client.close()
        },
      ))

    for (const [how, body, request] of [
      ['chunked', () => failing(['one'], 'service-truncated'), get],
      ['of known length', () => failing(['one'], 'service-truncated', 6), get],
      ['ended by the connection', () => failing(['one'], 'service-truncated'), old],
      ['shorter than announced', () => streamOf(['one'], 6), get],
      ['longer than announced', () => streamOf(['one', 'two'], 5), get],
    ] as const) {
      test(`a stream that breaks off behind its head is never ended properly: ${how}`, () =>
        answered(create, answering(200, body), async ({ port, served }) => {
          const client = await RawClient.to(port)
          client.send(request)
          await client.ended()
          assert.match(client.received, /^HTTP\/1\.1 200 /)
          assert.doesNotMatch(client.received, /\r\n0\r\n/)
          if (request === old) assert.equal((client.error as NodeJS.ErrnoException).code, 'ECONNRESET')
          assert.equal(served.seen[0].outcome!.end, 'service-failed')
          assert.notEqual(served.seen[0].outcome!.fault, undefined)
        }))
    }

    test('an answer without a final status is a fault of ours', () =>
      answered(
        create,
        answering(100, () => textBody('x')),
        async ({ port, served }) => {
          const client = await RawClient.to(port)
          client.send(get)
          assert.equal((await client.answer())!.status, 500)
          assert.equal(served.seen[0].outcome!.fault!.code, 'internal')
          client.close()
        },
      ))
  })
}

function failing(pieces: readonly string[], code: 'service-truncated', size?: number, isAtOnce = false): Body {
  const body = streamOf(pieces, size)
  const left = [...pieces]
  const next = (): Chunk => {
    const piece = left.shift()
    if (piece === undefined) throw new Fault(code)
    return Buffer.from(piece)
  }
  body.pull = isAtOnce ? next : async () => next()
  return body
}
