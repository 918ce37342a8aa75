import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { WebSocket } from 'ws'
import type { Answer, TunnelEnd } from '../../core/answer.ts'
import { emptyBody } from '../../core/body.ts'
import { Headers } from '../../core/headers.ts'
import { ManualClock } from '../../core/manual-clock.ts'
import type { Call } from '../../core/service.ts'
import { Sweeper } from '../../core/sweeper.ts'
import type { WebSocketSpec } from './accept-web-socket.ts'
import { acceptWebSocket } from './accept-web-socket.ts'
import { handshakeProblem, isWebSocket, offeredProtocols } from './handshake.ts'
import { heartbeatMs } from './heartbeat.ts'

function callWith(lines: readonly string[], upgrade = 'websocket'): Call {
  return {
    method: 'GET',
    target: '/',
    authority: undefined,
    headers: Headers.received(lines),
    body: emptyBody,
    upgrade,
    headBy: Infinity,
  }
}

const key = 'dGhlIHNhbXBsZSBub25jZQ=='

/** A raw connection over which `ws` speaks as the client, and the other end accepted as a tunnel. */
async function accepted(t: TestContext, spec: Partial<WebSocketSpec> = {}) {
  const clock = new ManualClock()
  const sweeper = new Sweeper(clock)
  const server = createServer().listen(0, '127.0.0.1')
  t.after(() => void server.close())
  await once(server, 'listening')
  let answer!: Answer
  let end!: Promise<TunnelEnd>
  const sockets: WebSocket[] = []
  server.on('connection', (connection: Socket) => {
    connection.once('data', (head: Buffer) => {
      const lines = head.toString('latin1').split('\r\n').slice(1, -2)
      const call = callWith(lines.flatMap((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]))
      assert.equal(handshakeProblem(call), undefined)
      answer = acceptWebSocket(call, {
        protocol: offeredProtocols(call)[0],
        maxMessageBytes: 1000,
        clock,
        sweeper,
        run: (socket) => void sockets.push(socket),
        ...spec,
      })
      connection.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n${answer.headers.toLines()}\r\n`)
      end = answer.tunnel!(connection, Buffer.alloc(0))
    })
  })
  const client = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`, ['a.v1', 'b.v1'], { autoPong: false })
  t.after(() => client.terminate())
  client.on('error', () => {})
  await once(client, 'open')
  return { clock, sweeper, client, answer, end, socket: sockets[0] }
}

test('what asks for a WebSocket, and what is wrong with it', () => {
  assert.ok(isWebSocket(callWith([], 'WebSocket')))
  assert.ok(!isWebSocket(callWith([], 'h2c')))
  assert.ok(!isWebSocket({ ...callWith([]), method: 'POST' }))
  assert.ok(!isWebSocket({ ...callWith([]), upgrade: undefined }))
  const of = (...lines: string[]): string | undefined => handshakeProblem(callWith(lines))?.name
  const version = ['Sec-WebSocket-Version', '13']
  assert.equal(of(...version, 'Sec-WebSocket-Key', key), undefined)
  assert.equal(of('Sec-WebSocket-Key', key), 'upgrade-required')
  assert.equal(of('Sec-WebSocket-Version', '8', 'Sec-WebSocket-Key', key), 'upgrade-required')
  assert.equal(of(...version, ...version, 'Sec-WebSocket-Key', key), 'upgrade-required')
  for (const bad of ['', 'short', `${key}x`, 'dGhlIHNhbXBsZSBub25jZR==', 'dGhlIHNhbXBsZSBub25jZ!==']) {
    assert.equal(of(...version, 'Sec-WebSocket-Key', bad), 'malformed', bad)
  }
  assert.equal(of(...version), 'malformed')
  assert.equal(of(...version, 'Sec-WebSocket-Key', key, 'Sec-WebSocket-Key', key), 'malformed')
  const offers = ['Sec-WebSocket-Protocol', 'a, b', 'Sec-WebSocket-Protocol', 'c']
  assert.deepEqual(offeredProtocols(callWith(offers)), ['a', 'b', 'c'])
})

test('messages go both ways, and the end is the end of the tunnel', { timeout: 20_000 }, async (t) => {
  const { client, socket, answer, end, sweeper } = await accepted(t)
  assert.deepEqual([answer.status, client.protocol], [101, 'a.v1'])
  client.send('hello')
  const [heard] = (await once(socket, 'message')) as [Buffer]
  assert.equal(heard.toString(), 'hello')
  socket.send('and back')
  assert.equal(String((await once(client, 'message'))[0]), 'and back')
  client.close(3000)
  await once(client, 'close')
  const { sentBytes, receivedBytes } = await end
  assert.ok(sentBytes > 10 && receivedBytes > 11)
  sweeper.close()
})

test('a message above the bound closes with 1009', { timeout: 20_000 }, async (t) => {
  const { client, socket } = await accepted(t)
  const messages: unknown[] = []
  socket.on('message', (message) => messages.push(message))
  client.send(Buffer.alloc(1001))
  const [code] = (await once(client, 'close')) as [number]
  assert.deepEqual([code, messages], [1009, []])
})

test('a client that does not answer a ping is dropped, one that is not heard is not', { timeout: 20_000 }, async (t) => {
  const { client, socket, clock, end } = await accepted(t)
  const beat = async (answers: boolean): Promise<void> => {
    const pinged = once(client, 'ping')
    clock.advance(heartbeatMs + 100)
    await pinged
    if (!answers) return
    const heard = once(socket, 'pong')
    client.pong()
    await heard
  }
  await beat(true)
  await beat(true)
  socket.pause()
  for (let i = 0; i < 4; i++) await beat(false)
  assert.equal(socket.readyState, WebSocket.OPEN)
  socket.resume()
  await beat(false)
  await beat(true)
  await beat(false)
  await beat(false)
  const closed = once(client, 'close')
  clock.advance(heartbeatMs + 100)
  assert.equal(((await closed) as [number])[0], 1006)
  await end
})

test('a notice closes with the code that says why', { timeout: 20_000 }, async (t) => {
  for (const [why, code] of [
    ['draining', 1001],
    ['deadline', 4004],
    ['caller-over', 4016],
  ] as const) {
    const { client, answer, end } = await accepted(t)
    answer.hangUp!(why)
    answer.hangUp!('draining')
    assert.equal(((await once(client, 'close')) as [number])[0], code)
    await end
  }
})
