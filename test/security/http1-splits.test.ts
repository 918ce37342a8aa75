import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { readRequests } from '../support/http1-reader.ts'
import type { ReadRequest } from '../support/http1-reader.ts'
import { acceptedCases, chunkCases, framingCases, headerLineCases, requestLineCases, smugglingCases } from './http1-cases.ts'

const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1')

interface Made {
  readonly bytes: string
  readonly request: ReadRequest
}

const token = fc.stringMatching(/^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,10}$/)
const value = fc.stringMatching(/^(?:[!-~\x80-\xff](?:[\t -~\x80-\xff]{0,20}[!-~\x80-\xff])?)?$/)
const ows = fc.constantFrom('', ' ', '\t', '  ')
const target = fc.stringMatching(/^\/[!$-;=?-~]{0,30}$/)
const content = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes).toString('latin1'))
const version = fc.constantFrom('1.1', '1.1', '1.1', '1.0')
const line = fc.tuple(
  token.filter((name) => !/^(?:host|content.length|transfer.encoding|connection|expect|upgrade)$/i.test(name)),
  ows,
  value,
  ows,
)

const plain = fc
  .record({
    method: token.filter((m) => m !== 'CONNECT'),
    target,
    version,
    lines: fc.array(line, { maxLength: 5 }),
    isBlank: fc.boolean(),
  })
  .map(({ method, target: to, version: v, lines, isBlank }): Made => {
    const fields: [string, string][] = [['Host', 'a'], ...lines.map(([n, , x]): [string, string] => [n, x])]
    const head = `${method} ${to} HTTP/${v}\r\nHost: a\r\n${lines.map(([n, b, x, a]) => `${n}:${b}${x}${a}\r\n`).join('')}`
    return {
      bytes: `${isBlank ? '\r\n' : ''}${head}\r\n`,
      request: { method, target: to, authority: 'a', version: v, fields, content: '' },
    }
  })

const withBody = fc
  .record({
    made: plain,
    text: content,
    cuts: fc.array(fc.nat({ max: 300 }), { maxLength: 4 }),
    isChunked: fc.boolean(),
    isUpper: fc.boolean(),
  })
  .map(({ made, text, cuts, isChunked, isUpper }): Made => {
    const chunks = isChunked && made.request.version === '1.1'
    const field: [string, string] = chunks ? ['Transfer-Encoding', 'chunked'] : ['Content-Length', String(text.length)]
    const bounds = [...new Set([0, ...cuts.map((cut) => cut % (text.length + 1)), text.length])].toSorted((a, b) => a - b)
    const pieces = bounds.slice(1).map((to, i) => text.slice(bounds[i], to))
    const hex = (n: number): string => (isUpper ? n.toString(16).toUpperCase() : `0${n.toString(16)}`)
    const body = chunks ? `${pieces.map((p) => `${hex(p.length)};x=y\r\n${p}\r\n`).join('')}0\r\nX: y\r\n\r\n` : text
    return {
      bytes: `${made.bytes.slice(0, -2)}${field[0]}: ${field[1]}\r\n\r\n${body}`,
      request: { ...made.request, fields: [...made.request.fields, field], content: text },
    }
  })

const stream = fc.array(fc.oneof(plain, withBody), { minLength: 1, maxLength: 4 })
const cutsOf = (cuts: readonly number[], length: number): number[] =>
  cuts.map((cut) => cut % (length + 1)).toSorted((a, b) => a - b)

/** HTTP/1.0 is never asked to keep the connection here. */
function untilLast(made: readonly Made[]): ReadRequest[] {
  const last = made.findIndex((m) => m.request.version === '1.0')
  return (last === -1 ? made : made.slice(0, last + 1)).map((m) => m.request)
}

describe('the verdict on a stream does not depend on how its bytes are split', () => {
  test('valid streams are read as they were written', () => {
    fc.assert(
      fc.property(stream, fc.array(fc.nat(), { maxLength: 12 }), (made, cuts) => {
        const bytes = latin1(made.map((m) => m.bytes).join(''))
        const reading = readRequests(bytes, cutsOf(cuts, bytes.length))
        assert.deepEqual(reading, { requests: untilLast(made), refusal: undefined, isPartial: false, open: undefined })
      }),
      { numRuns: 500 },
    )
  })

  test('every byte alone', () => {
    fc.assert(
      fc.property(stream, (made) => {
        const bytes = latin1(made.map((m) => m.bytes).join(''))
        const reading = readRequests(bytes, Array.from(bytes.keys()))
        assert.deepEqual(reading.requests, untilLast(made))
      }),
      { numRuns: 100 },
    )
  })

  test('spoilt streams are refused at the same place, or read in the same way', () => {
    const spoil = fc.record({
      at: fc.nat(),
      byte: fc.constantFrom(0, 9, 10, 13, 32, 34, 35, 43, 44, 45, 48, 58, 59, 95, 127, 128, 255),
      how: fc.constantFrom('put', 'replace', 'cut'),
    })
    fc.assert(
      fc.property(
        stream,
        fc.array(spoil, { minLength: 1, maxLength: 3 }),
        fc.array(fc.nat(), { maxLength: 8 }),
        (made, spoils, cuts) => {
          let text = made.map((m) => m.bytes).join('')
          for (const { at, byte, how } of spoils) {
            const i = at % (text.length + 1)
            text = text.slice(0, i) + (how === 'cut' ? '' : String.fromCharCode(byte)) + text.slice(how === 'put' ? i : i + 1)
          }
          const bytes = latin1(text)
          const whole = readRequests(bytes)
          assert.deepEqual(readRequests(bytes, cutsOf(cuts, bytes.length)), whole)
          assert.deepEqual(readRequests(bytes, Array.from(bytes.keys())), whole)
        },
      ),
      { numRuns: 1000 },
    )
  })

  test('the limits too', () => {
    const tight = { maxHeadBytes: 120, maxHeaderCount: 4, maxTargetBytes: 20 }
    fc.assert(
      fc.property(stream, fc.array(fc.nat(), { maxLength: 8 }), (made, cuts) => {
        const bytes = latin1(made.map((m) => m.bytes).join(''))
        const whole = readRequests(bytes, [], tight)
        assert.deepEqual(readRequests(bytes, cutsOf(cuts, bytes.length), tight), whole)
        assert.deepEqual(readRequests(bytes, Array.from(bytes.keys()), tight), whole)
      }),
      { numRuns: 500 },
    )
  })

  test('each case of the tables, cut at every pair of places', () => {
    const all = [requestLineCases, headerLineCases, framingCases, chunkCases, acceptedCases, smugglingCases].flat()
    for (const { name, bytes: text } of all) {
      const bytes = latin1(text)
      const whole = readRequests(bytes)
      const step = Math.max(1, Math.ceil(bytes.length / 40))
      for (let a = 0; a < bytes.length; a += step) {
        for (let b = a; b < bytes.length; b += step)
          assert.deepEqual(readRequests(bytes, [a, b]), whole, `${name}, cut at ${a} and ${b}`)
      }
    }
  })
})
