import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { Answer } from '../../core/answer.ts'
import { faultFrom } from '../../core/fault.ts'
import { AnswerReader } from './answer-reader.ts'
import type { AnswerOwner } from './answer-reader.ts'

/** What a reader made of one answer. */
interface Reading {
  status?: number
  lines?: string
  size?: number | undefined
  text?: string
  trailers?: string | undefined
  informed?: string[]
  /** Bytes behind the answer were seen in the read that ended it. */
  hasMore?: boolean
  isComplete: boolean
  keepsAlive?: boolean
  switched?: string
  fault?: string
}

const silent: AnswerOwner = {
  informed: () => true,
  timedOutBefore: () => false,
  answered() {},
  completed: () => true,
  switched() {},
  wanted() {},
  served() {},
  abandoned() {},
}

/** How long a connection is good for after an answer with this Keep-Alive; 0: not kept. */
function hint(value: string): number {
  const reader = new AnswerReader(silent, 1024, 8)
  reader.begin('GET')
  const bytes = Buffer.from(`HTTP/1.1 200 OK\r\nKeep-Alive: ${value}\r\nContent-Length: 0\r\n\r\n`)
  reader.take(bytes, bytes.length)
  return reader.head.keepsAlive ? reader.head.keepAliveMs : 0
}

/** Feeds the pieces as reads that share one buffer, and the end of the connection behind them. */
function readingOf(pieces: readonly Buffer[], method = 'GET', ends = false): Reading {
  const reading: Reading = { isComplete: false }
  let answer: Answer | undefined
  const informed: string[] = []
  const reader = new AnswerReader(
    {
      ...silent,
      informed(status, headers) {
        informed.push(`${status} ${headers.toLines()}`)
        return true
      },
      answered(given) {
        answer = given
      },
      completed(hasMore) {
        reading.isComplete = true
        reading.hasMore = hasMore
        return true
      },
      switched(status, headers, rest) {
        reading.switched = `${status} ${headers.toLines()} ${rest.toString('latin1')}`
      },
    },
    1024,
    8,
  )
  reader.begin(method)
  const shared = Buffer.alloc(65536)
  try {
    for (const piece of pieces) {
      if (reading.isComplete || reading.switched !== undefined) break
      piece.copy(shared)
      reader.take(shared, piece.length)
      shared.fill(0x21, 0, piece.length)
    }
    if (ends && !reading.isComplete && reader.finish()) reading.isComplete = true
  } catch (thrown) {
    reading.fault = faultFrom(thrown).code
  }
  if (informed.length > 0) reading.informed = informed
  if (answer !== undefined) {
    reading.status = answer.status
    reading.lines = answer.headers.toLines()
    reading.keepsAlive = reader.head.keepsAlive
    reading.size = answer.body.size
    reading.text = reading.isComplete ? textOf(answer) : ''
    reading.trailers = answer.body.trailers()?.toLines()
  }
  return reading
}

function textOf(answer: Answer): string {
  let text = ''
  for (let chunk = answer.body.pull(); chunk !== null; chunk = answer.body.pull()) text += (chunk as Buffer).toString('latin1')
  return text
}

const whole = (text: string, method?: string, ends?: boolean): Reading => readingOf([Buffer.from(text, 'latin1')], method, ends)

/** Messages with their method; each is complete, or ends with the connection. */
const answers: Record<string, { text: string; method?: string; ends?: boolean }> = {
  'a length': { text: 'HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 5\r\n\r\nhello' },
  'no content': { text: 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\nC:d\r\n\r\n' },
  chunks: { text: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\nA\r\n, chunked!\r\n0\r\n\r\n' },
  'chunks and trailers': {
    text: 'HTTP/1.1 200 OK\r\nTrailer: Digest\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nDigest: abc\r\nX: \r\n\r\n',
  },
  'content until the close': { text: 'HTTP/1.0 200 OK\r\nA: b\r\n\r\nhello', ends: true },
  'interim answers': {
    text: 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok',
  },
  'an answer to HEAD': { text: 'HTTP/1.1 200 OK\r\nContent-Length: 12345\r\n\r\n', method: 'HEAD' },
  'a 304': { text: 'HTTP/1.1 304 Not Modified\r\nContent-Length: 12\r\nETag: "a"\r\n\r\n' },
  'a 204': { text: 'HTTP/1.1 204 No Content\r\n\r\n' },
  'a switch of protocols': { text: 'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: chat\r\n\r\n' },
  'a bare head': { text: 'HTTP/1.1 404 \r\nContent-Length: 0\r\n\r\n' },
}

describe('answer reader', () => {
  for (const [what, { text, method, ends }] of Object.entries(answers)) {
    it(`reads ${what} in the same way wherever it is split`, () => {
      const bytes = Buffer.from(text, 'latin1')
      const expected = whole(text, method, ends)
      assert.equal(expected.fault, undefined)
      assert.ok(expected.isComplete || expected.switched !== undefined)
      // The size of a chunked body is known only when it came in one piece with its head.
      const same = (reading: Reading): Reading => ({
        ...reading,
        size: reading.status === 200 && text.includes('chunked') ? undefined : reading.size,
      })
      for (let at = 1; at < bytes.length; at++) {
        const reading = readingOf([bytes.subarray(0, at), bytes.subarray(at)], method, ends)
        assert.deepEqual(same(reading), same(expected), `split at ${at}`)
      }
      const bytewise = Array.from(bytes, (_, at) => bytes.subarray(at, at + 1))
      assert.deepEqual(same(readingOf(bytewise, method, ends)), same(expected))
    })
  }

  it('gives a whole answer when it came in one read, and says what the content is', () => {
    assert.deepEqual(whole('HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 5\r\n\r\nhello'), {
      isComplete: true,
      hasMore: false,
      status: 200,
      lines: 'A: b\r\n',
      keepsAlive: true,
      size: 5,
      text: 'hello',
      trailers: undefined,
    })
    assert.equal(whole('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n').size, 2)
    assert.equal(whole('HTTP/1.1 200 OK\r\nContent-Length: 77\r\n\r\n', 'HEAD').size, 77)
  })

  it('sees bytes behind the end of an answer', () => {
    for (const text of [
      'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok!',
      'HTTP/1.1 204 No Content\r\n\r\n!',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n!',
    ]) {
      assert.equal(whole(text).hasMore, true, text)
    }
  })

  it('removes hop-by-hop fields and those that Connection nominates, in every spelling', () => {
    const { lines } = whole(
      'HTTP/1.1 200 OK\r\nConnection: keep-alive, X-Hop\r\nKeep-Alive: timeout=5\r\nX-Hop: 1\r\nx_hop: 2\r\nContent-Length: 0\r\n' +
        'Content_Length: 7\r\nServer: s\r\n\r\n',
    )
    assert.equal(lines, 'Server: s\r\n')
  })

  it('takes the time of an idle connection from Keep-Alive, with a margin', () => {
    assert.equal(hint('timeout=5, max=100'), 4000)
    assert.equal(hint('max=100, timeout=60'), 59_000)
    assert.equal(hint('timeout=1'), 500)
    assert.equal(hint('timeout=0'), 0)
    assert.equal(hint('max=100'), Infinity)
    assert.equal(hint('timeout=soon'), Infinity)
  })

  it('keeps the marks of earlier answers valid', () => {
    const seen: Answer[] = []
    const reader = new AnswerReader({ ...silent, answered: (answer) => void seen.push(answer) }, 1024, 8)
    for (const name of ['one', 'three']) {
      reader.begin('GET')
      const bytes = Buffer.from(`HTTP/1.1 200 OK\r\nX-${name}: ${name}\r\nContent-Length: ${name.length}\r\n\r\n${name}`)
      reader.take(bytes, bytes.length)
      bytes.fill(0)
    }
    assert.equal(seen[0].headers.get('x-one'), 'one')
    assert.equal(seen[0].body.bytes?.toString(), 'one')
    assert.equal(seen[1].headers.get('x-three'), 'three')
  })

  it('never completes what is not well formed, whatever the bytes are', () => {
    const noise = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 80 }),
      fc.constantFrom(
        'HTTP/1.1 200 OK\r\n',
        'Content-Length: 3\r\n',
        'Transfer-Encoding: chunked\r\n',
        '\r\n',
        '0\r\n\r\n',
        'a\n',
        ' x: y\r\n',
      ),
    )
    fc.assert(
      fc.property(fc.array(noise, { maxLength: 8 }), (parts) => {
        const text = parts.join('')
        const reading = whole(text)
        if (!reading.isComplete) return
        assert.match(text, /^(HTTP\/1\.[01] 1\d\d[ \r][^]*)?HTTP\/1\.[01] [1-5]\d\d[ \r]/)
        assert.doesNotMatch(text.slice(0, text.indexOf('\r\n\r\n')), /[^\r]\n|\r[^\n]/)
      }),
      { numRuns: 500 },
    )
  })
})
