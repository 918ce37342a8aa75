import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { request as requestHttp1 } from 'node:http'
import { connect as connectHttp2 } from 'node:http2'
import { connect } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { createServer } from 'node:net'
import type { Duplex } from 'node:stream'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { connect as connectTls } from 'node:tls'
import { RawClient } from '../support/raw-client.ts'
import { okay, startRawService } from '../support/raw-service.ts'
import { readyListeners, startVelum, workFolder } from '../support/velum-process.ts'

const config = readFileSync(new URL('proxy-protocol.yaml', import.meta.url), 'utf8')
const client = '203.0.113.9'
const textHeader = Buffer.from(`PROXY TCP4 ${client} 198.51.100.2 33333 443\r\n`)
const signature = '0d0a0d0a000d0a515549540a'
/** Version 2 from 203.0.113.9, with a field of no meaning here. */
const binaryHeader = Buffer.from(`${signature}2111000fcb007109c6336402823501bbea0000`, 'hex')
const localHeader = Buffer.from(`${signature}20000000`, 'hex')
const headers = { 'version 1': textHeader, 'version 2': binaryHeader } as const

/** The gateway in front of a service that answers with what it was told of the client. */
async function start(t: TestContext): Promise<Record<'plain' | 'node' | 'bounded' | 'tls', number>> {
  const service = await startRawService((socket, { head }) => {
    socket.write(okay(/^x-forwarded-for: (.*)\r$/im.exec(head)?.[1] ?? 'nobody'))
  })
  t.after(() => service.close())
  const folder = workFolder(t)
  folder.write('velum.config.yaml', config)
  const velum = startVelum(t, ['run', '--workers', '1'], {
    folder: folder.path,
    env: { WHOAMI: `http://127.0.0.1:${service.port}` },
  })
  const urls = await readyListeners(velum)
  const port = (name: string): number => Number(new URL(urls[name]).port)
  return { plain: port('plain'), node: port('node'), bounded: port('bounded'), tls: port('tls') }
}

/** A connection that has begun with `header`. */
async function begun(port: number, header: Buffer, localAddress = '127.0.0.1'): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', localAddress })
  socket.on('error', () => {})
  await once(socket, 'connect')
  socket.write(header)
  return socket
}

async function secured(socket: Socket, protocol: string): Promise<Duplex> {
  const tls = connectTls({ socket, ALPNProtocols: [protocol], rejectUnauthorized: false, servername: 'localhost' })
  await once(tls, 'secureConnect')
  return tls
}

/** Who the service says that the client is. A forwarding field of the client's own must not count. */
async function askHttp1(socket: Duplex): Promise<string> {
  const sent = requestHttp1({
    path: '/whoami',
    headers: { host: 'a.example', 'x-forwarded-for': '198.51.100.77' },
    createConnection: () => socket,
  })
  sent.end()
  const [response] = (await once(sent, 'response')) as [NodeJS.ReadableStream]
  let text = ''
  for await (const chunk of response) text += String(chunk)
  socket.destroy()
  return text
}

async function askHttp2(socket: Duplex): Promise<string> {
  const session = connectHttp2('http://a.example', { createConnection: () => socket })
  const stream = session.request({ ':path': '/whoami', 'x-forwarded-for': '198.51.100.77' })
  let text = ''
  for await (const chunk of stream.setEncoding('utf8')) text += String(chunk)
  session.destroy()
  return text
}

test('a listener behind proxies of the fourth layer', { timeout: 60_000 }, async (t) => {
  const ports = await start(t)
  for (const [version, header] of Object.entries(headers)) {
    const said = async (port: number): Promise<Socket> => begun(port, header)
    await t.test(`the client is whom ${version} names, whatever is spoken behind it`, async () => {
      assert.equal(await askHttp1(await said(ports.plain)), client)
      assert.equal(await askHttp2(await said(ports.plain)), client)
      assert.equal(await askHttp1(await said(ports.node)), client)
      assert.equal(await askHttp1(await secured(await said(ports.tls), 'http/1.1')), client)
      assert.equal(await askHttp2(await secured(await said(ports.tls), 'h2')), client)
    })

    await t.test(`${version} may come in pieces, and with the request in one packet`, async () => {
      const asked = Buffer.from('GET /whoami HTTP/1.1\r\nHost: a.example\r\n\r\n')
      const all = Buffer.concat([header, asked]).toString('latin1')
      for (const at of [0, 1, 5, 12, 16, 20, header.length - 1, header.length, header.length + 3, all.length]) {
        const raw = await RawClient.to(ports.plain)
        await raw.sendSplit(all, at)
        assert.equal((await raw.answer())?.content, client, `split at ${at}`)
        raw.close()
      }
    })
  }

  await t.test('a header of the proxy itself leaves the address as it is', async () => {
    assert.equal(await askHttp1(await begun(ports.plain, localHeader)), '198.51.100.77, 127.0.0.1')
    const unknown = Buffer.from('PROXY UNKNOWN\r\n')
    assert.equal(await askHttp1(await secured(await begun(ports.tls, unknown), 'http/1.1')), '198.51.100.77, 127.0.0.1')
  })

  const wrong: Record<string, string> = {
    'none at all': 'GET /whoami HTTP/1.1\r\nHost: a.example\r\n\r\n',
    'HTTP/2 at once': 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    'a malformed one': 'PROXY TCP4 203.0.113.9 198.51.100.2 33333\r\nGET /whoami HTTP/1.1\r\nHost: a.example\r\n\r\n',
    'a second one': `${textHeader.toString()}${textHeader.toString()}`,
    'one that never ends': 'PROXY TCP4 203.0.113.9 ',
    'no byte': '',
  }
  for (const [what, text] of Object.entries(wrong)) {
    await t.test(`a connection with ${what} gets no answer of ours to a request`, async () => {
      const raw = await RawClient.to(ports.plain)
      if (text !== '') raw.send(text)
      await raw.ended()
      assert.doesNotMatch(raw.received, /HTTP\/1.1 200/)
      if (what !== 'a second one') assert.equal(raw.received, '')
      raw.close()
    })
  }

  await t.test('the bounds of the edge count whom the header names', async () => {
    const asked = 'GET /whoami HTTP/1.1\r\nHost: a.example\r\n\r\n'
    const opened: RawClient[] = []
    const answered = async (address: string): Promise<number | undefined> => {
      const raw = await RawClient.to(ports.bounded)
      opened.push(raw)
      raw.send(`PROXY TCP4 ${address} 198.51.100.2 33333 443\r\n${asked}`)
      return (await raw.answer())?.status
    }
    const statuses: (number | undefined)[] = []
    for (const address of [client, client, client, '203.0.113.10']) statuses.push(await answered(address))
    assert.deepEqual(statuses, [200, 200, undefined, 200])
    for (const raw of opened) raw.close()
  })

  await t.test('TLS without a header is closed', async () => {
    const tls = connectTls({ port: ports.tls, host: '127.0.0.1', rejectUnauthorized: false })
    tls.on('secureConnect', () => assert.fail('it was let in'))
    await once(tls, 'error')
  })

  await t.test('whoever is no trusted proxy is closed, whatever he says', async () => {
    const socket = await begun(ports.plain, textHeader, '127.0.0.2')
    socket.resume()
    await new Promise((resolve) => void socket.once('close', resolve))
    assert.equal(socket.bytesRead, 0)
  })
})

function hasHaproxy(): boolean {
  try {
    return execFileSync('haproxy', ['-v'], { encoding: 'utf8' }).includes('HAProxy')
  } catch {
    return false
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

test('HAProxy in front', { skip: hasHaproxy() ? false : 'there is no haproxy on this machine', timeout: 60_000 }, async (t) => {
  const ports = await start(t)
  const folder = workFolder(t)
  const ways = {
    'send-proxy': ports.plain,
    'send-proxy-v2': ports.plain,
    'send-proxy-v2 proxy-v2-options crc32c,unique-id': ports.plain,
    'send-proxy-v2 proxy-v2-options crc32c': ports.tls,
  }
  const fronts = await Promise.all(Object.entries(ways).map(async ([way, to]) => ({ way, to, port: await freePort() })))
  const sections = fronts.map(
    ({ way, to, port }, i) =>
      `frontend f${i}\n  bind 127.0.0.1:${port}\n  unique-id-format %[uuid()]\n  default_backend b${i}\n` +
      `backend b${i}\n  server s 127.0.0.1:${to} ${way}\n`,
  )
  const defaults = 'defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 10s\n  timeout server 10s\n'
  const file = folder.write('haproxy.cfg', `${defaults}${sections.join('')}`)
  const haproxy = spawn('haproxy', ['-db', '-f', file], { stdio: 'ignore' })
  t.after(() => void haproxy.kill('SIGKILL'))
  const connected = async (port: number): Promise<Socket> => {
    for (;;) {
      const socket = connect({ port, host: '127.0.0.1', localAddress: '127.0.0.7' })
      const isOpen = await new Promise<boolean>((resolve) => {
        socket.once('connect', () => resolve(true))
        socket.once('error', () => resolve(false))
      })
      if (isOpen) return socket
      assert.equal(haproxy.exitCode, null, 'haproxy has ended')
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
  for (const { way, to, port } of fronts) {
    await t.test(way, async () => {
      const isTls = to === ports.tls
      for (const [ask, protocol] of [
        [askHttp1, 'http/1.1'],
        [askHttp2, 'h2'],
      ] as const) {
        const socket = await connected(port)
        assert.equal(await ask(isTls ? await secured(socket, protocol) : socket), '127.0.0.7')
      }
    })
  }
})
