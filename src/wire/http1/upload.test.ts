import assert from 'node:assert/strict'
import { Writable } from 'node:stream'
import { describe, it } from 'node:test'
import { BytesBody, END, StreamBody } from '../../core/body.ts'
import type { Body, Chunk, End } from '../../core/body.ts'
import { Fault } from '../../core/fault.ts'
import { Headers } from '../../core/headers.ts'
import { Upload } from './upload.ts'

/** A socket that takes 64 KiB and then waits to be told to drain. */
class SlowSocket extends Writable {
  text = ''
  #flush: (() => void) | undefined

  constructor() {
    super({ highWaterMark: 65_536, decodeStrings: true })
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.text += chunk.toString('latin1')
    this.#flush = done
  }

  /** The peer reads what waits; resolves when 'drain' has been heard or nothing more waits. */
  async readAll(): Promise<void> {
    while (this.#flush !== undefined) {
      const flush = this.#flush
      this.#flush = undefined
      flush()
      await new Promise<void>((resolve) => void setImmediate(resolve))
    }
  }
}

/** Pieces that are given as they are: at once, or as promises. */
class Pieces extends StreamBody {
  pulls = 0
  readonly #pieces: (Chunk | Promise<Chunk>)[]
  readonly #trailers: Headers | undefined

  constructor(pieces: (Chunk | Promise<Chunk>)[], size?: number, trailers?: Headers) {
    super(size)
    this.#pieces = pieces
    this.#trailers = trailers
  }

  trailers(): Headers | undefined {
    return this.#trailers
  }
  protected read(): Chunk | End | Promise<Chunk> {
    this.pulls++
    return this.#pieces.shift() ?? END
  }
  protected stop(): void {}
}

interface Sent {
  readonly socket: SlowSocket
  readonly upload: Upload
  readonly events: string[]
}

function send(body: Body, isChunked: boolean): Sent {
  const socket = new SlowSocket()
  const events: string[] = []
  const upload = new Upload(socket, body, isChunked, {
    uploaded: () => void events.push('uploaded'),
    uploadStalled: () => void events.push('stalled'),
    uploadGoesOn: () => void events.push('goes on'),
    uploadFailed: (why) => void events.push(`failed: ${why.code}`),
  })
  socket.on('drain', () => upload.drained())
  upload.run()
  return { socket, upload, events }
}

const kib = (n: number): Buffer => Buffer.alloc(n * 1024, 97)

describe('upload', () => {
  it('frames pieces as chunks, leaves empty ones out, and sends trailers', async () => {
    const body = new Pieces(
      [Buffer.from('hello'), Buffer.alloc(0), Promise.resolve(Buffer.from('you'))],
      undefined,
      Headers.from([['X-T', 'v']]),
    )
    const { socket, events } = send(body, true)
    await socket.readAll()
    assert.equal(socket.text, '5\r\nhello\r\n3\r\nyou\r\n0\r\nX-T: v\r\n\r\n')
    assert.deepEqual(events, ['uploaded'])
  })

  it('never sends trailers that speak for the gateway or of framing', async () => {
    const trailers = Headers.from([
      ['X-Auth-Subject', 'root'],
      ['Content-Length', '3'],
      ['X-Ok', '1'],
    ])
    const { socket } = send(new Pieces([], undefined, trailers), true)
    await socket.readAll()
    assert.equal(socket.text, '0\r\nX-Ok: 1\r\n\r\n')
  })

  it('pulls the next piece only when the socket has taken the last one', async () => {
    const body = new Pieces(Array.from({ length: 10 }, () => kib(48)))
    const { socket, events } = send(body, false)
    const pulled = body.pulls
    assert.ok(pulled <= 3, `${pulled} pieces were pulled while nobody read`)
    assert.deepEqual(events, ['stalled'])
    await socket.readAll()
    assert.equal(body.pulls, 11)
    assert.equal(socket.text.length, 10 * 48 * 1024)
  })

  it('hands a large piece over in parts', async () => {
    const size = 1 << 20
    const { socket, events, upload } = send(new BytesBody(kib(1024)), false)
    assert.ok(socket.writableLength <= 131_072, `${socket.writableLength} bytes were handed over`)
    await socket.readAll()
    assert.equal(socket.text.length, size)
    assert.equal(upload.isDone, true)
    assert.equal(events.at(-1), 'uploaded')
  })

  it('leaves bytes in hand as they are for another attempt', () => {
    const body = new BytesBody(Buffer.from('hello'))
    send(body, false)
    assert.equal(body.pull()?.toString(), 'hello')
  })

  for (const [what, pieces, size] of [
    ['shorter', ['hell'], 5],
    ['longer', ['hello', '!'], 5],
  ] as const) {
    it(`fails when a body is ${what} than announced, and sends nothing beyond its size`, async () => {
      const { socket, events } = send(
        new Pieces(
          pieces.map((piece) => Buffer.from(piece)),
          size,
        ),
        false,
      )
      await socket.readAll()
      assert.deepEqual(events, ['failed: internal'])
      assert.ok(socket.text.length <= size)
    })
  }

  it('hands on the fault of its body, thrown or rejected', async () => {
    const rejected = send(new Pieces([Promise.reject(new Fault('body-timeout'))]), true)
    await new Promise<void>((resolve) => void setImmediate(resolve))
    assert.deepEqual(rejected.events, ['failed: body-timeout'])
    const throwing = new Pieces([])
    throwing.pull = () => {
      throw new Fault('client-left')
    }
    assert.deepEqual(send(throwing, true).events, ['failed: client-left'])
  })

  it('is silent once stopped', async () => {
    const late = Promise.withResolvers<Chunk>()
    const body = new Pieces([late.promise, Buffer.from('more')])
    const { socket, upload, events } = send(body, true)
    upload.stop()
    late.resolve(Buffer.from('late'))
    await new Promise<void>((resolve) => void setImmediate(resolve))
    upload.drained()
    assert.equal(socket.text, '')
    assert.equal(body.pulls, 1)
    assert.deepEqual(events, [])
  })
})
