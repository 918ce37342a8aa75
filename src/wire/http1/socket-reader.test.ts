import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import type { AddressInfo, Server, Socket } from 'node:net'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { after, afterEach, before, beforeEach, describe, test } from 'node:test'
import { connect as connectTls, createServer as createTlsServer } from 'node:tls'
import { systemClock } from '../../core/clock.ts'
import { ensureDevCertificate } from '../tls/dev-certificate.ts'
import { SocketReader, canShareReads } from './socket-reader.ts'

const plain = createServer({ allowHalfOpen: true })
let encrypted: Server
let client: Socket
let accepted: Socket

before(async () => {
  const folder = mkdtempSync(join(tmpdir(), 'velum-reader-'))
  const { cert, key } = await ensureDevCertificate(folder, [], systemClock)
  rmSync(folder, { recursive: true })
  encrypted = createTlsServer({ cert, key, allowHalfOpen: true })
  for (const server of [plain, encrypted]) {
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
  }
})
const opened: Socket[] = []
afterEach(() => {
  for (const socket of opened.splice(0)) socket.destroy()
})
after(() => {
  plain.close()
  encrypted.close()
})

/** Sets `client` and `accepted`. */
async function open(isTls: boolean): Promise<void> {
  const server = isTls ? encrypted : plain
  const accepting = once(server, isTls ? 'secureConnection' : 'connection')
  const { port } = server.address() as AddressInfo
  client = isTls ? connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false }) : connect(port, '127.0.0.1')
  client.setNoDelay(true)
  ;[accepted] = (await accepting) as [Socket]
  opened.push(client, accepted)
}

test('this Node.js lets accepted sockets read into a shared buffer', () => assert.equal(canShareReads, true))

for (const [how, isShared, isTls] of [
  ['into the shared buffer', true, false],
  ["by 'data' events", false, false],
  ['TLS, into the shared buffer', true, true],
  ["TLS, by 'data' events", false, true],
] as const) {
  describe(`reading ${how}`, () => {
    let got: string
    let isWilling: boolean
    let wake: () => void
    let reader: SocketReader

    beforeEach(async () => {
      await open(isTls)
      got = ''
      isWilling = true
      wake = () => {}
      const onBytes = (bytes: Buffer, end: number): boolean => {
        got += bytes.toString('latin1', 0, end)
        wake()
        return isWilling
      }
      reader = new SocketReader(accepted, onBytes, isShared)
    })
    const until = async (text: string): Promise<void> => {
      while (!got.includes(text)) {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    }

    test('stops when the connection is not willing, and goes on when told', async () => {
      isWilling = false
      client.write('one')
      await until('one')
      client.write('two')
      for (let i = 0; i < 5; i++) await new Promise((resolve) => void setImmediate(resolve))
      assert.equal(got, 'one')
      isWilling = true
      reader.resume()
      await until('two')
      client.destroy()
    })

    test('released, the socket is a stream like any other and nothing is lost', async () => {
      client.write('one')
      await until('one')
      const socket = reader.release()
      client.end('two')
      const rest: Buffer[] = []
      for await (const chunk of Readable.from(socket)) rest.push(chunk as Buffer)
      assert.equal(Buffer.concat(rest).toString(), 'two')
      assert.equal(got, 'one')
      socket.destroy()
    })

    test('the end of the client is heard of', async () => {
      client.end('last')
      await once(accepted, 'end')
      assert.equal(got, 'last')
      accepted.destroy()
    })
  })
}

test('what a TLS socket has read stays as it is when a write reads again meanwhile', async () => {
  await open(true)
  // Three records, which may come at once: then those that follow are read within the write.
  const sent = Buffer.concat(['a', 'b', 'c'].map((letter) => Buffer.alloc(16_384, letter)))
  const whole = new EventEmitter()
  let depth = 0
  let deepest = 0
  let got = ''
  const reader = new SocketReader(accepted, (bytes, end) => {
    deepest = Math.max(deepest, ++depth)
    const read = bytes.toString('latin1', 0, end)
    accepted.write(Buffer.alloc(0))
    assert.equal(bytes.toString('latin1', 0, end), read)
    depth--
    got += read
    if (got.length === sent.length) whole.emit('came')
    return true
  })
  const came = once(whole, 'came')
  client.write(sent)
  await came
  assert.ok(deepest > 1, 'one read within another')
  assert.deepEqual(Buffer.from(got).sort(), sent)
  assert.equal(accepted.listenerCount('data'), 0)
  reader.release()
})
