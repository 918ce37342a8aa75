import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect as connectPlain } from 'node:net'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect as connectTls } from 'node:tls'
import type { TLSSocket } from 'node:tls'
import { startVelum, workFolder } from '../support/velum-process.ts'

const config = readFileSync(new URL('edge.yaml', import.meta.url), 'utf8')

/** A raw connection, and what becomes of it. */
class Client {
  readonly socket: Socket
  text = ''
  isClosed = false
  readonly closed: Promise<void>

  constructor(t: TestContext, url: string, localAddress?: string) {
    const { hostname, port } = new URL(url)
    const host = hostname.replace(/[[\]]/g, '')
    this.socket = connectPlain({ host, port: Number(port), ...(localAddress === undefined ? {} : { localAddress }) })
    this.socket.on('error', () => {})
    this.socket.on('data', (data: Buffer) => void (this.text += data.toString('latin1')))
    this.closed = new Promise((resolve) => {
      this.socket.once('close', () => {
        this.isClosed = true
        resolve()
      })
    })
    t.after(() => void this.socket.destroy())
  }

  /** Whether a request is answered; false when the connection is closed instead. */
  async isServed(): Promise<boolean> {
    this.text = ''
    this.socket.write('GET /hello HTTP/1.1\r\nHost: a\r\n\r\n')
    while (!this.isClosed && !this.text.includes('hello'))
      await Promise.race([this.closed, once(this.socket, 'data').catch(() => {})])
    return !this.isClosed
  }
}

async function served(clients: readonly Client[]): Promise<Client[]> {
  const answers = await Promise.all(clients.map((client) => client.isServed()))
  return clients.filter((_, i) => answers[i])
}

async function eventually(what: string, look: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 250; tries++) {
    if (await look()) return
    await sleep(20)
  }
  assert.fail(what)
}

/** A TLS 1.2 connection that asks once and goes. */
function shake(
  url: string,
  ca: Buffer,
  resume?: Buffer,
): Promise<{ end: 'full' | 'resumed' | 'closed'; session: Buffer | undefined }> {
  return new Promise((resolve) => {
    const socket: TLSSocket = connectTls({
      host: '127.0.0.1',
      port: Number(new URL(url).port),
      ca,
      servername: 'localhost',
      maxVersion: 'TLSv1.2',
      ...(resume === undefined ? {} : { session: resume }),
    })
    socket.on('error', () => {})
    socket.once('close', () => resolve({ end: 'closed', session: undefined }))
    socket.once('secureConnect', () => void socket.write('GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n'))
    // By then the gateway, too, knows that the handshake is done.
    socket.once('data', () => {
      resolve({ end: socket.isSessionReused() ? 'resumed' : 'full', session: socket.getSession() })
      socket.destroy()
    })
  })
}

test('the edge of listeners over real sockets, on three workers', async (t) => {
  const folder = workFolder(t)
  folder.write('velum.config.yaml', config)
  const velum = startVelum(t, ['run', '--workers', '3'], { folder: folder.path })
  const [line] = await velum.printed(/^\{.*"msg":"the gateway is ready".*\}$/m)
  const { listeners, admin } = JSON.parse(line) as { listeners: Record<string, string>; admin: string }
  const token = readFileSync(join(folder.path, 'store', 'admin.token'), 'utf8').trim()
  const metric = async (name: string, labels: Record<string, string>): Promise<number> => {
    const response = await fetch(new URL('/metrics', admin), { headers: { authorization: `Bearer ${token}` } })
    const pairs = Object.entries(labels).map(([label, value]) => `${label}="${value}"`)
    const start = `${name}{${pairs.join(',')}} `
    const found = (await response.text()).split('\n').find((text) => text.startsWith(start))
    return Number(found?.slice(start.length) ?? 0)
  }
  const refused = (listener: string, reason: string): Promise<number> =>
    metric('velum_connections_refused_total', { listener, reason })
  const ca = readFileSync(join(folder.path, 'store', 'dev-ca.pem'))
  const open = (listener: string, count: number, localAddress?: string): Client[] =>
    Array.from({ length: count }, () => new Client(t, listeners[listener], localAddress))

  await t.test('the 201st connection of an address is closed, whichever workers have the others', async () => {
    const clients = await served(open('counted', 260))
    assert.equal(clients.length, 200)
    assert.equal(await refused('counted', 'connections-per-address'), 60)
    assert.equal((await served(open('counted', 5, '127.0.0.2'))).length, 5, 'another address is not concerned')
    assert.equal((await served(clients)).length, 200, 'who is in stays in')
    for (const client of clients.splice(0, 50)) client.socket.destroy()
    await eventually('the places of those who left are free', async () => {
      clients.push(...(await served(open('counted', 5))))
      return clients.length >= 200
    })
    assert.equal((await served(open('counted', 3))).length, 0)
  })

  await t.test('and before TLS: no byte of a handshake is answered', async () => {
    const idle = open('secure', 200)
    await Promise.all(idle.map((client) => once(client.socket, 'connect')))
    await eventually('the connections are counted', async () => (await metric('velum_connections', { listener: 'secure' })) === 200)
    const client = new Client(t, listeners['secure'])
    // The beginning of a ClientHello, which a server that cared would wait to be completed.
    client.socket.write(Buffer.from([22, 3, 1, 2, 0, 1, 0, 1]))
    await client.closed
    assert.equal(client.text, '')
    assert.equal(await refused('secure', 'connections-per-address'), 1)
    assert.equal(idle.filter(({ isClosed }) => isClosed).length, 0)
    for (const { socket } of idle) socket.destroy()
    await eventually('their places are free', async () => (await metric('velum_connections', { listener: 'secure' })) === 0)
    for (let i = 0; i < 210; i++) assert.equal((await shake(listeners['secure'], ca)).end, 'full')
  })

  await t.test('a flood of handshakes is cut off; resumed ones go on', async () => {
    const url = listeners['handshakes']
    const { end, session } = await shake(url, ca)
    assert.equal(end, 'full')
    for (let i = 0; i < 30; i++) assert.equal((await shake(url, ca, session)).end, 'resumed')
    const flood = await Promise.all(Array.from({ length: 40 }, () => shake(url, ca)))
    assert.equal(flood.filter((one) => one.end === 'full').length, 9)
    assert.equal(flood.filter((one) => one.end === 'closed').length, 31)
    assert.equal(await refused('handshakes', 'handshake-rate'), 31)
  })

  await t.test('a flood of connections is cut off', async () => {
    assert.equal((await served(open('rated', 50))).length, 20)
    assert.equal(await refused('rated', 'connection-rate'), 30)
  })

  await t.test('behind a proxy that says whom it stands for, it is they who are counted', async () => {
    for (const address of ['203.0.113.5', '203.0.113.6']) {
      const clients = open('behind', 10)
      for (const { socket } of clients) socket.write(`PROXY TCP4 ${address} 192.0.2.1 40000 80\r\n`)
      assert.equal((await served(clients)).length, 6)
    }
    assert.equal(await refused('behind', 'connections-per-address'), 8)
  })

  await t.test('an IPv6 client is bounded by its /64', async (sub) => {
    const first = open('wide', 1)
    if ((await served(first)).length === 0) {
      sub.skip('this machine has no IPv6 loopback')
      return
    }
    assert.equal((await served(open('wide', 20))).length, 5)
  })

  await t.test('hundreds of connections that are cut at once give all their places back', async () => {
    const own = '127.0.0.3'
    const before = await served(open('counted', 200, own))
    assert.equal(before.length, 200)
    assert.equal((await served(open('counted', 1, own))).length, 0)
    for (const client of before) client.socket.resetAndDestroy()
    await eventually('all places are free', async () => {
      const again = await served(open('counted', 200, own))
      for (const client of again) client.socket.destroy()
      return again.length === 200
    })
  })
})
