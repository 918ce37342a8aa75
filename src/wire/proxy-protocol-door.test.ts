import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { silentLog } from '../core/log.ts'
import { ManualClock } from '../core/manual-clock.ts'
import type { Labels, Meter } from '../core/meter.ts'
import { Sweeper } from '../core/sweeper.ts'
import type { Peer } from './connection-facts.ts'
import { ProxyDoor } from './proxy-protocol-door.ts'

interface World {
  readonly clock: ManualClock
  readonly door: ProxyDoor
  /** Failures by reason. */
  readonly failures: Record<string, number>
  readonly passed: { readonly socket: Socket; readonly peer: Peer | undefined }[]
  /** A connection of which the door has heard. */
  open(): Promise<Socket>
}

async function world(t: TestContext, isTrusted = true): Promise<World> {
  const clock = new ManualClock()
  const sweeper = new Sweeper(clock)
  const failures: Record<string, number> = {}
  const meter: Meter = {
    counter: (_name, _help, { reason }: Labels = {}) => ({ add: () => void (failures[reason] = (failures[reason] ?? 0) + 1) }),
    gauge: () => ({ add() {} }),
    histogram: () => ({ observe() {} }),
  }
  const door = new ProxyDoor({
    listener: 'web',
    isTrusted: () => isTrusted,
    headerMs: 1000,
    maxPending: 2,
    clock,
    sweeper,
    meter,
    log: silentLog,
  })
  const passed: { socket: Socket; peer: Peer | undefined }[] = []
  const server = createServer({ allowHalfOpen: true })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const clients: Socket[] = []
  t.after(() => {
    for (const { socket } of passed) socket.destroy()
    for (const client of clients) client.destroy()
    sweeper.close()
    server.close()
  })
  const open = async (): Promise<Socket> => {
    const accepting = once(server, 'connection') as Promise<[Socket]>
    const client = connect((server.address() as AddressInfo).port, '127.0.0.1')
    clients.push(client)
    client.on('error', () => {})
    client.resume()
    const [socket] = await accepting
    door.receive(socket, (peer) => void passed.push({ socket, peer }))
    return client
  }
  return { clock, door, failures, passed, open }
}

const closed = (client: Socket): Promise<void> => new Promise((resolve) => void client.once('close', () => resolve()))

test('a header in pieces is waited for, and what is behind it is there for the next reader', async (t) => {
  const w = await world(t)
  const client = await w.open()
  client.setNoDelay(true)
  client.write('PROXY TCP4 203.0.113.9 198.51.1')
  await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual([w.door.pending, w.passed.length], [1, 0])
  client.write('00.2 7 443\r\nhello')
  while (w.passed.length === 0) await new Promise((resolve) => setImmediate(resolve))
  const [{ socket, peer }] = w.passed
  assert.deepEqual(peer, { remoteAddress: '203.0.113.9', remotePort: 7 })
  assert.equal(w.door.pending, 0)
  const [first] = (await once(socket, 'data')) as [Buffer]
  assert.equal(first.toString(), 'hello')
  client.write('more')
  const [second] = (await once(socket, 'data')) as [Buffer]
  assert.equal(second.toString(), 'more')
  // The time for the header is over with it.
  w.clock.advance(5000)
  assert.equal(socket.destroyed, false)
  assert.deepEqual(w.failures, {})
})

test('a header that does not come in time ends the connection', async (t) => {
  const w = await world(t)
  const client = await w.open()
  client.write('PROXY ')
  w.clock.advance(999)
  assert.equal(w.door.pending, 1)
  w.clock.advance(100)
  await closed(client)
  assert.deepEqual([w.failures, w.door.pending], [{ timeout: 1 }, 0])
})

test('no more headers are waited for than may be', async (t) => {
  const w = await world(t)
  await w.open()
  await w.open()
  await closed(await w.open())
  assert.deepEqual([w.failures, w.door.pending], [{ overloaded: 1 }, 2])
})

test('who leaves, ends early or says something else is counted as that', async (t) => {
  const w = await world(t)
  const ended = await w.open()
  ended.end('PROXY TCP4 ')
  await closed(ended)
  const stranger = await w.open()
  stranger.write('GET / HTTP/1.1\r\n\r\n')
  await closed(stranger)
  assert.deepEqual([w.failures, w.passed, w.door.pending], [{ left: 1, malformed: 1 }, [], 0])
})

test('nobody is heard who is not trusted', async (t) => {
  const w = await world(t, false)
  const client = await w.open()
  await closed(client)
  assert.deepEqual([w.failures, w.passed], [{ untrusted: 1 }, []])
})

test('closing the door ends those who wait before it', async (t) => {
  const w = await world(t)
  const client = await w.open()
  w.door.close()
  await closed(client)
  assert.equal(w.door.pending, 0)
})
