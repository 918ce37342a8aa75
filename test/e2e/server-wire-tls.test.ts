import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { TLSSocket } from 'node:tls'
import { connect, createServer } from 'node:tls'
import { Answer } from '../../src/core/answer.ts'
import { systemClock } from '../../src/core/clock.ts'
import type { Handler } from '../../src/core/handler.ts'
import { Headers } from '../../src/core/headers.ts'
import { Sweeper } from '../../src/core/sweeper.ts'
import type { DevCertificate } from '../../src/wire/tls/dev-certificate.ts'
import { ensureDevCertificate } from '../../src/wire/tls/dev-certificate.ts'
import { RawClient } from '../support/raw-client.ts'
import type { CreateServerWire } from '../support/server-wires.ts'
import { RecordingServed, listen, serverWires, testLimits } from '../support/server-wires.ts'

let folder: string
let certificate: DevCertificate

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'velum-tls-'))
  certificate = await ensureDevCertificate(folder, [], systemClock)
})
after(() => rm(folder, { recursive: true }))

async function tlsScene(
  create: CreateServerWire,
  handler: Handler | undefined,
  play: (client: RawClient, served: RecordingServed) => Promise<void>,
): Promise<void> {
  const served = new RecordingServed(handler)
  const sweeper = new Sweeper(systemClock)
  const wire = create({ listener: 'tls', served, limits: testLimits, clock: systemClock, sweeper })
  const server = createServer({ cert: certificate.cert, key: certificate.key, ALPNProtocols: ['http/1.1'] }, (socket) =>
    wire.accept(socket),
  )
  const port = await listen(server)
  const socket: TLSSocket = connect({
    port,
    host: '127.0.0.1',
    servername: 'localhost',
    rejectUnauthorized: false,
  })
  await once(socket, 'secureConnect')
  const client = new RawClient(socket)
  try {
    await play(client, served)
  } finally {
    socket.destroy()
    wire.close()
    sweeper.close()
    server.close()
    await once(server, 'close')
  }
}

const echo: Handler = (x) => new Answer(200, new Headers(), x.body)

for (const [name, create] of serverWires) {
  describe(`TLS over ${name}`, () => {
    test('requests follow one another, also sent ahead', () =>
      tlsScene(create, undefined, async (client, served) => {
        client.send('GET /1 HTTP/1.1\r\nHost: a\r\n\r\nPOST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab')
        assert.equal((await client.answer())!.status, 200)
        assert.match((await client.answer())!.content, /"content":"ab"/)
        client.send('GET /3 HTTP/1.1\r\nHost: a\r\n\r\n')
        assert.equal((await client.answer())!.status, 200)
        const { connection, scheme } = served.seen[0].x
        assert.equal(scheme, 'https')
        assert.equal(connection.tls!.protocol, 'TLSv1.3')
        assert.equal(connection.tls!.serverName, 'localhost')
        assert.equal(connection.tls!.clientCertificate(), undefined)
        assert.equal(connection.remoteAddress, '127.0.0.1')
      }))

    test('a large body is echoed while it still comes', () =>
      tlsScene(create, echo, async (client, served) => {
        const size = 2 * 1024 * 1024
        client.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${size}\r\n\r\n`)
        client.socket.write(Buffer.alloc(size, 'abcdefgh'))
        const answer = (await client.answer())!
        assert.equal(answer.content.length, size)
        assert.ok(answer.content === 'abcdefgh'.repeat(size / 8))
        client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
        assert.equal((await client.answer())!.status, 200)
        assert.equal(served.seen[0].outcome!.receivedBytes, size)
        assert.equal(served.seen[0].outcome!.sentBytes, size)
      }))

    test('malformed bytes are refused and the connection ends', () =>
      tlsScene(create, undefined, async (client) => {
        client.send('GET / HTTP/1.1\r\nHost : a\r\n\r\n')
        assert.equal((await client.answer())!.status, 400)
        await client.ended()
      }))
  })
}
