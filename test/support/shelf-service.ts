import { createServer } from 'node:http2'
import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2'
import { EventEmitter, once } from 'node:events'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import { gzipSync } from 'node:zlib'
import { framed } from '../../src/bridges/grpc/frames.ts'

/** Where the `.proto` of this service lies. */
export const shelfProto = new URL('../e2e/protos/shelf/v1/shelf.proto', import.meta.url)

/** A gRPC service for tests of bridges: plain HTTP/2, its methods are functions of the stream. */
interface ShelfService {
  readonly url: string
  /** 'call' with path and headers of each call, 'left' with the code of each stream that was reset. */
  readonly events: EventEmitter
}

type ShelfMethod = (stream: ServerHttp2Stream, message: Buffer, headers: IncomingHttpHeaders) => void

/** Answers with these messages and OK. */
function answers(stream: ServerHttp2Stream, messages: readonly Uint8Array[]): void {
  stream.respond({ ':status': 200, 'content-type': 'application/grpc', 'x-shelf': 'yes' }, { waitForTrailers: true })
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
  for (const message of messages) stream.write(framed(message))
  stream.end()
}

const wrong: Record<string, ShelfMethod> = {
  nonsense: (stream) => {
    stream.respond({ ':status': 200, 'content-type': 'text/html' })
    stream.end('<html>')
  },
  http503: (stream) => stream.respond({ ':status': 503 }, { endStream: true }),
  nostatus: (stream, message) => {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' })
    stream.end(framed(message))
  },
  none: (stream) => answers(stream, []),
  half: (stream, message) => {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
    stream.end(framed(message).subarray(0, 7))
  },
  reset: (stream) => {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' })
    stream.close(2)
  },
  flag: (stream, message) => {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
    stream.end(framed(message, 7))
  },
  two: (stream, message) => answers(stream, [message, message]),
  gzip: (stream, message) => {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc', 'grpc-encoding': 'gzip' }, { waitForTrailers: true })
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
    stream.end(framed(gzipSync(message), 1))
  },
  bomb: (stream) => {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc', 'grpc-encoding': 'gzip' }, { waitForTrailers: true })
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
    stream.end(framed(gzipSync(Buffer.alloc(3_000_000)), 1))
  },
  silent: () => {},
  words: (stream) =>
    stream.respond(
      {
        ':status': 200,
        'content-type': 'application/grpc',
        'grpc-status': '5',
        'grpc-message': 'no b%C3%BCch 100%',
        'x-shelf': 'yes',
      },
      { endStream: true },
    ),
  unavailable: (stream) =>
    stream.respond({ ':status': 200, 'content-type': 'application/grpc', 'grpc-status': '14' }, { endStream: true }),
  retry: (stream) => {
    // google.rpc.Status { 8, "slow down" }: RetryInfo { 2.5s }, one of a type that nobody knows }
    const delay = Buffer.from([0x08, 2, 0x10, 0x80, 0xca, 0xb5, 0xee, 0x01])
    const info = any('type.googleapis.com/google.rpc.RetryInfo', field(1, delay))
    const other = any('type.example.com/nobody.Knows', Buffer.from('hi'))
    const status = Buffer.concat([Buffer.from([0x08, 8, 0x12, 9]), Buffer.from('slow down'), field(3, info), field(3, other)])
    stream.respond(
      {
        ':status': 200,
        'content-type': 'application/grpc',
        'grpc-status': '8',
        'grpc-message': 'slow down',
        'grpc-status-details-bin': status.toString('base64').replace(/=+$/, ''),
      },
      { endStream: true },
    )
  },
}

function field(number: number, bytes: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([(number << 3) | 2, bytes.length]), bytes])
}

function any(url: string, value: Uint8Array): Buffer {
  return Buffer.concat([field(1, Buffer.from(url)), field(2, value)])
}

const echo: ShelfMethod = (stream, message) => answers(stream, [message])
const fails: ShelfMethod = (stream, message, headers) => wrong[titleOf(message)](stream, message, headers)
const late: ShelfMethod = (stream, message) => {
  const title = titleOf(message)
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
  stream.on('wantTrailers', () =>
    stream.sendTrailers({ 'grpc-status': title === 'aborted' ? '10' : '0', 'grpc-message': 'went away' }),
  )
  stream.write(framed(message))
  stream.write(framed(message))
  if (title === 'reset') setImmediate(() => stream.close(2))
  else if (title !== 'endless') stream.end()
}

/** Starts the service; it ends with the test. Its methods answer with what they were asked unless they say otherwise. */
export async function startShelf(t: TestContext): Promise<ShelfService> {
  const events = new EventEmitter()
  const methods: Record<string, ShelfMethod> = { Echo: echo, Peek: echo, Update: echo, Fail: fails, FailLate: late }
  const server = createServer()
  server.on('session', (session) => t.after(() => session.destroy()))
  server.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    const pieces: Buffer[] = []
    const path = headers[':path'] ?? ''
    events.emit('call', path, headers)
    stream.on('error', () => {})
    stream.on('close', () => {
      if (stream.rstCode !== 0) events.emit('left', stream.rstCode)
    })
    stream.on('data', (piece: Buffer) => void pieces.push(piece))
    stream.on('end', () => methods[path.slice(path.lastIndexOf('/') + 1)](stream, Buffer.concat(pieces).subarray(5), headers))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => void server.close())
  return { url: `grpc://127.0.0.1:${(server.address() as AddressInfo).port}`, events }
}

/** The field `title` (number 2), found among the fields before it. */
function titleOf(message: Buffer): string {
  for (let at = 0; at < message.length; at += 2 + message[at + 1]) {
    if (message[at] === 0x12) return message.toString('utf8', at + 2, at + 2 + message[at + 1])
  }
  return ''
}
