import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { connect as connectTcp, createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { connect } from 'node:tls'
import type { ConnectionOptions, TLSSocket } from 'node:tls'
import { systemClock } from '../../core/clock.ts'
import { Sweeper } from '../../core/sweeper.ts'
import { parseCertificate } from './certificate.ts'
import { WaitingMeter } from '../../../test/support/waiting-meter.ts'
import { ensureDevCertificate } from './dev-certificate.ts'
import { createTlsTerminator } from './terminator.ts'
import type { TlsTerminator } from './terminator.ts'
import type { CertificateMaterial, TlsMaterial } from './tls-spec.ts'

interface Running {
  readonly terminator: TlsTerminator
  readonly meter: WaitingMeter
  readonly port: number
  readonly server: Server
  readonly accepted: Socket[]
}

let folder: string
let sweeper: Sweeper
let authorities: string[]
let first: CertificateMaterial
let second: CertificateMaterial
let running: Running[]
let clients: (Socket | TLSSocket)[]

async function mint(name: string, names: string[]): Promise<CertificateMaterial> {
  const dev = await ensureDevCertificate(join(folder, name), names, systemClock)
  authorities.push(await readFile(dev.authorityPath, 'utf8'))
  return parseCertificate(dev.cert, dev.key, names, name)
}

async function start(material: TlsMaterial, ticketKeys: Uint8Array = Buffer.alloc(48, 7), handshakeMs = 10_000): Promise<Running> {
  const meter = new WaitingMeter()
  const accepted: Socket[] = []
  const terminator = createTlsTerminator({
    listener: 'api',
    material,
    ticketKeys,
    protocols: ['h2', 'http/1.1'],
    handshakeMs,
    clock: systemClock,
    sweeper,
    meter,
    secured: (socket) => {
      socket.on('error', () => undefined)
      socket.on('data', (bytes) => socket.write(bytes))
    },
  })
  // As listeners accept: half-open.
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    accepted.push(socket)
    terminator.accept(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const started = { terminator, meter, port: (server.address() as AddressInfo).port, server, accepted }
  running.push(started)
  return started
}

/** A client that trusts our authorities and checks the name it asked for. */
async function dial(port: number, servername: string | undefined, more: ConnectionOptions = {}): Promise<TLSSocket> {
  const socket = connect({
    port,
    host: '127.0.0.1',
    ca: authorities,
    ...(servername === undefined ? { checkServerIdentity: () => undefined } : { servername }),
    ...more,
  })
  clients.push(socket)
  await once(socket, 'secureConnect')
  return socket
}

/** A client that has not begun a handshake. */
function dialPlain(port: number): Socket {
  const socket = connectTcp({ port, host: '127.0.0.1', noDelay: true })
  clients.push(socket)
  return socket.on('error', () => undefined)
}

/** As a socket looks whose client has reset the connection. */
function loseAddress(socket: Socket): void {
  Object.defineProperty(socket, 'remoteAddress', { value: undefined })
}

const fingerprintOf = (socket: TLSSocket): string => socket.getPeerCertificate().fingerprint256.replaceAll(':', '').toLowerCase()

async function echo(socket: TLSSocket, text: string): Promise<string> {
  socket.write(text)
  const [bytes] = (await once(socket, 'data')) as [Buffer]
  return bytes.toString()
}

async function sessionFrom(port: number, name: string, options: ConnectionOptions = {}): Promise<Buffer> {
  const socket = connect({ port, host: '127.0.0.1', ca: authorities, servername: name, ...options })
  clients.push(socket)
  const [session] = (await once(socket, 'session')) as [Buffer]
  return session
}

/** The first bytes of a client that asks for `name`. */
async function helloOf(name: string): Promise<Buffer> {
  const listener = createServer()
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const client = connect({ port: (listener.address() as AddressInfo).port, host: '127.0.0.1', servername: name })
  client.on('error', () => undefined)
  const [socket] = (await once(listener, 'connection')) as [Socket]
  const [bytes] = (await once(socket, 'data')) as [Buffer]
  client.destroy()
  socket.destroy()
  listener.close()
  return bytes
}

const serves = (server: Running, name: string | undefined, authority: string): boolean => server.terminator.serves(name, authority)

const of = (...certificates: CertificateMaterial[]): TlsMaterial => ({ minVersion: 'TLSv1.2', certificates })

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'velum-tls-'))
  authorities = []
  first = await mint('first', ['a.test', '*.a.test'])
  second = await mint('second', ['b.test'])
})
after(() => rm(folder, { recursive: true }))
beforeEach(() => {
  sweeper = new Sweeper(systemClock, 10)
  running = []
  clients = []
})
afterEach(async () => {
  sweeper.close()
  for (const client of clients) client.destroy()
  for (const { server, accepted } of running) {
    for (const socket of accepted) socket.destroy()
    server.close()
    await once(server, 'close')
  }
})

describe('a TLS terminator', () => {
  it('chooses the certificate by the name asked for', async () => {
    const { port } = await start(of(first, second))
    assert.equal(fingerprintOf(await dial(port, 'a.test')), first.fingerprint)
    assert.equal(fingerprintOf(await dial(port, 'x.a.test')), first.fingerprint)
    assert.equal(fingerprintOf(await dial(port, 'b.test')), second.fingerprint)
    assert.equal(fingerprintOf(await dial(port, 'B.TEST')), second.fingerprint)
  })

  it('gives the default to a client that names nobody, or a stranger', async () => {
    const { port } = await start(of(first, second))
    assert.equal(fingerprintOf(await dial(port, undefined)), first.fingerprint)
    const stranger = await dial(port, 'stranger.test', { checkServerIdentity: () => undefined })
    assert.equal(fingerprintOf(stranger), first.fingerprint)
  })

  it('speaks TLS 1.3, and 1.2 with forward secrecy and AEAD only', async () => {
    const { port } = await start(of(first))
    assert.equal((await dial(port, 'a.test')).getProtocol(), 'TLSv1.3')
    const older = await dial(port, 'a.test', { maxVersion: 'TLSv1.2' })
    assert.equal(older.getProtocol(), 'TLSv1.2')
    assert.match(older.getCipher().name, /^ECDHE-ECDSA-(AES|CHACHA).*(GCM|POLY1305)/)
  })

  it('refuses and counts clients that know only weak suites or old versions', async () => {
    const { port, meter } = await start(of(first))
    const weak: ConnectionOptions[] = [
      { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-SHA:AES128-GCM-SHA256' },
      { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' },
    ]
    for (const options of weak) await assert.rejects(dial(port, 'a.test', options), /alert|protocol|handshake/i)
    await meter.until('no-agreement', 2)
    const strict = await start({ ...of(first), minVersion: 'TLSv1.3' })
    await assert.rejects(dial(strict.port, 'a.test', { maxVersion: 'TLSv1.2' }))
  })

  it('agrees on http/1.1 by ALPN and refuses a client that wants only something else', async () => {
    const { port, meter } = await start(of(first))
    assert.equal((await dial(port, 'a.test', { ALPNProtocols: ['h3', 'http/1.1'] })).alpnProtocol, 'http/1.1')
    assert.equal((await dial(port, 'a.test')).alpnProtocol, false)
    await assert.rejects(dial(port, 'a.test', { ALPNProtocols: ['smtp'] }))
    await meter.until('no-agreement', 1)
  })

  it('fails every handshake while there is no certificate yet, and none once there is', async () => {
    const { port, terminator, meter } = await start(of())
    for (const maxVersion of ['TLSv1.3', 'TLSv1.2'] as const) await assert.rejects(dial(port, 'a.test', { maxVersion }), /alert/i)
    await meter.until('no-agreement', 2)
    assert.ok(terminator.serves('a.test', 'b.test'))
    terminator.update(of(first))
    assert.equal(fingerprintOf(await dial(port, 'a.test')), first.fingerprint)
  })

  it('gives new certificates to new handshakes and leaves open connections alone', async () => {
    const { port, terminator } = await start(of(first))
    const open = await dial(port, 'a.test')
    const newer = await mint('newer', ['a.test'])
    terminator.update(of(newer, second))
    assert.equal(fingerprintOf(await dial(port, 'a.test')), newer.fingerprint)
    assert.equal(fingerprintOf(await dial(port, 'b.test')), second.fingerprint)
    assert.equal(fingerprintOf(await dial(port, undefined)), newer.fingerprint)
    assert.equal(await echo(open, 'still here'), 'still here')
    assert.equal(fingerprintOf(open), first.fingerprint)
  })

  it('keeps what it has when an update is unusable', async () => {
    const { port, terminator } = await start(of(first))
    assert.throws(() => terminator.update(of({ ...first, key: second.key })))
    assert.throws(() => terminator.update(of(second, { ...first, cert: 'nonsense' })))
    assert.equal(fingerprintOf(await dial(port, 'a.test')), first.fingerprint)
    assert.equal(fingerprintOf(await dial(port, 'b.test', { checkServerIdentity: () => undefined })), first.fingerprint)
  })

  it('counts what breaks a handshake and serves on', async () => {
    const { port, meter, terminator } = await start(of(first))
    const plain = dialPlain(port)
    plain.write('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n')
    const [told] = (await once(plain, 'data')) as [Buffer]
    assert.match(told.toString(), /^HTTP\/1\.1 400 Bad Request\r\n[^]*Connection: close\r\n\r\n\{[^]*use https:\/\/"\}$/)
    await once(plain, 'close')
    await meter.until('not-tls', 1)
    const gone = connectTcp(port, '127.0.0.1')
    await once(gone, 'connect')
    gone.resetAndDestroy()
    await meter.until('left', 1)
    await assert.rejects(dial(port, 'a.test', { ca: [] }), /self-signed|unable to/)
    const socket = await dial(port, 'a.test')
    assert.equal(await echo(socket, 'fine'), 'fine')
    assert.equal(terminator.pending, 0)
  })

  it('lets go at once of a client that leaves in the middle, also by a half-closed connection', async () => {
    const { port, meter, terminator } = await start(of(first))
    for (const hello of [Buffer.alloc(0), Buffer.from([22, 3, 1, 2, 0, 1, 0, 1])]) {
      const earlier = meter.counts.get('left') ?? 0
      const socket = connectTcp({ host: '127.0.0.1', port, allowHalfOpen: true })
      await once(socket, 'connect')
      socket.end(hello)
      await once(socket, 'close')
      await meter.until('left', earlier + 1)
    }
    assert.equal(terminator.pending, 0)
    const socket = await dial(port, 'a.test')
    socket.end('the last words')
    assert.equal(String((await once(socket, 'data'))[0]), 'the last words', 'after the handshake the other side stays open')
  })

  it('closes a connection that does not finish its handshake in time', async () => {
    const { port, meter, terminator } = await start(of(first), Buffer.alloc(48), 30)
    const idle = dialPlain(port)
    await once(idle, 'close')
    await meter.until('timeout', 1)
    assert.equal(terminator.pending, 0)
  })

  it('makes nothing of TLS before a whole hello has come, in however many pieces', async () => {
    const { port, meter, terminator } = await start(of(first))
    const hello = await helloOf('a.test')
    const slow = dialPlain(port)
    const answered = once(slow, 'data')
    let at = 0
    for (const end of [1, 5, 9, hello.length - 1]) {
      slow.write(hello.subarray(at, end))
      at = end
      // Served meanwhile, so what was written has been read.
      assert.equal(await echo(await dial(port, 'a.test'), 'others'), 'others')
      assert.equal(slow.bytesRead, 0)
    }
    slow.write(hello.subarray(at))
    const [bytes] = (await answered) as [Buffer]
    assert.equal(bytes[0], 22, 'a ServerHello')
    assert.equal(terminator.pending, 1)
    slow.destroy()
    await meter.until('left', 1)
    assert.equal(terminator.pending, 0)
  })

  it('gives a whole handshake its time, not each piece of it', async () => {
    const { port, meter, terminator } = await start(of(first), Buffer.alloc(48), 200)
    const slow = dialPlain(port)
    slow.write(await helloOf('a.test'))
    await once(slow, 'data')
    // The header of a record of 64 bytes, and then one more whenever the last one was sent: never silent for long.
    slow.write(Buffer.from([23, 3, 3, 0, 64]))
    const drip = setInterval(() => slow.write(Buffer.alloc(1)), 10)
    await new Promise((closed) => slow.once('close', closed))
    clearInterval(drip)
    await meter.until('timeout', 1)
    assert.equal(terminator.pending, 0)
  })

  it('begins nothing for connections that were reset before their turn, and forgets them', async () => {
    const { port, meter, terminator, server } = await start(of(first), Buffer.alloc(48), 50)
    server.prependListener('connection', loseAddress)
    const hello = await helloOf('a.test')
    for (let i = 0; i < 3; i++) dialPlain(port).write(hello)
    await meter.until('left', 3)
    assert.equal(terminator.pending, 0)
    server.off('connection', loseAddress)
    assert.equal(await echo(await dial(port, 'a.test'), 'others'), 'others')
    assert.equal(meter.counts.get('timeout'), undefined)
  })

  it('hands nothing over once it is closed', async () => {
    const { port, terminator } = await start(of(first))
    const waiting = dialPlain(port)
    await once(waiting, 'connect')
    const earlier = await dial(port, 'a.test')
    assert.equal(await echo(earlier, 'is here'), 'is here')
    terminator.close()
    await once(waiting.resume(), 'close')
    assert.equal(await echo(earlier, 'stays'), 'stays')
    const socket = await dial(port, 'a.test')
    socket.on('error', () => undefined)
    await once(socket.resume(), 'close')
  })
})

describe('session tickets', () => {
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    it(`of one server are good at another that has its keys (${maxVersion})`, async () => {
      const keys = Buffer.alloc(48, 42)
      const one = await start(of(second, first), keys)
      const other = await start(of(second, first), keys)
      const session = await sessionFrom(one.port, 'a.test', { maxVersion })
      const resumed = await dial(other.port, 'a.test', { maxVersion, session })
      assert.ok(resumed.isSessionReused())
      await other.meter.until('resumed yes', 1)
    })

    it(`survive a change of certificates and end with their keys (${maxVersion})`, async () => {
      const { port, terminator } = await start(of(first), Buffer.alloc(48, 1))
      const session = await sessionFrom(port, 'a.test', { maxVersion })
      terminator.update(of(first, second))
      assert.ok((await dial(port, 'a.test', { maxVersion, session })).isSessionReused())
      terminator.setTicketKeys(Buffer.alloc(48, 2))
      assert.ok(!(await dial(port, 'a.test', { maxVersion, session })).isSessionReused())
      terminator.update(of(first, second))
      const newer = await sessionFrom(port, 'a.test', { maxVersion })
      assert.ok((await dial(port, 'a.test', { maxVersion, session: newer })).isSessionReused())
    })
  }

  it('of a server with other keys mean a full handshake', async () => {
    const one = await start(of(first), Buffer.alloc(48, 1))
    const other = await start(of(first), Buffer.alloc(48, 2))
    const session = await sessionFrom(one.port, 'a.test')
    assert.ok(!(await dial(other.port, 'a.test', { session })).isSessionReused())
  })
})

describe('a request on a TLS connection', () => {
  it('is misdirected when another certificate is the one for its host', async () => {
    const server = await start(of(first, second))
    assert.ok(serves(server, 'a.test', 'a.test'))
    assert.ok(serves(server, 'a.test', 'a.test:8443'))
    assert.ok(serves(server, 'A.test', 'a.test:8443'))
    assert.ok(serves(server, 'a.test', 'x.a.test'))
    assert.ok(!serves(server, 'a.test', 'b.test'))
    assert.ok(!serves(server, 'b.test', 'a.test:8443'))
    assert.ok(!serves(server, 'b.test', 'x.a.test.'))
  })

  it('is not when its host has the same certificate, be it as the default', async () => {
    const server = await start(of(first, second))
    assert.ok(serves(server, 'a.test', 'stranger.test'))
    assert.ok(serves(server, 'stranger.test', 'a.test'))
    assert.ok(!serves(server, 'stranger.test', 'b.test'))
    assert.ok(!serves(server, 'b.test', 'stranger.test'))
  })

  it('is not when the connection asked for no name, or there is but one certificate', async () => {
    const two = await start(of(first, second))
    assert.ok(serves(two, undefined, 'b.test'))
    const one = await start(of(first))
    assert.ok(serves(one, 'a.test', 'b.test'))
  })

  it('is not when a client reuses a connection whose certificate is good for the host as well', async () => {
    const both = await mint('both', ['a.test', 'c.test'])
    const server = await start(of(both, { ...second, names: ['c.test'] }))
    assert.ok(serves(server, 'a.test', 'c.test'))
    const other = await start(of({ ...second, names: ['c.test'] }, both))
    assert.ok(serves(other, 'a.test', 'c.test'))
    assert.ok(!serves(other, 'c.test', 'a.test'))
  })
})
