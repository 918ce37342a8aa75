import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { describe, it } from 'node:test'
import { END, StreamBody, releaseChunk } from '../../src/core/body.ts'
import type { Chunk } from '../../src/core/body.ts'
import { createHttp1Client } from '../../src/wire/http1/pool.ts'
import { giveBack, takeMemory } from '../../src/wire/http1/slabs.ts'
import { callOf, isFault, nextTurn, pulled, scene, until } from '../support/client-wires.ts'
import { exchangeOf } from '../support/exchange.ts'
import { okay } from '../support/raw-service.ts'

const mebibyte = 1 << 20
/** More than the buffers of both kernels' sides together, and far less than the bodies of these tests. */
const inFlight = 24 * mebibyte

/** Resolves when `count` has stayed the same over many turns of the event loop. */
async function settled(count: () => number): Promise<void> {
  let seen = -1
  for (let same = 0; same < 200; same++) {
    await nextTurn()
    if (count() !== seen) same = 0
    seen = count()
  }
}

/** Writes content as fast as it is taken, and counts what was. */
function pour(socket: Socket, total: number, framing: string, poured: { bytes: number }): void {
  if (poured.bytes === total) {
    if (framing === 'chunks') socket.write('0\r\n\r\n')
    else if (framing === 'the end of the connection') socket.end()
    return
  }
  const content = Buffer.alloc(mebibyte)
  const piece = framing === 'chunks' ? Buffer.concat([Buffer.from('100000\r\n'), content, Buffer.from('\r\n')]) : content
  socket.write(piece, () => {
    poured.bytes += mebibyte
    pour(socket, total, framing, poured)
  })
}

/** As many bytes as asked for, in pieces of 64 KiB that count themselves. */
class Flood extends StreamBody {
  pulledBytes = 0
  readonly #total: number

  constructor(total: number, size: number | undefined) {
    super(size)
    this.#total = total
  }

  trailers(): undefined {
    return undefined
  }
  protected read(): Chunk | null {
    if (this.pulledBytes === this.#total) return END
    const length = Math.min(65_536, this.#total - this.pulledBytes)
    this.pulledBytes += length
    return Buffer.alloc(length, 97)
  }
  protected stop(): void {}
}

/** Bytes in which no two places look alike: the place itself, every eight bytes. */
function numbered(from: number, bytes: Buffer): Buffer {
  for (let at = 0; at + 8 <= bytes.length; at += 8) bytes.writeDoubleLE(from + at, at)
  return bytes
}

/** The same bytes as a body, in memory that is used again once the wire has given it back. */
class Numbered extends StreamBody {
  reused = 0
  #at = 0
  readonly #total: number

  constructor(total: number) {
    super(total)
    this.#total = total
  }

  trailers(): undefined {
    return undefined
  }
  protected read(): Chunk | null {
    if (this.#at === this.#total) return END
    const chunk = numbered(this.#at, takeMemory(65_536))
    this.#at += chunk.length
    return chunk
  }
  protected override reuse(chunk: Chunk): void {
    this.reused++
    giveBack(chunk)
    // Whoever still reads it would see this.
    chunk.fill(0xff)
  }
  protected stop(): void {}
}

describe('memory that our HTTP/1.1 client uses again', () => {
  const total = 16 * mebibyte

  it('never changes what a reader has not given back', () =>
    scene(
      createHttp1Client,
      (socket) => {
        socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${total}\r\n\r\n`)
        for (let at = 0; at < total; at += mebibyte) socket.write(numbered(at, Buffer.alloc(mebibyte)))
      },
      async ({ wire }) => {
        const { body } = await wire.send(callOf(), exchangeOf())
        const held: [number, Buffer][] = []
        const pieces: Buffer[] = []
        let read = 0
        for (let chunk = await body.pull(); chunk !== null; chunk = await body.pull()) {
          pieces.push(Buffer.from(chunk))
          held.push([pieces.length - 1, chunk])
          read += chunk.length
          // Some are held for long, as by a slow socket.
          while (held.length > 5) {
            const [index, early] = held.shift()!
            assert.ok(early.equals(pieces[index]))
            releaseChunk(body, early)
          }
        }
        assert.equal(read, total)
        assert.ok(Buffer.concat(pieces).equals(numbered(0, Buffer.alloc(total))))
      },
    ))

  it('is given back by an upload only when the socket has taken it', () =>
    scene(
      createHttp1Client,
      () => {},
      async ({ wire, service }) => {
        const body = new Numbered(total)
        const sent = wire.send(callOf({ method: 'PUT', body }), exchangeOf())
        await until(() => service.open.size === 1)
        const [socket] = service.open
        const pieces: Buffer[] = []
        let read = 0
        let length = Infinity
        socket.removeAllListeners('data')
        socket.on('data', (chunk: Buffer) => {
          pieces.push(chunk)
          read += chunk.length
          if (length === Infinity) length = chunk.indexOf('\r\n\r\n') + 4 + total
          if (read === length) socket.write(okay())
        })
        await sent
        assert.ok(
          Buffer.concat(pieces)
            .subarray(-total)
            .equals(numbered(0, Buffer.alloc(total))),
        )
        assert.ok(body.reused > 100, `${body.reused} of 256 pieces were given back`)
      },
    ))
})

describe('back-pressure of our HTTP/1.1 client', () => {
  const framings = {
    length: `Content-Length: ${64 * mebibyte}\r\n`,
    chunks: 'Transfer-Encoding: chunked\r\n',
    'the end of the connection': '',
  }
  for (const [framing, fields] of Object.entries(framings)) {
    it(`slows a service down to the pace of its reader, framed by ${framing}`, () => {
      const total = 64 * mebibyte
      const poured = { bytes: 0 }
      return scene(
        createHttp1Client,
        (socket) => {
          socket.write(`HTTP/1.1 200 OK\r\n${fields}\r\n`)
          pour(socket, total, framing, poured)
        },
        async ({ wire }) => {
          const { body } = await wire.send(callOf(), exchangeOf())
          let read = (await body.pull())!.length
          await settled(() => poured.bytes)
          assert.ok(poured.bytes < inFlight, `${poured.bytes} bytes left the service while its reader had ${read}`)
          for (let chunk = await body.pull(); chunk !== null; chunk = await body.pull()) read += chunk.length
          assert.equal(read, total)
        },
      )
    })
  }

  for (const [what, size] of [
    ['known size', 64 * mebibyte],
    ['unknown size', undefined],
  ] as const) {
    it(`pulls an upload of ${what} at the pace of the service`, () => {
      const total = 64 * mebibyte
      const held: Socket[] = []
      let read = 0
      return scene(
        createHttp1Client,
        () => assert.fail('the raw service must not buffer this'),
        async ({ wire, service }) => {
          const body = new Flood(total, size)
          const sent = wire.send(callOf({ method: 'PUT', body }), exchangeOf())
          await until(() => service.open.size === 1)
          const [socket] = service.open
          socket.removeAllListeners('data')
          socket.pause()
          held.push(socket)
          await settled(() => body.pulledBytes)
          assert.ok(body.pulledBytes < inFlight, `${body.pulledBytes} bytes were pulled while nobody read`)
          socket.on('data', (chunk: Buffer) => {
            read += chunk.length
            if (chunk.subarray(-5).toString() === '0\r\n\r\n' || (size !== undefined && read > total)) socket.write(okay('got it'))
          })
          socket.resume()
          assert.equal(await pulled((await sent).body), 'got it')
          assert.equal(body.pulledBytes, total)
          assert.ok(read > total)
          assert.equal(wire.busy, 0)
          assert.equal(wire.open, 1)
        },
      )
    })
  }

  it('gives an upload up when the service stops reading: service-timeout', () =>
    scene(
      createHttp1Client,
      () => {},
      async ({ wire, service, clock }) => {
        const body = new Flood(64 * mebibyte, 64 * mebibyte)
        const sent = assert.rejects(wire.send(callOf({ method: 'PUT', body }), exchangeOf()), isFault('service-timeout'))
        await until(() => service.open.size === 1)
        for (const socket of service.open) socket.removeAllListeners('data').pause()
        await settled(() => body.pulledBytes)
        clock.advance(9900)
        assert.equal(wire.open, 1)
        clock.advance(200)
        await sent
        assert.equal(wire.open, 0)
      },
    ))

  it('does not count the time that the client takes for its upload against the service', () =>
    scene(
      createHttp1Client,
      (socket) => void socket.write(okay()),
      async ({ wire, clock }) => {
        const { promise, resolve } = Promise.withResolvers<Chunk>()
        const pieces: (Promise<Chunk> | null)[] = [promise, END]
        const body = new Flood(5, 5)
        body.pull = () => pieces.shift() ?? END
        const sent = wire.send(callOf({ method: 'PUT', body }), exchangeOf())
        await until(() => wire.busy === 1)
        clock.advance(60_000)
        resolve(Buffer.from('hello'))
        assert.equal((await sent).status, 200)
      },
    ))

  it('goes on with an upload while a success is being answered, and stops at an error', async () => {
    for (const status of [200, 403]) {
      await scene(
        createHttp1Client,
        () => {},
        async ({ wire, service }) => {
          const more = Promise.withResolvers<Chunk>()
          const pieces: (Chunk | Promise<Chunk> | null)[] = [Buffer.from('one'), more.promise, Buffer.from('three')]
          let pulls = 0
          const body = new Flood(0, undefined)
          body.pull = () => {
            pulls++
            return pieces.shift() ?? END
          }
          const sent = wire.send(callOf({ method: 'POST', body }), exchangeOf())
          await until(() => service.open.size === 1)
          const [socket] = service.open
          socket.write(`HTTP/1.1 ${status} So\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n`)
          const answer = await sent
          assert.equal((await answer.body.pull())?.toString(), 'ok')
          more.resolve(Buffer.from('two'))
          await nextTurn()
          assert.equal(pulls, status === 200 ? 4 : 2)
          if (status === 200) await service.received(1)
          socket.write('0\r\n\r\n')
          assert.equal(await answer.body.pull(), null)
          await until(() => wire.busy === 0)
          assert.equal(wire.open, status === 200 ? 1 : 0)
        },
      )
    }
  })
})
