import assert from 'node:assert/strict'
import type { IncomingHttpHeaders } from 'node:http2'
import { suite, test } from 'node:test'
import { Answer, emptyAnswer, textAnswer } from '../../src/core/answer.ts'
import { Fault } from '../../src/core/fault.ts'
import { Headers } from '../../src/core/headers.ts'
import { nextTurn, streamOf, until } from '../support/client-wires.ts'

import { answering, ask, got, play } from '../support/http2-scene.ts'

suite('answers over HTTP/2', { timeout: 60_000 }, () => {
  test('a small body goes out with its length and a date', () =>
    play(
      async (session, { clock }) => {
        const answer = await ask(session, { ':path': '/a' })
        assert.deepEqual([answer.headers[':status'], answer.headers['content-length'], answer.content], [200, '5', 'hello'])
        assert.equal(answer.headers.date, new Date(clock.now()).toUTCString())
      },
      answering(() => textAnswer(200, 'hello')),
    ))

  test("a service's own Date is kept, fields of HTTP/1 connections are not", () =>
    play(
      async (session) => {
        const { headers } = await ask(session, { ':path': '/' })
        assert.equal(headers.date, 'Mon, 01 Jan 2001 00:00:00 GMT')
        for (const name of ['connection', 'keep-alive', 'transfer-encoding', 'upgrade', 'proxy-connection', 'te'])
          assert.equal(headers[name], undefined)
        assert.equal(headers['content-length'], '1')
        assert.deepEqual(headers['set-cookie'], ['a=b', 'c=d'])
        assert.equal(headers['www-authenticate'], 'A, B')
      },
      answering(() => {
        const answer = textAnswer(200, 'x')
        for (const [name, value] of [
          ['Date', 'Mon, 01 Jan 2001 00:00:00 GMT'],
          ['Connection', 'close, x-y'],
          ['Keep-Alive', 'timeout=5'],
          ['Transfer-Encoding', 'chunked'],
          ['Upgrade', 'websocket'],
          ['Proxy-Connection', 'close'],
          ['Content-Length', '77'],
          ['TE', 'gzip'],
          ['Set-Cookie', 'a=b'],
          ['Set-Cookie', 'c=d'],
          ['WWW-Authenticate', 'A'],
          ['WWW-Authenticate', 'B'],
        ] as const)
          answer.headers.append(name, value)
        return answer
      }),
    ))

  test('bodies of every size arrive whole', async () => {
    for (const size of [0, 1, 16_384, 65_535, 65_536, 1_000_000]) {
      await play(
        async (session, { served }) => {
          const { content } = await ask(session, { ':path': '/' })
          assert.equal(content.length, size)
          await until(() => served.seen[0].outcome !== undefined)
          assert.deepEqual([served.seen[0].outcome?.end, served.seen[0].outcome?.sentBytes], ['complete', size])
        },
        answering(() => textAnswer(200, 'x'.repeat(size))),
      )
    }
  })

  test('a stream arrives with its trailers', () =>
    play(
      async (session) => {
        const answer = await ask(session, { ':path': '/' })
        assert.deepEqual(
          [answer.content, answer.trailers?.['grpc-status'], answer.headers['content-length']],
          ['abcd', '0', undefined],
        )
      },
      answering(() => new Answer(200, new Headers(), streamOf(['ab', '', 'cd'], undefined, Headers.from([['grpc-status', '0']])))),
    ))

  test('a stream of known length has it', () =>
    play(
      async (session) => {
        const answer = await ask(session, { ':path': '/' })
        assert.deepEqual([answer.content, answer.headers['content-length'], answer.code], ['abcd', '4', 0])
      },
      answering(() => new Answer(200, new Headers(), streamOf(['ab', 'cd'], 4))),
    ))

  test('HEAD, 204 and 304 have no content; HEAD has the length', () =>
    play(
      async (session) => {
        const head = await ask(session, { ':path': '/', ':method': 'HEAD' })
        assert.deepEqual([head.headers['content-length'], head.content], ['5', ''])
        for (const status of ['204', '304']) {
          const answer = await ask(session, { ':path': `/${status}` })
          assert.deepEqual([answer.headers[':status'], answer.content], [Number(status), ''])
        }
      },
      answering((x) => (x.target === '/' ? textAnswer(200, 'hello') : textAnswer(Number(x.target.slice(1)), 'none'))),
    ))

  test('an early hint goes out before the answer', () =>
    play(
      async (session) => {
        const stream = session.request({ ':path': '/' })
        const hints: IncomingHttpHeaders[] = []
        stream.on('headers', (headers) => void hints.push(headers))
        const answer = await got(stream)
        assert.deepEqual([hints.length, hints[0]?.[':status'], hints[0]?.link], [1, 103, '</a>, </b>'])
        assert.equal(answer.headers[':status'], 200)
      },
      answering(async (x) => {
        x.inform(
          103,
          Headers.from([
            ['Link', '</a>'],
            ['Link', '</b>'],
          ]),
        )
        x.inform(101, new Headers())
        await nextTurn()
        return textAnswer(200, 'x')
      }),
    ))

  test('a handler that throws is answered by the problem of its fault', () =>
    play(
      async (session, { served }) => {
        assert.equal((await ask(session, { ':path': '/' })).headers[':status'], 503)
        assert.equal(served.seen[0].outcome?.fault?.code, 'no-target')
      },
      answering(() => {
        throw new Fault('no-target')
      }),
    ))

  test('a stream that breaks off behind its head is never ended properly', async () => {
    const bodies = [
      () => streamOf(['ab'], 4),
      () => streamOf(['abcdef'], 4),
      () => {
        const failing = streamOf(['ab'])
        const pull = failing.pull.bind(failing)
        let count = 0
        failing.pull = () => (count++ === 0 ? pull() : Promise.reject(new Fault('service-truncated')))
        return failing
      },
    ]
    for (const body of bodies) {
      await play(
        async (session, { served }) => {
          const answer = await ask(session, { ':path': '/' })
          assert.notEqual(answer.code, 0)
          assert.notEqual(served.seen[0].outcome?.end, 'complete')
        },
        answering(() => new Answer(200, new Headers(), body())),
      )
    }
  })

  test('an answer that HTTP/2 cannot carry is a fault of ours', async () => {
    for (const status of [101, 99, 700]) {
      await play(
        async (session, { served }) => {
          assert.equal((await ask(session, { ':path': '/' })).headers[':status'], 500)
          assert.equal(served.seen[0].outcome?.fault?.code, 'internal')
        },
        answering(() => emptyAnswer(status)),
      )
    }
  })

  test('an early answer is whole although the request is not, and the client is told to stop', () =>
    play(
      async (session, { served }) => {
        const stream = session.request({ ':path': '/', ':method': 'POST' })
        stream.write('some')
        const answer = await got(stream)
        assert.deepEqual([answer.headers[':status'], answer.content, answer.code], [413, 'too large', 0])
        assert.equal(served.seen[0].outcome?.end, 'complete')
        assert.equal((await ask(session, { ':path': '/again', ':method': 'GET' })).headers[':status'], 413)
      },
      answering(() => textAnswer(413, 'too large')),
    ))

  test('an early answer keeps its trailers', () =>
    play(
      async (session) => {
        const stream = session.request({ ':path': '/', ':method': 'POST' })
        stream.write('some')
        const answer = await got(stream)
        assert.deepEqual([answer.content, answer.trailers?.['grpc-status']], ['ab', '9'])
      },
      answering(() => new Answer(200, new Headers(), streamOf(['ab'], undefined, Headers.from([['grpc-status', '9']])))),
    ))
})
