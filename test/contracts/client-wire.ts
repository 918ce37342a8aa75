import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { describe, it } from 'node:test'
import { textBody } from '../../src/core/body.ts'
import { Fault } from '../../src/core/fault.ts'
import { Headers } from '../../src/core/headers.ts'
import type { ClientWireOptions } from '../../src/wire/client-wire.ts'
import type { CreateClientWire, Scene } from '../support/client-wires.ts'
import { callOf, isFault, nextTurn, pulled, scene, streamOf, until } from '../support/client-wires.ts'
import { exchangeOf } from '../support/exchange.ts'
import type { Informed } from '../support/exchange.ts'
import { okay } from '../support/raw-service.ts'
import type { RawRequest } from '../support/raw-service.ts'

/** Where a wire may differ from ours. */
export interface ClientWireTraits {
  /** Takes a 100 Continue that it did not ask for. */
  readonly takesContinue: boolean
  readonly sendsTrailers: boolean
  /** Uses a connection again after HEAD. */
  readonly keepsAfterHead: boolean
}

/** What every ClientWire does, whatever stands behind it. */
export function clientWireContract(name: string, create: CreateClientWire, traits: ClientWireTraits): void {
  const play = (
    answer: string | ((socket: Socket, request: RawRequest) => void),
    run: (scene: Scene) => Promise<void>,
    options?: Partial<ClientWireOptions>,
  ): Promise<void> => scene(create, typeof answer === 'string' ? (socket) => void socket.write(answer) : answer, run, options)

  describe(`${name}: what a service sees`, () => {
    it('is the method, the target, the host, the headers in order, and no hop-by-hop field', () =>
      play(okay(), async ({ wire, service }) => {
        const headers = [
          'X-A',
          '1',
          'Connection',
          'keep-alive',
          'x-b',
          '2',
          'Transfer-Encoding',
          'chunked',
          'TE',
          'trailers',
          'X-A',
          '3',
        ]
        headers.push('Expect', '100-continue', 'Upgrade', 'h2c', 'Content-Length', '7', 'content_length', '8', 'Host', 'elsewhere')
        await wire.send(callOf({ target: '/a%20b?c=d', authority: 'api.example.com', headers }), exchangeOf())
        const lines = service.requests[0].head.split('\r\n')
        assert.equal(lines[0], 'GET /a%20b?c=d HTTP/1.1')
        const sent = lines.slice(1).filter((line) => line !== '' && line.toLowerCase() !== 'connection: keep-alive')
        assert.deepEqual(
          sent.map((line) => line.replace(/^host/i, 'Host')),
          ['Host: api.example.com', 'X-A: 1', 'x-b: 2', 'X-A: 3'],
        )
      }))

    it('is the target’s own host when the call names none', () =>
      play(okay(), async ({ wire, service }) => {
        await wire.send(callOf(), exchangeOf())
        assert.match(service.requests[0].head, new RegExp(`\\r\\nhost: 127\\.0\\.0\\.1:${service.port}\\r\\n`, 'i'))
      }))

    const framings: [string, string, Parameters<typeof callOf>[0], RegExp, string][] = [
      ['no framing for a GET', 'GET', {}, /^(?!.*(content-length|transfer-encoding))/is, ''],
      ['a length of 0 for a POST without content', 'POST', {}, /\r\ncontent-length: 0\r\n/i, ''],
      ['a length for bytes in hand', 'POST', { body: textBody('hello') }, /\r\ncontent-length: 5\r\n/i, 'hello'],
      ['a length for a stream that has one', 'PUT', { body: streamOf(['he', 'llo'], 5) }, /\r\ncontent-length: 5\r\n/i, 'hello'],
      [
        'chunks for a stream without',
        'PUT',
        { body: streamOf(['he', '', 'llo']) },
        /\r\ntransfer-encoding: chunked\r\n/i,
        '2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n',
      ],
      ['content with a DELETE', 'DELETE', { body: textBody('why') }, /\r\ncontent-length: 3\r\n/i, 'why'],
    ]
    for (const [what, method, parts, head, body] of framings) {
      it(`is ${what}`, () =>
        play(okay(), async ({ wire, service }) => {
          await wire.send(callOf({ ...parts, method }), exchangeOf())
          assert.match(service.requests[0].head, head)
          assert.equal(service.requests[0].body, body)
        }))
    }

    it('is one connection for calls one after another', () =>
      play(okay(), async ({ wire, service }) => {
        for (let i = 0; i < 5; i++) {
          assert.equal(await pulled((await wire.send(callOf(), exchangeOf())).body), 'good')
          await nextTurn()
        }
        assert.equal(service.accepted, 1)
        assert.deepEqual([wire.open, wire.busy, wire.queued], [1, 0, 0])
      }))
  })

  describe(`${name}: an answer`, () => {
    it('has the status, the headers in order, and the content', () =>
      play(
        'HTTP/1.1 418 Short and Stout\r\nX-A: 1\r\nSet-Cookie: a=b\r\nSet-Cookie: c=d\r\nContent-Length: 3\r\n\r\ntea',
        async ({ wire }) => {
          const answer = await wire.send(callOf(), exchangeOf())
          assert.equal(answer.status, 418)
          assert.equal(answer.headers.toLines(), 'X-A: 1\r\nSet-Cookie: a=b\r\nSet-Cookie: c=d\r\n')
          assert.equal(answer.body.size, 3)
          assert.equal(await pulled(answer.body), 'tea')
        },
      ))

    it('to HEAD has no content but its size, and the connection is used again', () =>
      play(
        (socket, { head }) => void socket.write(head.startsWith('HEAD') ? 'HTTP/1.1 200 OK\r\nContent-Length: 77\r\n\r\n' : okay()),
        async ({ wire, service }) => {
          const answer = await wire.send(callOf({ method: 'HEAD' }), exchangeOf())
          assert.equal(answer.body.size, 77)
          assert.equal(await pulled(answer.body), '')
          await wire.send(callOf(), exchangeOf())
          assert.equal(service.accepted, traits.keepsAfterHead ? 1 : 2)
        },
      ))

    it('streams: each piece can be pulled before the next one is sent', () =>
      play(
        (socket) => void socket.write('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n'),
        async ({ wire, service }) => {
          const { body, isUntilClose } = await wire.send(callOf(), exchangeOf())
          assert.equal(isUntilClose, false)
          for (const event of ['data: 1\n\n', 'data: 2\n\n', 'data: 3\n\n']) {
            for (const socket of service.open) socket.write(`${event.length.toString(16)}\r\n${event}\r\n`)
            assert.equal((await body.pull())?.toString(), event)
          }
          for (const socket of service.open) socket.write('0\r\n\r\n')
          assert.equal(await body.pull(), null)
          assert.equal(wire.busy, 0)
        },
      ))

    it('has trailers once its content was read', () =>
      play('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Digest: abc\r\n\r\n', async ({ wire }) => {
        const { body } = await wire.send(callOf(), exchangeOf())
        assert.equal(await pulled(body), 'ok')
        assert.equal(body.trailers()?.get('x-digest'), 'abc')
      }))

    it('may last until the connection ends, and says so', () =>
      play(
        (socket) => void socket.end('HTTP/1.1 200 OK\r\n\r\nhello'),
        async ({ wire }) => {
          const { body, isUntilClose } = await wire.send(callOf(), exchangeOf())
          assert.equal(body.size, undefined)
          assert.equal(isUntilClose, true)
          assert.equal(await pulled(body), 'hello')
        },
      ))

    it('passes 103 on and keeps 100 to itself', () =>
      play(
        `${traits.takesContinue ? 'HTTP/1.1 100 Continue\r\n\r\n' : ''}HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n${okay()}`,
        async ({ wire }) => {
          const informed: Informed[] = []
          const answer = await wire.send(callOf(), exchangeOf({}, informed))
          assert.equal(await pulled(answer.body), 'good')
          assert.deepEqual(
            informed.map(({ status, headers }) => `${status} ${headers.toLines()}`),
            ['103 Link: </a.css>\r\n'],
          )
        },
      ))

    it('that came before the request was sent is given, and the connection is not used again', () =>
      play(
        () => {},
        async ({ wire, service }) => {
          const body = streamOf(['one'], 1000)
          const never = new Promise<never>(() => {})
          let pulls = 0
          body.pull = () => (pulls++ === 0 ? Buffer.from('one') : never)
          const sent = wire.send(callOf({ method: 'POST', body }), exchangeOf())
          await until(() => service.open.size === 1)
          for (const socket of service.open) socket.write('HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno')
          const answer = await sent
          assert.equal(answer.status, 413)
          assert.equal(await pulled(answer.body), 'no')
          await until(() => wire.open === 0)
        },
      ))
  })

  describe(`${name}: bounds`, () => {
    it('queue calls beyond maxConnections in order, and refuse those beyond maxQueued', () => {
      const held: Socket[] = []
      return play(
        (socket) => void held.push(socket),
        async ({ wire, service }) => {
          const calls = ['/1', '/2', '/3'].map((target) => wire.send(callOf({ target }), exchangeOf()))
          await service.received(1)
          assert.deepEqual([wire.open, wire.busy, wire.queued], [1, 1, 2])
          await assert.rejects(wire.send(callOf({ target: '/4' }), exchangeOf()), isFault('overloaded', true))
          for (let count = 1; count <= 3; count++) {
            await service.received(count)
            held[count - 1].write(okay(`${count}`))
            assert.equal(await pulled((await calls[count - 1]).body), `${count}`)
          }
          assert.deepEqual(
            service.requests.map(({ head }) => head.split(' ')[1]),
            ['/1', '/2', '/3'],
          )
          assert.equal(service.accepted, 1)
        },
        { maxConnections: 1, maxQueued: 2 },
      )
    })

    it('give a call up when the head of its answer does not come: service-timeout', () =>
      play(
        () => {},
        async ({ wire, service, clock }) => {
          const sent = assert.rejects(wire.send(callOf(), exchangeOf()), isFault('service-timeout', false))
          await service.received(1)
          clock.advance(5100)
          await sent
          await until(() => wire.open === 0)
        },
      ))

    it('give a call up at its own headBy when that is sooner', () =>
      play(
        () => {},
        async ({ wire, service, clock }) => {
          const sent = assert.rejects(wire.send(callOf({ headBy: 100 }), exchangeOf()), isFault('service-timeout', false))
          await service.received(1)
          clock.advance(200)
          await sent
        },
      ))

    it('give an answer up when its reader waits too long for more: service-timeout', () =>
      play('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello', async ({ wire, clock }) => {
        const { body } = await wire.send(callOf(), exchangeOf())
        assert.equal((await body.pull())?.toString(), 'hello')
        const rest = assert.rejects(async () => body.pull(), isFault('service-timeout'))
        await nextTurn()
        clock.advance(10_100)
        await rest
        await until(() => wire.open === 0)
      }))

    it('do not give an answer up while its reader does not ask', () =>
      play('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello', async ({ wire, clock, service }) => {
        const { body } = await wire.send(callOf(), exchangeOf())
        clock.advance(100_000)
        for (const socket of service.open) socket.write(', yo')
        assert.equal(await pulled(body), 'hello, yo')
      }))
  })

  describe(`${name}: an end`, () => {
    const left = new Fault('client-left')

    it('by the client before the head ends the connection', () =>
      play(
        () => {},
        async ({ wire, service }) => {
          const x = exchangeOf()
          const sent = assert.rejects(wire.send(callOf(), x), isFault('client-left'))
          await service.received(1)
          x.leave(left)
          await sent
          await until(() => service.open.size === 0)
          await until(() => wire.open === 0)
        },
      ))

    it('by the client while it waits in line leaves the line', () =>
      play(
        () => {},
        async ({ wire, service }) => {
          const first = exchangeOf()
          const firstSent = assert.rejects(wire.send(callOf(), first), isFault('client-left'))
          await service.received(1)
          const second = exchangeOf()
          const secondSent = assert.rejects(wire.send(callOf(), second), isFault('client-left'))
          assert.equal(wire.queued, 1)
          second.leave(left)
          await secondSent
          assert.equal(wire.queued, 0)
          first.leave(left)
          await firstSent
          assert.equal(service.requests.length, 1)
        },
        { maxConnections: 1 },
      ))

    it('by a client that has left already sends nothing', () =>
      play(okay(), async ({ wire, service }) => {
        const x = exchangeOf()
        x.leave(left)
        await assert.rejects(wire.send(callOf(), x), isFault('client-left'))
        assert.equal(service.accepted, 0)
      }))

    it('by the client inside the body ends the connection and fails the reader', () =>
      play('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello', async ({ wire, service }) => {
        const x = exchangeOf()
        const { body } = await wire.send(callOf(), x)
        await body.pull()
        const rest = assert.rejects(async () => body.pull(), isFault('client-left'))
        x.leave(left)
        await rest
        await until(() => service.open.size === 0)
      }))

    it('by the client after the answer harms nothing', () =>
      play(okay(), async ({ wire, service }) => {
        const x = exchangeOf()
        await pulled((await wire.send(callOf(), x)).body)
        x.leave(left)
        await nextTurn()
        await wire.send(callOf(), exchangeOf())
        assert.equal(service.accepted, 1)
      }))

    it('by the reader ends the connection', () =>
      play('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello', async ({ wire, service }) => {
        const { body } = await wire.send(callOf(), exchangeOf())
        body.cancel(new Fault('cancelled'))
        await until(() => service.open.size === 0)
        await until(() => wire.open === 0)
      }))

    it('of the request’s body ends the connection, and the call with the body’s own fault', () =>
      play(
        () => {},
        async ({ wire, service }) => {
          const body = streamOf([], 10)
          body.pull = async () => {
            throw new Fault('body-timeout')
          }
          await assert.rejects(wire.send(callOf({ method: 'POST', body }), exchangeOf()), isFault('body-timeout'))
          await until(() => service.open.size === 0)
          assert.equal(service.requests.length, 0)
        },
      ))

    it('of the wire lets its calls finish and then closes', () => {
      const held: Socket[] = []
      return play(
        (socket) => void held.push(socket),
        async ({ wire, service }) => {
          const sent = wire.send(callOf(), exchangeOf())
          await service.received(1)
          wire.close()
          await assert.rejects(wire.send(callOf(), exchangeOf()), isFault('service-refused', true))
          held[0].write(okay())
          assert.equal(await pulled((await sent).body), 'good')
          await until(() => service.open.size === 0)
          await until(() => wire.open === 0)
        },
      )
    })

    it('of the request’s trailers reaches the service', () =>
      play(okay(), async ({ wire, service }) => {
        const body = streamOf(['hi'], undefined, Headers.from([['X-Digest', 'abc']]))
        await wire.send(callOf({ method: 'POST', body }), exchangeOf())
        assert.equal(service.requests[0].body, `2\r\nhi\r\n0\r\n${traits.sendsTrailers ? 'X-Digest: abc\r\n' : ''}\r\n`)
      }))
  })
}
