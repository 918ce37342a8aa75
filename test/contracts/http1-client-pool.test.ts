import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { createServer } from 'node:net'
import { once } from 'node:events'
import { describe, it } from 'node:test'
import type { Answer } from '../../src/core/answer.ts'
import { createHttp1Client } from '../../src/wire/http1/pool.ts'
import type { ClientWireOptions } from '../../src/wire/client-wire.ts'
import type { Scene } from '../support/client-wires.ts'
import { callOf, isFault, scene, until } from '../support/client-wires.ts'
import { exchangeOf } from '../support/exchange.ts'
import { okay } from '../support/raw-service.ts'
import type { RawRequest } from '../support/raw-service.ts'

const prompt = (socket: Socket): void => void socket.write(okay())
const play = (
  answer: (socket: Socket, request: RawRequest) => void,
  run: (scene: Scene) => Promise<void>,
  options?: Partial<ClientWireOptions>,
): Promise<void> => scene(createHttp1Client, answer, run, options)

const send = ({ wire }: Scene): Promise<Answer> => wire.send(callOf(), exchangeOf())

describe('the pool of our HTTP/1.1 client', () => {
  it('uses the connection that was used last, and lets the others grow old', () =>
    play(prompt, async (parts) => {
      const { service, wire, clock } = parts
      await Promise.all([send(parts), send(parts), send(parts)])
      assert.equal(wire.open, 3)
      for (let i = 0; i < 6; i++) {
        clock.advance(1000)
        await send(parts)
      }
      assert.equal(new Set(service.requests.slice(3).map(({ connection }) => connection)).size, 1)
      await until(() => service.open.size === 1)
      assert.equal(wire.open, 1)
    }))

  it('closes a connection after its time without a call', () =>
    play(prompt, async (parts) => {
      await send(parts)
      parts.clock.advance(3900)
      assert.equal(parts.wire.open, 1)
      parts.clock.advance(200)
      assert.equal(parts.wire.open, 0)
      await until(() => parts.service.open.size === 0)
    }))

  it('does not take a connection whose time is over, even before the sweep', () =>
    play(prompt, async (parts) => {
      await send(parts)
      parts.clock.advance(3999)
      const now = parts.clock.monotonic()
      parts.clock.monotonic = () => now + 2
      await send(parts)
      assert.equal(parts.service.accepted, 2)
      assert.equal(parts.wire.open, 1)
    }))

  it('believes a service that keeps connections for a shorter time', () =>
    play(
      (socket) => void socket.write(okay('', 'Keep-Alive: timeout=2\r\n')),
      async (parts) => {
        await send(parts)
        parts.clock.advance(1100)
        assert.equal(parts.wire.open, 0)
      },
    ))

  it('says close with the last call that a connection may carry', () =>
    play(
      prompt,
      async (parts) => {
        for (let i = 0; i < 4; i++) await send(parts)
        const { requests } = parts.service
        assert.deepEqual(
          requests.map(({ connection }) => connection),
          [0, 0, 0, 1],
        )
        assert.deepEqual(
          requests.map(({ head }) => head.includes('\r\nConnection: close\r\n')),
          [false, false, true, false],
        )
      },
      { maxCalls: 3 },
    ))

  it('replaces a connection of age after its call, or as soon as it is idle', () =>
    play(
      prompt,
      async (parts) => {
        await send(parts)
        parts.clock.advance(1900)
        await send(parts)
        assert.equal(parts.wire.open, 1)
        parts.clock.advance(200)
        assert.equal(parts.wire.open, 0)
        await send(parts)
        assert.equal(parts.service.accepted, 2)
      },
      { maxAgeMs: 2000 },
    ))

  it('gives up opening a connection after its time: service-refused, unsent', () =>
    // A TLS handshake that is never answered.
    play(
      () => {},
      async ({ wire, service, clock }) => {
        const sent = assert.rejects(wire.send(callOf(), exchangeOf()), isFault('service-refused', true))
        await until(() => service.accepted === 1)
        clock.advance(1100)
        await sent
        assert.deepEqual([wire.open, wire.busy, wire.queued], [0, 0, 0])
      },
      { tls: { serverName: 'localhost' } },
    ))

  it('refuses every call that waits when nothing can be reached', async () => {
    const server = createServer()
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as { port: number }
    server.close()
    await play(
      prompt,
      async ({ wire }) => {
        const calls = Array.from({ length: 5 }, () => wire.send(callOf(), exchangeOf()))
        for (const call of calls) await assert.rejects(call, isFault('service-refused', true))
        await until(() => wire.open === 0)
        assert.deepEqual([wire.busy, wire.queued], [0, 0])
      },
      { port, maxConnections: 2 },
    )
  })

  it('gives up waiting for a connection when the call has no more time: overloaded, unsent', () =>
    play(
      () => {},
      async ({ wire, service, clock }) => {
        const first = assert.rejects(wire.send(callOf(), exchangeOf()), isFault('service-timeout', false))
        await service.received(1)
        const second = assert.rejects(wire.send(callOf({ headBy: 100 }), exchangeOf()), isFault('overloaded', true))
        clock.advance(200)
        await second
        assert.equal(wire.queued, 0)
        clock.advance(5000)
        await first
        assert.equal(service.requests.length, 1)
      },
      { maxConnections: 1 },
    ))

  it('refuses to send what could break a message’s frame, and keeps the connection', () =>
    play(prompt, async (parts) => {
      await send(parts)
      for (const bad of [
        { target: '/a b' },
        { target: '/a\r\nX: y' },
        { target: '' },
        { target: '/é' },
        { method: 'GET /x HTTP/1.1\r\nA:' },
        { method: '' },
        { authority: 'a b' },
        { authority: 'a\nb' },
        { upgrade: 'a\r\nX: y' },
      ]) {
        await assert.rejects(parts.wire.send(callOf(bad), exchangeOf()), isFault('internal'))
      }
      await send(parts)
      assert.equal(parts.service.requests.length, 2)
      assert.equal(parts.service.accepted, 1)
    }))

  it('tells its level of every connection that opens and closes', () => {
    let level = 0
    return play(
      prompt,
      async (parts) => {
        await Promise.all([send(parts), send(parts)])
        assert.equal(level, 2)
        parts.clock.advance(4100)
        assert.equal(level, 0)
      },
      { connections: { add: (n) => void (level += n) } },
    )
  })
})
