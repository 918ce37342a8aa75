import assert from 'node:assert/strict'
import { request as nodeRequest } from 'node:http'
import { Duplex } from 'node:stream'
import fc from 'fast-check'
import type { Answer } from '../../../src/core/answer.ts'
import { END } from '../../../src/core/body.ts'
import { Fault } from '../../../src/core/fault.ts'
import { isPromise } from '../../../src/core/handler.ts'
import { AnswerReader } from '../../../src/wire/http1/answer-reader.ts'
import type { AnswerOwner } from '../../../src/wire/http1/answer-reader.ts'
import { RequestMessage } from '../../../src/wire/http2/request-message.ts'
import { crc32c, maxProxyHeaderBytes, readProxyHeader } from '../../../src/wire/proxy-protocol.ts'
import { readPath } from '../../../src/routing/read-path.ts'
import { canonicalAddress } from '../../../src/lib/address.ts'
import { readRequests } from '../../support/http1-reader.ts'
import { Dice, makeMessage } from '../messages.ts'
import { defineTarget } from '../fuzz-target.ts'
import { cutFractions, cutsOf, spoiltBytes } from '../spoilt.ts'

const splitRequests = defineTarget({
  name: 'HTTP/1.1 requests in pieces',
  promise: 'read the same wherever the network cuts them; nothing is thrown',
  cases: fc.record({ seed: fc.integer(), cuts: cutFractions }),
  check({ seed, cuts }) {
    const bytes = Buffer.from(makeMessage(new Dice(seed)), 'latin1')
    assert.deepEqual(readRequests(bytes, cutsOf(cuts, bytes.length)), readRequests(bytes))
  },
})

/** What a client makes of one answer. */
interface AnswerReading {
  status: number
  fields: [string, string][]
  content: string
  isComplete: boolean
  refusal: string | undefined
  informed: number[]
}

/** Reads an answer as our client does, its bytes cut at these places, and the connection ended behind them. */
function readAnswer(bytes: Buffer, method: string, cuts: readonly number[]): AnswerReading {
  const reading: AnswerReading = { status: 0, fields: [], content: '', isComplete: false, refusal: undefined, informed: [] }
  let answer: Answer | undefined
  const owner: AnswerOwner = {
    informed: (status) => reading.informed.push(status) > 0,
    timedOutBefore: () => false,
    answered: (answered) => void (answer = answered),
    completed: () => {
      reading.isComplete = true
      return false
    },
    switched: (status, headers) => {
      reading.isComplete = true
      reading.status = status
      headers.forEach((name, value) => void reading.fields.push([name.toLowerCase(), value]))
    },
    wanted() {},
    served() {},
    abandoned() {},
  }
  const reader = new AnswerReader(owner, 16_384, 100)
  reader.begin(method)
  try {
    let from = 0
    for (const to of [...cuts, bytes.length]) {
      // A lent buffer, spoilt afterwards: nothing may be kept that was not copied.
      const piece = Buffer.from(bytes.subarray(from, to))
      if (piece.length > 0 && !reading.isComplete) reader.take(piece, piece.length)
      piece.fill('#')
      from = to
    }
    if (!reading.isComplete) reading.isComplete = reader.finish()
  } catch (thrown) {
    assert.ok(thrown instanceof Fault && (thrown.code === 'service-nonsense' || thrown.code === 'malformed'), String(thrown))
    reading.refusal = thrown.code
  }
  if (answer === undefined) return reading
  reading.status = answer.status
  answer.headers.forEach((name, value) => void reading.fields.push([name.toLowerCase(), value]))
  const { body } = answer
  reader.body?.fail(new Fault('service-truncated', 'the connection ended'))
  try {
    for (;;) {
      const chunk = body.pull()
      assert.ok(!isPromise(chunk))
      if (chunk === END) break
      reading.content += chunk.toString('latin1')
    }
  } catch (thrown) {
    assert.ok(thrown instanceof Fault)
  }
  return reading
}

/** The same by the client of node:http; undefined: it refused. */
function readByNode(bytes: Buffer, method: string): Promise<{ status: number; content: string; isComplete: boolean } | undefined> {
  return new Promise((resolve) => {
    const socket = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() })
    const request = nodeRequest({ method, host: 'a', createConnection: () => socket })
    const over = (reading?: { status: number; content: string; isComplete: boolean }): void => {
      resolve(reading)
      request.destroy()
      socket.destroy()
    }
    request.on('error', () => over())
    request.on('upgrade', ({ statusCode }) => over({ status: statusCode!, content: '', isComplete: true }))
    request.on('response', (message) => {
      let content = ''
      message.setEncoding('latin1')
      message.on('data', (text: string) => {
        content += text
      })
      message.on('error', () => {})
      const ended = (): void => over({ status: message.statusCode!, content, isComplete: message.complete })
      message.on('end', ended)
      message.on('close', ended)
    })
    request.end()
    socket.push(bytes)
    socket.push(null)
  })
}

const head = 'HTTP/1.1 200 OK\r\n'
const answers = [
  `${head}Content-Length: 5\r\n\r\nhello`,
  `${head}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n`,
  `${head}Transfer-Encoding: chunked\r\nTrailer: x\r\n\r\n3;a=b\r\nabc\r\n0\r\nx: y\r\n\r\n`,
  `${head}Content-Type: text/plain\r\n\r\nuntil the end`,
  'HTTP/1.1 204 No Content\r\n\r\n',
  'HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\nETag: "a"\r\n\r\n',
  'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
  'HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok',
  'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nabc',
]
const answerWords = [
  'Content-Length: 3\r\n',
  'Content-Length : 3\r\n',
  'Content-Length: +3\r\n',
  'content-length: 3, 3\r\n',
  'Transfer-Encoding: chunked\r\n',
  'Transfer-Encoding: gzip, chunked\r\n',
  'Transfer-Encoding: identity\r\n',
  ' X: y\r\n',
  'X: y\r\n z\r\n',
  'Connection: close\r\n',
  '\r\n',
  '\n',
  '\r',
  '\r\n\r\n',
  '0\r\n\r\n',
  '3\r\nabc\r\n',
  '0x3\r\n',
  '3 \r\n',
  'FFFFFFFFFFFFFFFFF\r\n',
  'HTTP/1.1 200 OK\r\n',
  'HTTP/2 200\r\n',
  'HTTP/1.1 100 \r\n\r\n',
  '204',
  '304',
  '099',
  '600',
]

const http1Answer = defineTarget({
  name: 'HTTP/1.1 answers',
  promise: 'read the same wherever the network cuts them; a complete one has the status and content that node:http reads',
  cases: fc.record({
    bytes: spoiltBytes(
      answers.map((text) => Buffer.from(text)),
      answerWords,
    ),
    method: fc.constantFrom('GET', 'GET', 'GET', 'HEAD'),
    cuts: cutFractions,
  }),
  fewCases: 400,
  async check({ bytes, method, cuts }) {
    const whole = readAnswer(bytes, method, [])
    const pieces = readAnswer(bytes, method, cutsOf(cuts, bytes.length))
    assert.equal(pieces.refusal, whole.refusal)
    // Where the content is at fault, whether the head was given before depends on the read in which it came.
    if (whole.refusal !== undefined) return
    assert.deepEqual({ ...pieces, content: '' }, { ...whole, content: '' })
    // Of a body that fails, as much is given as had come.
    if (whole.isComplete) assert.equal(pieces.content, whole.content)
    if (!whole.isComplete) return
    // A tab behind "chunked" is white space (RFC 9110 §5.6.3), and node:http reads such a body as it stands.
    if (/^transfer-encoding:[^\r\n]*\t/im.test(bytes.toString('latin1'))) return
    const theirs = await readByNode(bytes, method)
    if (theirs === undefined || !theirs.isComplete) return
    assert.equal(whole.status, theirs.status)
    assert.equal(whole.content, theirs.content)
  },
})

const v2 = (command: number, family: number, rest: Buffer): Buffer =>
  Buffer.concat([
    Buffer.from('\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00', 'latin1')
      .fill(0x20 | command, 12, 13)
      .fill(family, 13, 14)
      .fill(rest.length, 15, 16),
    rest,
  ])
const ip4 = Buffer.from([192, 0, 2, 7, 10, 0, 0, 1, 0x30, 0x39, 1, 187])
const withCrc = ((): Buffer => {
  const bytes = v2(1, 0x11, Buffer.concat([ip4, Buffer.from([3, 0, 4, 0, 0, 0, 0])]))
  bytes.writeUInt32BE(crc32c(bytes), bytes.length - 4)
  return bytes
})()
const proxyHeaders = [
  'PROXY TCP4 192.0.2.7 10.0.0.1 12345 443\r\n',
  'PROXY TCP6 2001:db8::7 2001:db8::1 1 65535\r\n',
  'PROXY UNKNOWN what ever\r\n',
]
  .map((text): Uint8Array => Buffer.from(text))
  .concat(v2(1, 0x11, ip4), v2(0, 0, Buffer.alloc(0)), v2(1, 0x21, Buffer.alloc(36, 1)), v2(1, 0x31, Buffer.alloc(216)), withCrc)

const proxyHeader = defineTarget({
  name: 'PROXY protocol',
  promise: 'a header is the same however much stands behind it, and none before it is whole; its source is an address',
  cases: fc.record({
    bytes: spoiltBytes(proxyHeaders, [
      'PROXY ',
      'TCP4',
      'TCP6',
      ' ',
      '\r\n',
      '\r',
      '\n',
      '65536',
      '00',
      '\x21',
      '\x11',
      '\x03\x00\x04',
      '::',
    ]),
    cut: fc.nat(0xffff),
  }),
  fewCases: 500,
  check({ bytes, cut }) {
    const whole = readProxyHeader(bytes)
    const at = cutsOf([cut], bytes.length)[0]
    const start = readProxyHeader(bytes.subarray(0, at))
    if (typeof whole === 'object') {
      assert.ok(whole.length <= bytes.length)
      if (at >= whole.length) assert.deepEqual(start, whole)
      else assert.equal(start, 'more')
      if (whole.source !== undefined) {
        assert.equal(canonicalAddress(whole.source.address), whole.source.address)
        assert.ok(whole.source.port >= 0 && whole.source.port <= 65_535)
      }
    } else if (whole === 'more') {
      assert.equal(start, 'more')
      assert.ok(bytes.length < maxProxyHeaderBytes)
    } else {
      assert.ok(start === 'more' || start === 'malformed')
    }
    if (start === 'malformed') assert.equal(whole, 'malformed')
  },
})

const names = [
  ':method',
  ':path',
  ':scheme',
  ':authority',
  'host',
  'cookie',
  'content-length',
  'te',
  'connection',
  'x',
  'expect',
  'transfer-encoding',
  ':status',
  'content_length',
]
const values = [
  'GET',
  'POST',
  '/',
  '/a?b',
  'https',
  'http',
  'a',
  'A:80',
  'b',
  'trailers',
  'chunked',
  '5',
  '5, 5',
  '',
  '*',
  'x y',
  '/a b',
  'CONNECT',
  'user@a',
  '//a',
  '\xff',
]

const http2Request = defineTarget({
  name: 'HTTP/2 request fields',
  promise: 'what passes is one method, one target and one authority, with no field of a single connection in it',
  cases: fc.record({
    fields: fc.array(fc.tuple(fc.constantFrom(...names), fc.constantFrom(...values)), { maxLength: 6 }),
    isWhole: fc.boolean(),
  }),
  fewCases: 500,
  check({ fields, isWhole }) {
    const start: [string, string][] = isWhole
      ? [
          [':method', 'GET'],
          [':path', '/'],
          [':scheme', 'https'],
          [':authority', 'a'],
        ]
      : []
    const list = [...start, ...fields]
    const message = new RequestMessage({ maxHeadBytes: 16_384, maxHeaderCount: 100, maxTargetBytes: 8192 })
    if (message.read(list.flat()) !== undefined) return
    const all = (name: string): string[] => list.filter(([own]) => own === name).map(([, value]) => value)
    assert.deepEqual(all(':method'), [message.method])
    assert.deepEqual(all(':path'), [message.target])
    assert.equal(all(':scheme').length, 1)
    assert.equal(all(':status').length, 0)
    const firstRegular = list.findIndex(([name]) => !name.startsWith(':'))
    if (firstRegular !== -1) assert.ok(list.slice(firstRegular).every(([name]) => !name.startsWith(':')))
    for (const name of ['connection', 'transfer-encoding']) assert.equal(all(name).length, 0, name)
    for (const te of all('te')) assert.equal(te, 'trailers')
    const authorities = new Set([...all(':authority'), ...all('host')].map((text) => text.toLowerCase()))
    assert.deepEqual([...authorities], [message.fields.authority])
    assert.ok(new Set(all('content-length')).size <= 1 && all('content-length').every((text) => /^\d+$/.test(text)))
    message.headers.forEach((name) => assert.ok(!name.startsWith(':')))
    assert.ok(readPath(message.target) !== undefined)
  },
})

export const wireTargets = [splitRequests, http1Answer, proxyHeader, http2Request]
