import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { connect, createServer } from 'node:net'
import { describe, it } from 'node:test'
import { Fault } from '../../src/core/fault.ts'
import type { CreateClientWire } from '../support/client-wires.ts'
import { callOf, pulled, scene, until } from '../support/client-wires.ts'
import { exchangeOf } from '../support/exchange.ts'
import { okay } from '../support/raw-service.ts'

/** Both ends of a TCP connection, half-open ends allowed. */
async function socketPair(): Promise<[Socket, Socket]> {
  const server = createServer({ allowHalfOpen: true })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  const client = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  const [accepted] = (await once(server, 'connection')) as [Socket]
  server.close()
  return [client, accepted]
}

const switching = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n'

/** A service that answers everything in capitals after the switch, and says goodbye. */
function echo(socket: Socket): void {
  socket.write(`${switching}welcome `)
  socket.removeAllListeners('data')
  socket.on('data', (chunk: Buffer) => void socket.write(chunk.toString().toUpperCase()))
  socket.on('end', () => void socket.end(' bye'))
}

/** What every ClientWire does with an upgrade. */
export function clientTunnelContract(name: string, create: CreateClientWire): void {
  describe(`${name}: a switch of protocols`, () => {
    it('passes bytes both ways, early ones too, and each end on its own', () =>
      scene(create, echo, async ({ wire, service }) => {
        const answer = await wire.send(callOf({ upgrade: 'echo' }), exchangeOf())
        assert.equal(answer.status, 101)
        assert.match(service.requests[0].head, /\r\nconnection: upgrade\r\nupgrade: echo\r\n/i)
        assert.match(answer.headers.toLines(), /^upgrade: echo\r\n$/i)
        const [client, gatewaySide] = await socketPair()
        const over = answer.tunnel!(gatewaySide, Buffer.from('early '))
        let seen = ''
        client.on('data', (chunk: Buffer) => {
          seen += chunk.toString()
        })
        await until(() => seen === 'welcome EARLY ')
        client.write('later')
        await until(() => seen === 'welcome EARLY LATER')
        client.end()
        await once(client, 'end')
        assert.equal(seen, 'welcome EARLY LATER bye')
        assert.deepEqual(await over, { sentBytes: 23, receivedBytes: 11 })
        await until(() => wire.open === 0)
      }))

    for (const [what, breaks] of [
      ['the service', (service: Socket, _client: Socket) => service.resetAndDestroy()],
      ['the client', (_service: Socket, client: Socket) => client.resetAndDestroy()],
    ] as const) {
      it(`ends both sides when ${what} breaks off`, () => {
        const held: Socket[] = []
        const take = (socket: Socket): void => {
          held.push(socket)
          socket.write(switching)
        }
        return scene(create, take, async ({ wire, service }) => {
          const answer = await wire.send(callOf({ upgrade: 'echo' }), exchangeOf())
          const [client, gatewaySide] = await socketPair()
          client.on('error', () => {})
          const over = answer.tunnel!(gatewaySide, Buffer.alloc(0))
          breaks(held[0], client)
          assert.deepEqual(await over, { sentBytes: 0, receivedBytes: 0 })
          client.resume()
          await until(() => service.open.size === 0 && wire.open === 0 && (client.destroyed || client.readableEnded))
        })
      })
    }

    it('slows the service down to the pace of a client that does not read', () =>
      scene(
        create,
        (socket) => {
          socket.write(switching)
          socket.write(Buffer.alloc(64 << 20))
        },
        async ({ wire, service }) => {
          const answer = await wire.send(callOf({ upgrade: 'echo' }), exchangeOf())
          const [client, gatewaySide] = await socketPair()
          const over = answer.tunnel!(gatewaySide, Buffer.alloc(0))
          await until(() => gatewaySide.writableNeedDrain)
          assert.ok(gatewaySide.writableLength <= 1 << 20, `${gatewaySide.writableLength} bytes wait for the client`)
          let read = 0
          client.on('data', (chunk: Buffer) => {
            read += chunk.length
          })
          await until(() => read === 64 << 20)
          for (const socket of service.open) socket.end()
          client.end()
          assert.equal((await over).sentBytes, 64 << 20)
        },
      ))

    it('ends when no byte has moved for the idle time', () =>
      scene(
        create,
        (socket) => void socket.write(switching),
        async ({ wire, service, clock }) => {
          const answer = await wire.send(callOf({ upgrade: 'echo' }), exchangeOf())
          const [client, gatewaySide] = await socketPair()
          const over = answer.tunnel!(gatewaySide, Buffer.alloc(0))
          clock.advance(9000)
          client.write('still here')
          await until(() => gatewaySide.bytesRead === 10)
          clock.advance(9000)
          assert.equal(wire.open, 1)
          clock.advance(1100)
          assert.deepEqual(await over, { sentBytes: 0, receivedBytes: 10 })
          await until(() => service.open.size === 0)
          client.destroy()
        },
      ))

    it('ends soon after one side has ended and the other one has fallen silent', () =>
      scene(
        create,
        (socket) => {
          socket.write(switching)
          socket.on('end', () => void socket.write('more'))
        },
        async ({ wire, service, clock }) => {
          const answer = await wire.send(callOf({ upgrade: 'echo' }), exchangeOf())
          const [client, gatewaySide] = await socketPair()
          const over = answer.tunnel!(gatewaySide, Buffer.alloc(0))
          let seen = ''
          client.on('data', (chunk: Buffer) => (seen += chunk.toString()))
          client.end()
          await until(() => seen === 'more')
          clock.advance(900)
          assert.equal(wire.open, 1)
          clock.advance(200)
          assert.deepEqual(await over, { sentBytes: 4, receivedBytes: 0 })
          await until(() => service.open.size === 0 && wire.open === 0)
        },
      ))

    it('that the service declines is an ordinary answer', () =>
      scene(
        create,
        (socket) => void socket.write(okay('no')),
        async ({ wire }) => {
          const answer = await wire.send(callOf({ upgrade: 'echo' }), exchangeOf())
          assert.equal(answer.tunnel, undefined)
          assert.equal(await pulled(answer.body), 'no')
        },
      ))

    it('that nobody takes over is ended when its answer is cancelled', () =>
      scene(
        create,
        (socket) => void socket.write(switching),
        async ({ wire, service }) => {
          const answer = await wire.send(callOf({ upgrade: 'echo' }), exchangeOf())
          answer.body.cancel(new Fault('cancelled'))
          await until(() => service.open.size === 0 && wire.open === 0)
        },
      ))
  })
}
