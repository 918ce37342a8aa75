import type { Socket } from 'node:net'
import type { FaultCode } from '../../src/core/fault.ts'
import { okay } from './raw-service.ts'

/** What a service does with the first request; every later one gets a good answer. */
export interface Hostility {
  readonly does: (socket: Socket) => void
  /** The Fault instead of an answer, or inside its body after `text`; undefined: `text` is the whole answer. */
  readonly head?: FaultCode
  readonly body?: FaultCode
  readonly text?: string
  /** What it says once the head of its answer has been read. */
  readonly later?: string
  /** Milliseconds to let pass once the request has arrived. */
  readonly afterMs?: number
  readonly method?: string
  /** The connection survives and is used again. */
  readonly keeps?: boolean
}

const says =
  (...parts: string[]) =>
  (socket: Socket): void => {
    for (const part of parts) socket.write(part, 'latin1')
  }
const saysAndEnds =
  (text: string) =>
  (socket: Socket): void =>
    void socket.end(text, 'latin1')
const saysAndResets =
  (text: string) =>
  (socket: Socket): void => {
    socket.write(text, 'latin1', () => void socket.resetAndDestroy())
  }

const head = 'HTTP/1.1 200 OK\r\n'
const nonsense = (text: string): Hostility => ({ does: says(text), head: 'service-nonsense' })

/** What a service may do instead of answering well; by name. */
export const hostilities: Record<string, Hostility> = {
  // It breaks off.
  'ends without a word': { does: saysAndEnds(''), head: 'service-reset' },
  'resets without a word': { does: (socket) => void socket.resetAndDestroy(), head: 'service-reset' },
  'ends inside the status line': { does: saysAndEnds('HTTP/1.1 2'), head: 'service-reset' },
  'ends inside the head': { does: saysAndEnds(`${head}Content-Length: 5\r\n`), head: 'service-reset' },
  'resets inside the head': { does: saysAndResets(`${head}Content-Length: 5\r\n`), head: 'service-reset' },
  'ends after an interim answer': { does: saysAndEnds('HTTP/1.1 103 Early Hints\r\n\r\n'), head: 'service-reset' },
  'ends inside a body of known length': {
    does: saysAndEnds(`${head}Content-Length: 5\r\n\r\nhell`),
    body: 'service-truncated',
    text: 'hell',
  },
  'resets inside a body of known length': {
    does: saysAndResets(`${head}Content-Length: 5\r\n\r\nhell`),
    body: 'service-truncated',
    text: 'hell',
  },
  'ends before a body of known length': {
    does: saysAndEnds(`${head}Content-Length: 5\r\n\r\n`),
    body: 'service-truncated',
    text: '',
  },
  'ends inside a chunk': {
    does: saysAndEnds(`${head}Transfer-Encoding: chunked\r\n\r\n5\r\nhell`),
    body: 'service-truncated',
    text: 'hell',
  },
  'ends after a chunk': {
    does: saysAndEnds(`${head}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n`),
    body: 'service-truncated',
    text: 'hello',
  },
  'ends before the last line of a chunked body': {
    does: saysAndEnds(`${head}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n`),
    body: 'service-truncated',
    text: 'hello',
  },
  'ends inside the trailers': {
    does: saysAndEnds(`${head}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nx: y\r\n`),
    body: 'service-truncated',
    text: 'hello',
  },
  'resets a body that lasts until the close': { does: saysAndResets(`${head}\r\nhello`), body: 'service-truncated', text: 'hello' },

  // It says nothing, or stops.
  'never answers': { does: says(), afterMs: 5001, head: 'service-timeout' },
  'stops inside the head': { does: says('HTTP/1.1 200 OK\r\nA: '), afterMs: 5001, head: 'service-timeout' },
  'only ever sends an interim answer': { does: says('HTTP/1.1 103 Early Hints\r\n\r\n'), afterMs: 5001, head: 'service-timeout' },
  'stops inside the body': {
    does: says(`${head}Content-Length: 5\r\n\r\nhell`),
    afterMs: 10_001,
    body: 'service-timeout',
    text: 'hell',
  },
  'stops inside a chunk size': {
    does: says(`${head}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1`),
    afterMs: 10_001,
    body: 'service-timeout',
    text: 'hello',
  },

  // What it says is no HTTP.
  'sends garbage': nonsense('\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'),
  'speaks SSH': nonsense('SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n'),
  'speaks HTTP/0.9': nonsense('<html>hello</html>'),
  'speaks HTTP/2': nonsense('\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0\x64'),
  'begins with an empty line': nonsense(`\r\n${okay()}`),
  'answers in lower case': nonsense('http/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'),
  'has version 1.2': nonsense('HTTP/1.2 200 OK\r\nContent-Length: 0\r\n\r\n'),
  'has version 2.0': nonsense('HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n'),
  'has two spaces before the status': nonsense('HTTP/1.1  200 OK\r\nContent-Length: 0\r\n\r\n'),
  'has a status of two digits': nonsense('HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n'),
  'has a status of four digits': nonsense('HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n'),
  'has status 099': nonsense('HTTP/1.1 099 Low\r\nContent-Length: 0\r\n\r\n'),
  'has status 600': nonsense('HTTP/1.1 600 High\r\nContent-Length: 0\r\n\r\n'),
  'has a signed status': nonsense('HTTP/1.1 +20 OK\r\nContent-Length: 0\r\n\r\n'),
  'has a NUL in the reason': nonsense('HTTP/1.1 200 O\0K\r\nContent-Length: 0\r\n\r\n'),
  'ends the status line with LF': nonsense('HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n'),
  'ends the status line with CR': nonsense('HTTP/1.1 200 OK\rContent-Length: 0\r\n\r\n'),
  'ends a header line with LF': nonsense(`${head}A: b\nContent-Length: 0\r\n\r\n`),
  'has a CR in a value': nonsense(`${head}A: b\rc\r\nContent-Length: 0\r\n\r\n`),
  'has a NUL in a value': nonsense(`${head}A: b\0c\r\nContent-Length: 0\r\n\r\n`),
  'has a space before a colon': nonsense(`${head}Content-Length : 0\r\n\r\n`),
  'has a space in a name': nonsense(`${head}Content Length: 0\r\n\r\n`),
  'has a line without a colon': nonsense(`${head}Content-Length\r\n\r\n`),
  'has an empty name': nonsense(`${head}: 0\r\n\r\n`),
  'folds a line': nonsense(`${head}A: b\r\n c\r\nContent-Length: 0\r\n\r\n`),
  'has too many headers': nonsense(`${head}${'A: b\r\n'.repeat(65)}Content-Length: 0\r\n\r\n`),
  'has too large a head': nonsense(`${head}A: ${'b'.repeat(16_384)}\r\n\r\n`),
  'has a head without end': nonsense(`${head}A: ${'b'.repeat(40_000)}`),
  'has a reason without end': nonsense(`HTTP/1.1 200 ${'b'.repeat(40_000)}`),

  // Its framing is in doubt.
  'has two different lengths': nonsense(`${head}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!`),
  'has the same length twice': nonsense(`${head}Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello`),
  'has a list of lengths': nonsense(`${head}Content-Length: 5, 5\r\n\r\nhello`),
  'has an empty length': nonsense(`${head}Content-Length:\r\n\r\nhello`),
  'has a signed length': nonsense(`${head}Content-Length: +5\r\n\r\nhello`),
  'has a negative length': nonsense(`${head}Content-Length: -5\r\n\r\nhello`),
  'has a hexadecimal length': nonsense(`${head}Content-Length: 0x5\r\n\r\nhello`),
  'has a length with a space': nonsense(`${head}Content-Length: 1 0\r\n\r\nhello`),
  'has a length with a fraction': nonsense(`${head}Content-Length: 5.0\r\n\r\nhello`),
  'has an enormous length': nonsense(`${head}Content-Length: 99999999999999999999\r\n\r\nhello`),
  'has a length and chunks': nonsense(`${head}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`),
  'has chunks and a length': nonsense(`${head}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n`),
  'has gzip under chunked': nonsense(`${head}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`),
  'has a coding after chunked': nonsense(`${head}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n`),
  'has the coding identity': nonsense(`${head}Transfer-Encoding: identity\r\n\r\nhello`),
  'has chunked twice': nonsense(`${head}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`),
  'has a misspelt coding': nonsense(`${head}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`),
  'has a quoted coding': nonsense(`${head}Transfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n`),
  'has chunks in HTTP/1.0': nonsense('HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'),
  'has a chunk size that is none': {
    does: says(`${head}Transfer-Encoding: chunked\r\n\r\n`, 'zz\r\nhello\r\n'),
    head: 'service-nonsense',
  },
  'has a chunk longer than its size': {
    does: says(`${head}Transfer-Encoding: chunked\r\n\r\n4\r\nhello\r\n0\r\n\r\n`),
    head: 'service-nonsense',
  },
  'has chunk lines that end with LF': {
    does: says(`${head}Transfer-Encoding: chunked\r\n\r\n5\nhello\n0\n\n`),
    head: 'service-nonsense',
  },
  'turns to nonsense after a good chunk': {
    does: says(`${head}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n`),
    later: 'nonsense',
    body: 'service-nonsense',
    text: 'hello',
  },
  'repeats a length in a trailer': {
    does: says(`${head}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n`),
    later: '0\r\nContent-Length: 5\r\n\r\n',
    body: 'service-nonsense',
    text: 'hello',
  },

  // It says what nobody asked for.
  'switches protocols unasked': nonsense('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'),
  'sends interim answers without end': nonsense('HTTP/1.1 102 Processing\r\n\r\n'.repeat(1000)),
  'sends 100 without end': nonsense('HTTP/1.1 100 Continue\r\n\r\n'.repeat(1000)),
  'sends a second answer behind the first': { does: says(okay('one') + okay('two')), text: 'one' },
  'sends a byte behind the answer': { does: says(`${okay('one')}!`), text: 'one' },
  'sends content after a 204': { does: says('HTTP/1.1 204 No Content\r\n\r\nhello'), text: '' },
  'sends content after a 304': { does: says('HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nhello'), text: '' },
  'sends content to a HEAD': { does: says(okay('hello')), text: '', method: 'HEAD' },
  'sends chunks behind a chunked answer': {
    does: says(`${head}Transfer-Encoding: chunked\r\n\r\n3\r\none\r\n0\r\n\r\n3\r\ntwo\r\n0\r\n\r\n`),
    text: 'one',
  },

  // Odd, but one reading only.
  'leaves the reason out': { does: says('HTTP/1.1 200\r\nContent-Length: 3\r\n\r\none'), text: 'one', keeps: true },
  'has an empty reason': { does: says('HTTP/1.1 200 \r\nContent-Length: 3\r\n\r\none'), text: 'one', keeps: true },
  'writes chunked in capitals': {
    does: says(`${head}Transfer-Encoding: CHUNKED\r\n\r\n3\r\none\r\n0\r\n\r\n`),
    text: 'one',
    keeps: true,
  },
  'spells a length with an underscore': { does: saysAndEnds(`${head}Content_Length: 1\r\n\r\none`), text: 'one' },
  'closes after HTTP/1.0': { does: says('HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\none'), text: 'one' },
  'keeps HTTP/1.0 alive': {
    does: says('HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\none'),
    text: 'one',
    keeps: true,
  },
  'says close': { does: says(okay('one', 'Connection: close\r\n')), text: 'one' },
  'says close and keep-alive': { does: says(okay('one', 'Connection: close\r\nConnection: keep-alive\r\n')), text: 'one' },
  'says close in a list': { does: says(okay('one', 'Connection: x-hop, Close\r\n')), text: 'one' },
  'ends at the close': { does: saysAndEnds(`${head}\r\none`), text: 'one' },
}
