import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { createSecureContext, createServer } from 'node:tls'
import type { SecureContext, Server, TLSSocket } from 'node:tls'
import { systemClock } from '../../src/core/clock.ts'
import { Sweeper } from '../../src/core/sweeper.ts'
import type { ClientWire } from '../../src/wire/client-wire.ts'
import { createHttp1Client } from '../../src/wire/http1/pool.ts'
import { createUndiciClient } from '../../src/wire/node/client-undici.ts'
import { ensureDevCertificate } from '../../src/wire/tls/dev-certificate.ts'
import type { CreateClientWire } from '../support/client-wires.ts'
import { callOf, isFault, pulled, streamOf, wireOptions } from '../support/client-wires.ts'
import { exchangeOf } from '../support/exchange.ts'
import { okay } from '../support/raw-service.ts'

const wires: [string, CreateClientWire][] = [
  ['our HTTP/1.1 client', createHttp1Client],
  ['undici as a client wire', createUndiciClient],
]

for (const [name, create] of wires) {
  describe(`${name} over TLS`, () => {
    let folder = ''
    let server: Server
    let trusting: SecureContext
    const seen: { serverName: string | false | null; alpn: string | false | null; isReused: boolean }[] = []

    before(async () => {
      folder = await mkdtemp(join(tmpdir(), 'velum-client-tls-'))
      const { cert, key, authorityPath } = await ensureDevCertificate(folder, ['orders.internal'], systemClock)
      trusting = createSecureContext({ ca: await readFile(authorityPath, 'utf8') })
      server = createServer({ cert, key, ALPNProtocols: ['h2', 'http/1.1'] }, (socket: TLSSocket) => {
        seen.push({ serverName: socket.servername, alpn: socket.alpnProtocol, isReused: socket.isSessionReused() })
        socket.on('error', () => {})
        socket.on('data', () => void socket.write(okay('secret', 'Connection: close\r\n')))
      })
      server.on('tlsClientError', () => {})
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
    })

    after(async () => {
      server.close()
      await rm(folder, { recursive: true, force: true })
    })

    const use = async (
      serverName: string,
      context: SecureContext | undefined,
      run: (wire: ClientWire) => Promise<void>,
    ): Promise<void> => {
      const { port } = server.address() as { port: number }
      const sweeper = new Sweeper(systemClock)
      const tls = context === undefined ? { serverName } : { serverName, context }
      const wire = create({ ...wireOptions(port, systemClock, sweeper), tls })
      try {
        await run(wire)
      } finally {
        wire.close()
        sweeper.close()
      }
    }

    it('asks for the service by name, speaks HTTP/1.1, and takes up its session again', () =>
      use('orders.internal', trusting, async (wire) => {
        seen.length = 0
        for (let i = 0; i < 2; i++) {
          // A Host of the client's must not decide whose certificate is asked for.
          const call = callOf({ method: 'POST', authority: 'api.example.com', body: streamOf(['a', 'b']) })
          assert.equal(await pulled((await wire.send(call, exchangeOf())).body), 'secret')
        }
        assert.deepEqual(
          seen.map(({ serverName, alpn }) => [serverName, alpn]),
          [
            ['orders.internal', 'http/1.1'],
            ['orders.internal', 'http/1.1'],
          ],
        )
        if (create === createHttp1Client) assert.equal(seen[1].isReused, true)
      }))

    it('checks an address against the certificate', () =>
      use('127.0.0.1', trusting, async (wire) => {
        assert.equal(await pulled((await wire.send(callOf(), exchangeOf())).body), 'secret')
      }))

    it('refuses a certificate for another name: service-refused, unsent', () =>
      use('billing.internal', trusting, async (wire) => {
        await assert.rejects(wire.send(callOf(), exchangeOf()), isFault('service-refused', true))
      }))

    it('refuses a certificate of an authority that is not trusted: service-refused, unsent', () =>
      use('orders.internal', undefined, async (wire) => {
        await assert.rejects(wire.send(callOf(), exchangeOf()), isFault('service-refused', true))
      }))
  })
}
