import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect as connectHttp2, createSecureServer } from 'node:http2'
import { createServer as createHttpsServer, request } from 'node:https'
import type { AddressInfo, Server } from 'node:net'
import { test } from 'node:test'
import { connect } from 'node:tls'
import type { ConnectionOptions, TLSSocket } from 'node:tls'
import { createTestAuthority } from '../support/authority.ts'
import type { Pair } from '../support/authority.ts'
import { readyListeners, startVelum, workFolder } from '../support/velum-process.ts'

const config = readFileSync(new URL('certificates.yaml', import.meta.url), 'utf8')

async function portOf(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

const subjectOf = (socket: unknown): string => String((socket as TLSSocket).getPeerCertificate().subject?.CN)

test('certificates of clients, and of the gateway towards services', { timeout: 120_000 }, async (t) => {
  const folder = workFolder(t)
  const authority = await createTestAuthority('ours')
  const strangers = await createTestAuthority('strangers')
  const server = await authority.issue('server')
  const inner = await authority.issue('inner.internal')
  const gateway = await authority.issue('gateway')
  const good = await authority.issue('ada')
  const stranger = await strangers.issue('ada')
  folder.write('ca.pem', authority.cert)
  for (const [name, pair] of Object.entries({ server, gateway })) {
    folder.write(`${name}.pem`, pair.cert)
    folder.write(`${name}.key`, pair.key)
  }
  const asking = { ...inner, ca: authority.cert, requestCert: true, rejectUnauthorized: true }
  const innerServer = createSecureServer(asking, (req, res) =>
    res.end(`${req.httpVersion} ${subjectOf(req.stream.session?.socket)}`),
  )
  innerServer.on('sessionError', () => {})
  const inner1Server = createHttpsServer(asking, (req, res) => res.end(`${req.httpVersion} ${subjectOf(req.socket)}`))
  t.after(() => {
    innerServer.close()
    inner1Server.close()
    inner1Server.closeAllConnections()
  })
  const velum = startVelum(t, ['run', '--config', folder.write('velum.yaml', config), '--workers', '2'], {
    folder: folder.path,
    env: {
      INNER: `https://127.0.0.1:${await portOf(innerServer)}`,
      INNER1: `https://127.0.0.1:${await portOf(inner1Server)}`,
    },
  })
  const listeners = await readyListeners(velum)

  /** The status and text over HTTP/2; the error's code when there was no answer. */
  const ask = (listener: string, path: string, own?: Pair): Promise<string> =>
    new Promise((resolve) => {
      const session = connectHttp2(listeners[listener], { ca: authority.cert, ...own })
      const done = (text: string): void => {
        session.destroy()
        resolve(text)
      }
      session.on('error', () => done('refused'))
      const stream = session.request({ ':path': path })
      let status = ''
      let text = ''
      stream.on('response', (headers) => void (status = String(headers[':status'])))
      stream.on('data', (chunk: Buffer) => void (text += chunk.toString()))
      stream.on('error', () => {})
      // A refusal of TLS 1.3 comes behind the handshake; node:http2 tells the stream of it, not always the session.
      stream.on('close', () => done(status === '' ? 'refused' : `${status} ${text}`))
    })

  const ask1 = (listener: string, own?: Pair): Promise<string> =>
    new Promise((resolve) => {
      const sent = request(`${listeners[listener]}/here`, { ca: authority.cert, agent: false, ...own }, (response) => {
        response.resume()
        resolve(String(response.statusCode))
      })
      sent.on('error', () => resolve('refused'))
      sent.end()
    })

  await t.test('nobody is asked where nobody need be', async () => {
    assert.equal(await ask('open', '/here'), '200 here')
    assert.equal(await ask('open', '/here', stranger), '200 here')
  })

  await t.test('required: nobody connects without a good one', async () => {
    assert.equal(await ask('required', '/here', good), '200 here')
    assert.equal(await ask('required', '/here'), 'refused')
    assert.equal(await ask('required', '/here', stranger), 'refused')
    assert.deepEqual(
      [await ask1('required', good), await ask1('required'), await ask1('required', stranger)],
      ['200', 'refused', 'refused'],
    )
  })

  await t.test('optional: none is no harm, a bad one is', async () => {
    assert.equal(await ask('optional', '/here', good), '200 here')
    assert.equal(await ask('optional', '/here'), '200 here')
    assert.equal(await ask('optional', '/here', stranger), 'refused')
    assert.deepEqual(
      [await ask1('optional', good), await ask1('optional'), await ask1('optional', stranger)],
      ['200', '200', 'refused'],
    )
  })

  await t.test('a service sees the gateway by its certificate, over both versions', async () => {
    assert.equal(await ask('open', '/inner'), '200 2.0 gateway')
    assert.equal(await ask('open', '/inner1'), '200 1.1 gateway')
  })

  await t.test('a service that is not who it should be, or does not trust us, is never spoken to', async () => {
    for (const path of ['/nameless', '/misnamed', '/untrusted']) assert.match(await ask('open', path), /^50[23] /, path)
  })

  /** A handshake over TLS 1.2 or 1.3 with these protocols, until its session can be used again. */
  const handshake = async (listener: string, more: ConnectionOptions): Promise<{ socket: TLSSocket; session: Buffer }> => {
    const { port } = new URL(listeners[listener])
    const socket = connect({ host: '127.0.0.1', port: Number(port), ca: authority.cert, ...more })
    socket.on('error', () => {})
    // The ticket is read like everything else.
    socket.resume()
    const session: Promise<Buffer[]> = once(socket, 'session')
    session.catch(() => {})
    await once(socket, 'secureConnect')
    // A connection that resumed need not get another one.
    return { socket, session: more.session ?? (await session)[0] }
  }

  await t.test('HTTP/2 by ALPN resumes on every worker; http2: false does not offer it', async () => {
    const both = { ALPNProtocols: ['h2', 'http/1.1'] }
    const first = await handshake('open', both)
    assert.equal(first.socket.alpnProtocol, 'h2')
    first.socket.destroy()
    for (let i = 0; i < 8; i++) {
      const again = await handshake('open', { ...both, session: first.session })
      assert.deepEqual([again.socket.isSessionReused(), again.socket.alpnProtocol], [true, 'h2'])
      again.socket.destroy()
    }
    const old = await handshake('old', both)
    assert.equal(old.socket.alpnProtocol, 'http/1.1')
    old.socket.destroy()
  })

  await t.test('a session resumes with its certificate, and not where other rules hold', async () => {
    const own = { ALPNProtocols: ['h2'], ...good }
    const first = await handshake('required', own)
    first.socket.destroy()
    const again = await handshake('required', { ...own, session: first.session })
    assert.equal(again.socket.isSessionReused(), true)
    again.socket.destroy()
    const open = await handshake('open', { ALPNProtocols: ['h2'] })
    open.socket.destroy()
    const elsewhere = connect({
      host: '127.0.0.1',
      port: Number(new URL(listeners['required']).port),
      ca: authority.cert,
      ALPNProtocols: ['h2'],
      session: open.session,
    })
    elsewhere.on('error', () => {})
    elsewhere.resume()
    await new Promise((resolve) => void elsewhere.on('close', resolve))
    assert.notEqual(elsewhere.isSessionReused(), true)
  })
})
