import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { Fault } from '../../core/fault.ts'
import { BodyDecoder, maxExtensionBytes, maxExtensionTotal } from './body-decoder.ts'
import type { BodyFraming } from './body-decoder.ts'

const chunked: BodyFraming = { kind: 'chunked', maxTrailerBytes: 1024, maxTrailerCount: 4 }

interface Read {
  payload: string
  done: boolean
  rest: string
  trailers: [string, string][]
}

/** Feeds the pieces one after another, as reads would come. */
function read(framing: BodyFraming, pieces: Buffer[]): Read {
  const decoder = new BodyDecoder(framing)
  let payload = ''
  let rest = ''
  for (const piece of pieces) {
    // Surrounded by other bytes, as in a buffer that is used again and again.
    const bytes = Buffer.concat([Buffer.from('\n0\r\n'), piece, Buffer.from('7\r\n\r\n')])
    let at = 4
    const end = 4 + piece.length
    while (at < end && !decoder.done) {
      at = decoder.step(bytes, at, end)
      payload += bytes.toString('latin1', decoder.payloadStart, decoder.payloadEnd)
    }
    rest += bytes.toString('latin1', at, end)
  }
  assert.equal(decoder.received, payload.length)
  const trailers: [string, string][] = []
  decoder.trailers?.forEach((name, value) => trailers.push([name, value]))
  return { payload, done: decoder.done, rest, trailers }
}

const whole = (framing: BodyFraming, text: string): Read => read(framing, [Buffer.from(text, 'latin1')])
const bytewise = (framing: BodyFraming, text: string): Read =>
  read(
    framing,
    Array.from(Buffer.from(text, 'latin1'), (byte) => Buffer.of(byte)),
  )

/** Whether a connection that ends after `text` has brought a complete body. */
function ended(framing: BodyFraming, text: string): boolean {
  const decoder = new BodyDecoder(framing)
  const bytes = Buffer.from(text)
  for (let at = 0; at < bytes.length && !decoder.done;) at = decoder.step(bytes, at, bytes.length)
  return decoder.finish()
}

const malformed = (thrown: unknown): boolean => thrown instanceof Fault && thrown.code === 'malformed'

describe('body decoder', () => {
  it('ends a body of known length after its last byte', () => {
    assert.deepEqual(whole({ kind: 'length', length: 5 }, 'helloGET /'), {
      payload: 'hello',
      done: true,
      rest: 'GET /',
      trailers: [],
    })
  })

  it('is done at once when the length is 0', () => {
    assert.equal(new BodyDecoder({ kind: 'length', length: 0 }).done, true)
  })

  it('tells a truncated body from a complete one when the connection ends', () => {
    assert.equal(ended({ kind: 'length', length: 5 }, 'hell'), false)
    assert.equal(ended({ kind: 'length', length: 5 }, 'hello'), true)
    assert.equal(ended({ kind: 'until-close' }, 'hello'), true)
    for (const part of ['', '5', '5\r\n', '5\r\nhello', '5\r\nhello\r\n', '5\r\nhello\r\n0\r\n', '5\r\nhello\r\n0\r\n\r']) {
      assert.equal(ended(chunked, part), false, JSON.stringify(part))
    }
    assert.equal(ended(chunked, '5\r\nhello\r\n0\r\n\r\n'), true)
  })

  it('reads chunks, extensions and trailers', () => {
    const text = '5;name=value;q="a b"\r\nhello\r\nA\r\n, chunked!\r\n000\r\nDigest: abc \r\nx-empty:\r\n\r\nGET /'
    const expected = {
      payload: 'hello, chunked!',
      done: true,
      rest: 'GET /',
      trailers: [
        ['Digest', 'abc'],
        ['x-empty', ''],
      ] as [string, string][],
    }
    assert.deepEqual(whole(chunked, text), expected)
    assert.deepEqual(bytewise(chunked, text), expected)
  })

  it('takes no trailer section for no trailers', () => {
    const decoder = new BodyDecoder(chunked)
    decoder.step(Buffer.from('0\r\n\r\n'), 0, 5)
    assert.equal(decoder.done, true)
    assert.equal(decoder.trailers, undefined)
  })

  const nonsense: Record<string, string> = {
    'an empty size': '\r\nhello',
    'a sign': '+5\r\nhello\r\n0\r\n\r\n',
    'a negative size': '-5\r\nhello\r\n0\r\n\r\n',
    'a leading space': ' 5\r\nhello\r\n0\r\n\r\n',
    'a trailing space': '5 \r\nhello\r\n0\r\n\r\n',
    'a space before an extension': '5 ;a=b\r\nhello\r\n0\r\n\r\n',
    'a hexadecimal prefix': '0x5\r\nhello\r\n0\r\n\r\n',
    'an underscore in a size': '1_0\r\n',
    'a letter beyond f': 'g\r\n',
    'thirteen digits': '0000000000005\r\nhello\r\n0\r\n\r\n',
    'a bare LF after the size': '5\nhello\r\n0\r\n\r\n',
    'a bare CR after the size': '5\rhello\r\n0\r\n\r\n',
    'two CRs after the size': '5\r\r\nhello\r\n0\r\n\r\n',
    'an extension without a name': '5;\r\nhello\r\n0\r\n\r\n',
    'an extension with an empty value': '5;a=\r\nhello\r\n0\r\n\r\n',
    'two values of an extension': '5;a=b=c\r\nhello\r\n0\r\n\r\n',
    'an extension that is not a token': '5;a=?b\r\nhello\r\n0\r\n\r\n',
    'white space in an extension': '5;a=b \r\nhello\r\n0\r\n\r\n',
    'white space before the name of an extension': '5; a\r\nhello\r\n0\r\n\r\n',
    'a quoted value that does not end': '5;a="b\r\nhello\r\n0\r\n\r\n',
    'something behind a quoted value': '5;a="b"c\r\nhello\r\n0\r\n\r\n',
    'an escape in a quoted value': '5;a="\\""\r\nhello\r\n0\r\n\r\n',
    'a bare LF in an extension': '5;a\nb\r\nhello\r\n0\r\n\r\n',
    'a bare CR in an extension': '5;a\rb\r\nhello\r\n0\r\n\r\n',
    'a NUL in an extension': '5;a\0b\r\nhello\r\n0\r\n\r\n',
    'a byte beyond ASCII in an extension': '5;a\xa0b\r\nhello\r\n0\r\n\r\n',
    'a long extension': `5;${'e'.repeat(maxExtensionBytes + 1)}\r\nhello\r\n0\r\n\r\n`,
    'many extensions': `1;${'e'.repeat(255)}\r\nx\r\n`.repeat(Math.ceil(maxExtensionTotal / 255) + 1),
    'no CRLF after the data': '5\r\nhello0\r\n\r\n',
    'a bare LF after the data': '5\r\nhello\n0\r\n\r\n',
    'a CR without LF after the data': '5\r\nhello\r0\r\n\r\n',
    'data longer than its size': '4\r\nhello\r\n0\r\n\r\n',
    'a bare LF at the end': '0\r\n\n',
    'a CR without LF at the end': '0\r\n\rx',
    'a trailer without a colon': '0\r\ndigest\r\n\r\n',
    'a trailer without a name': '0\r\n: x\r\n\r\n',
    'a space before the colon': '0\r\ndigest : x\r\n\r\n',
    'a folded trailer': '0\r\ndigest: x\r\n y\r\n\r\n',
    'a trailer line ended by LF': '0\r\ndigest: x\n\r\n',
    'a CR inside a trailer': '0\r\ndigest: x\ry\r\n\r\n',
    'a NUL inside a trailer': '0\r\ndigest: x\0y\r\n\r\n',
    'a name beyond ASCII': '0\r\ndig\xe9st: x\r\n\r\n',
    'content-length as a trailer': '0\r\nContent-Length: 3\r\n\r\n',
    'transfer-encoding as a trailer': '0\r\ntransfer-encoding: chunked\r\n\r\n',
    'host as a trailer': '0\r\nHost: other\r\n\r\n',
    'an underscore spelling of a forbidden trailer': '0\r\ncontent_length: 3\r\n\r\n',
    'an identity header as a trailer': '0\r\nX-Auth-Subject: root\r\n\r\n',
    'too many trailers': `0\r\n${'a: b\r\n'.repeat(5)}\r\n`,
    'a trailer section without end': `0\r\na: ${'b'.repeat(1024)}`,
  }
  for (const [what, text] of Object.entries(nonsense)) {
    it(`refuses ${what}`, () => {
      assert.throws(() => whole(chunked, text), malformed)
      assert.throws(() => bytewise(chunked, text), malformed)
    })
  }

  it('finds the same payload however the bytes are split', () => {
    const piece = fc.uint8Array({ minLength: 1, maxLength: 40 }).map((bytes) => Buffer.from(bytes))
    const extension = fc.constantFrom('', ';a', ';a=b', ';q="x y"')
    const body = fc.array(fc.tuple(piece, extension, fc.boolean()), { maxLength: 8 })
    const trailerLines = fc.array(fc.constantFrom('Digest: a\r\n', 'x-checksum:\tb \r\n', 'etag:c\r\n'), { maxLength: 3 })
    fc.assert(
      fc.property(body, trailerLines, fc.infiniteStream(fc.integer({ min: 1, max: 30 })), (chunks, lines, sizes) => {
        const encoded = Buffer.concat([
          ...chunks.flatMap(([bytes, ext, upper]) => {
            const digits = bytes.length.toString(16)
            return [Buffer.from(`${upper ? digits.toUpperCase() : digits}${ext}\r\n`), bytes, Buffer.from('\r\n')]
          }),
          Buffer.from(`0\r\n${lines.join('')}\r\nGET / HTTP/1.1\r\n`),
        ])
        const pieces: Buffer[] = []
        for (let at = 0; at < encoded.length;) {
          const length = sizes.next().value as number
          pieces.push(encoded.subarray(at, at + length))
          at += length
        }
        const expected = read(chunked, [encoded])
        assert.equal(expected.payload, Buffer.concat(chunks.map(([bytes]) => bytes)).toString('latin1'))
        assert.equal(expected.rest, 'GET / HTTP/1.1\r\n')
        assert.equal(expected.trailers.length, lines.length)
        assert.deepEqual(read(chunked, pieces), expected)
      }),
    )
  })
})
