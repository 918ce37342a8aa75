import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Answer, textAnswer } from '../../src/core/answer.ts'
import type { TunnelEnd } from '../../src/core/answer.ts'
import { emptyBody } from '../../src/core/body.ts'
import type { Exchange } from '../../src/core/exchange.ts'
import type { Handler } from '../../src/core/handler.ts'
import { Headers } from '../../src/core/headers.ts'
import { until } from '../support/client-wires.ts'
import { RawClient, turns } from '../support/raw-client.ts'
import { Doors, serverScene, serverWires } from '../support/server-wires.ts'

const get = (target = '/'): string => `GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`
const offer = 'GET /ws HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n\r\n'

/** A tunnel that gives back what it gets in capitals, until the client ends. */
function shouting(x: Exchange): Answer {
  const headers = Headers.from([['upgrade', x.upgrade ?? '']])
  return new Answer(101, headers, emptyBody, (client, early) => {
    let receivedBytes = 0
    let sentBytes = 0
    const shout = (bytes: Buffer): void => {
      receivedBytes += bytes.length
      const out = bytes.toString('latin1').toUpperCase()
      sentBytes += out.length
      client.write(out, 'latin1')
    }
    return new Promise<TunnelEnd>((resolve) => {
      if (early.length > 0) shout(early)
      client.on('data', shout)
      client.on('end', () => client.end())
      client.on('close', () => resolve({ sentBytes, receivedBytes }))
    })
  })
}

for (const [name, create] of serverWires) {
  describe(`connections over ${name}`, () => {
    test('requests sent ahead are handled strictly one after another', async () => {
      const doors = new Doors()
      await serverScene(
        create,
        async ({ port, wire }) => {
          const client = await RawClient.to(port)
          client.send(get('/1') + get('/2') + get('/3'))
          for (const [i, target] of ['/1', '/2', '/3'].entries()) {
            await until(() => doors.came.length === i + 1)
            await turns(3)
            assert.equal(doors.came.length, i + 1)
            assert.equal(wire.active, 1)
            doors.open(target)
            assert.equal((await client.answer())!.content, target)
          }
          await until(() => wire.active === 0)
          assert.equal(wire.connections, 1)
          client.close()
          await until(() => wire.connections === 0)
        },
        { handler: doors.handler },
      )
    })

    test('after so many requests a connection is closed', () =>
      serverScene(
        create,
        async ({ port, served }) => {
          const client = await RawClient.to(port)
          client.send(get('/1') + get('/2') + get('/3'))
          assert.notEqual((await client.answer())!.fields.get('connection'), 'close')
          assert.equal((await client.answer())!.fields.get('connection'), 'close')
          await client.ended()
          assert.equal(served.seen.length, 2)
          client.close()
        },
        { limits: { maxRequests: 2 } },
      ))

    test('a connection too many is told so', () =>
      serverScene(
        create,
        async ({ port, wire, served }) => {
          const first = await RawClient.to(port)
          await until(() => wire.connections === 1)
          const second = await RawClient.to(port)
          assert.equal((await second.answer())!.status, 503)
          await second.ended()
          assert.equal(served.faults[0].code, 'overloaded')
          first.send(get())
          assert.equal((await first.answer())!.status, 200)
          second.close()
          await until(() => wire.connections === 1)
          first.close()
        },
        { limits: { maxConnections: 1 } },
      ))

    test('drain closes idle connections at once and busy ones behind their answer', async () => {
      const doors = new Doors()
      await serverScene(
        create,
        async ({ port, wire }) => {
          const idle = await RawClient.to(port)
          idle.send(get('/idle'))
          await until(() => doors.came.length === 1)
          doors.open('/idle')
          await idle.answer()
          const busy = await RawClient.to(port)
          busy.send(get('/busy') + get('/never'))
          await until(() => doors.came.length === 2)
          const drained = wire.drain()
          await idle.ended()
          idle.socket.end()
          doors.open('/busy')
          assert.equal((await busy.answer())!.fields.get('connection'), 'close')
          await busy.ended()
          busy.socket.end()
          await drained
          assert.deepEqual(doors.came, ['/idle', '/busy'])
          assert.equal(wire.connections, 0)
        },
        { handler: doors.handler },
      )
    })

    test('close ends everything at once, and every exchange hears of it', async () => {
      const doors = new Doors()
      await serverScene(
        create,
        async ({ port, wire, served }) => {
          const client = await RawClient.to(port)
          client.send(get('/1'))
          await until(() => doors.came.length === 1)
          wire.close()
          await client.ended()
          await until(() => served.seen[0].x.left !== undefined)
          doors.open('/1')
          await until(() => served.seen[0].outcome !== undefined)
          assert.equal(served.seen[0].outcome!.end, 'client-left')
          assert.equal(wire.active, 0)
        },
        { handler: doors.handler },
      )
    })

    test('a client that leaves in the middle of a stream stops it', async () => {
      let stopped: string | undefined
      const endless: Handler = () => {
        const answer = textAnswer(200, '')
        const piece = Buffer.alloc(65_536, 'x')
        answer.body = {
          size: undefined,
          bytes: undefined,
          pull: async () => piece,
          cancel: (why) => {
            stopped = why.code
          },
          trailers: () => undefined,
          replay: () => undefined,
          fork: () => emptyBody,
        }
        return answer
      }
      await serverScene(
        create,
        async ({ port, served }) => {
          const client = await RawClient.to(port)
          client.send(get())
          await client.got('xxx')
          client.close()
          await until(() => stopped !== undefined)
          assert.equal(stopped, 'client-left')
          assert.equal(served.seen[0].outcome!.end, 'client-left')
          assert.equal(served.seen[0].outcome!.status, 200)
        },
        { handler: endless },
      )
    })

    test('a client that stops reading stops the stream, and after writeMs the connection', async () => {
      let pulls = 0
      const endless: Handler = () => {
        const answer = textAnswer(200, '')
        const piece = Buffer.alloc(1_000_000, 'x')
        answer.body = {
          size: undefined,
          bytes: undefined,
          pull: async () => {
            pulls++
            return piece
          },
          cancel: () => {},
          trailers: () => undefined,
          replay: () => undefined,
          fork: () => emptyBody,
        }
        return answer
      }
      await serverScene(
        create,
        async ({ port, served, clock, wire }) => {
          const client = await RawClient.to(port)
          client.socket.pause()
          client.send(get())
          await until(() => pulls > 0)
          let before = 0
          do {
            before = pulls
            await turns(50)
          } while (pulls !== before)
          assert.ok(pulls < 50, `${pulls} MB were pulled`)
          clock.advance(29_000)
          await turns(3)
          assert.equal(served.seen[0].outcome, undefined)
          // Sweeps see the queue unchanged twice at most: once to note what was taken since, once to give up.
          clock.advance(61_000)
          await until(() => served.seen[0].outcome !== undefined)
          assert.equal(served.seen[0].outcome!.end, 'timeout')
          assert.equal(served.seen[0].outcome!.fault!.code, 'write-timeout')
          await until(() => wire.connections === 0)
          client.close()
        },
        { handler: endless },
      )
    })

    test('an offered protocol is switched to, with what was sent ahead', () =>
      serverScene(
        create,
        async ({ port, served, wire }) => {
          const client = await RawClient.to(port)
          client.send(`${offer}early`)
          const answer = (await client.answer())!
          assert.equal(answer.status, 101)
          assert.equal(answer.fields.get('connection'), 'Upgrade')
          assert.equal(answer.fields.get('upgrade'), 'websocket')
          await client.got('EARLY')
          client.send('later')
          await client.got('EARLYLATER')
          assert.equal(served.seen[0].outcome, undefined)
          client.socket.end('last')
          await client.ended()
          assert.match(client.received, /EARLYLATERLAST$/)
          await until(() => served.seen[0].outcome !== undefined)
          const { end, status, sentBytes, receivedBytes } = served.seen[0].outcome!
          assert.deepEqual(
            { end, status, sentBytes, receivedBytes },
            { end: 'complete', status: 101, sentBytes: 14, receivedBytes: 14 },
          )
          await until(() => wire.connections === 0)
        },
        { handler: shouting },
      ))

    test('an offer may be declined: the request is answered like any other', () =>
      serverScene(
        create,
        async ({ port, served }) => {
          const client = await RawClient.to(port)
          client.send(offer)
          assert.equal((await client.answer())!.status, 200)
          assert.equal(served.seen[0].x.upgrade, 'websocket')
          client.close()
        },
        { handler: () => textAnswer(200, 'no') },
      ))

    test('426 says what to upgrade to', () =>
      serverScene(
        create,
        async ({ port }) => {
          const client = await RawClient.to(port)
          client.send(get())
          const answer = (await client.answer())!
          assert.equal(answer.fields.get('upgrade'), 'websocket')
          client.close()
        },
        { handler: () => new Answer(426, Headers.from([['upgrade', 'websocket']]), emptyBody) },
      ))

    for (const [what, request] of [
      [
        'h2c',
        'GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n\r\n',
      ],
      ['a protocol that Connection does not name', 'GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n'],
      ['several protocols', 'GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket, h2c\r\n\r\n'],
      [
        'a protocol together with a body',
        'POST / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 1\r\n\r\nx',
      ],
      ['a protocol with HTTP/1.0', 'GET / HTTP/1.0\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n'],
    ]) {
      test(`no upgrade is seen in ${what}`, () =>
        serverScene(create, async ({ port, served }) => {
          const client = await RawClient.to(port)
          client.send(request)
          assert.equal((await client.answer())!.status, 200)
          assert.equal(served.seen[0].x.upgrade, undefined)
          client.close()
        }))
    }

    test('a tunnel for a request that offered nothing is a fault of ours', () =>
      serverScene(
        create,
        async ({ port }) => {
          const client = await RawClient.to(port)
          client.send(get())
          assert.equal((await client.answer())!.status, 500)
          client.close()
        },
        { handler: shouting },
      ))
  })
}
