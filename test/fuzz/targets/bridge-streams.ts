import assert from 'node:assert/strict'
import fc from 'fast-check'
import { readGetMessage } from '../../../src/bridges/connect/get-message.ts'
import { ContentValues } from '../../../src/bridges/grpc-json/content-values.ts'
import { Base64Body } from '../../../src/bridges/grpc-web/base64-body.ts'
import { readGrpcMessage } from '../../../src/bridges/grpc/grpc-status.ts'
import { grpcMessage } from '../../../src/core/grpc-status.ts'
import { defineTarget } from '../fuzz-target.ts'
import { cutFractions, cutsOf, spoilt } from '../spoilt.ts'
import { Pieces, maxBytes, readingOf } from './pieces.ts'
import { faultOf } from './shelf.ts'

const inBase64 = defineTarget({
  name: 'gRPC-Web as text',
  promise: 'the bytes that every group of four letters is, wherever they are cut, or malformed',
  cases: fc.record({
    text: fc.oneof(
      fc
        .array(fc.uint8Array({ maxLength: 12 }), { maxLength: 4 })
        .map((runs) => runs.map((run) => Buffer.from(run).toString('base64')).join('')),
      spoilt(['AAAAAAVoZWxsbw==', 'AA==AAA=AAAA', 'AAAAAAA='], ['=', '==', 'A', '-', '_', '+/', ' ', '\n', '\xff', 'AA', 'AAA=']),
    ),
    cuts: cutFractions,
  }),
  async check({ text, cuts }) {
    const bytes = Buffer.from(text, 'latin1')
    const reading = await readingOf(new Base64Body(new Pieces(bytes, cutsOf(cuts, bytes.length))))
    const groups = bytes.toString('latin1').match(/.{1,4}/gs) ?? []
    const isGood = groups.every((group) => /^(?:[\w+/]{4}|[\w+/]{3}=|[\w+/]{2}==)$/.test(group) && !group.includes('_'))
    assert.equal(reading.fault, isGood ? undefined : 'malformed')
    if (!isGood) return
    assert.equal(reading.messages.join(''), groups.map((group) => Buffer.from(group, 'base64').toString('latin1')).join(''))
  },
})

/** What stands in `grpc-message`. */
export const messageTexts = spoilt(
  ['caf%C3%A9', 'a b', '%', '100%', '%zz%41', 'plain', '%0D%0Agrpc-status:%200'],
  ['%', '%E2%82', '%00', '"', '\\', '%25', ': '],
)

const statusWords = defineTarget({
  name: 'grpc-message',
  promise: 'what decodeURIComponent makes of it where that can, else words all the same; what is written is read back',
  cases: fc.record({ text: messageTexts, message: fc.string({ unit: 'binary', maxLength: 20 }) }),
  check({ text, message }) {
    const read = readGrpcMessage(text)
    if (/^[ -~]*$/.test(text)) {
      try {
        assert.equal(read, decodeURIComponent(text))
      } catch (thrown) {
        if (!(thrown instanceof URIError)) throw thrown
      }
    }
    assert.ok(read.isWellFormed() && read.length <= text.length)
    assert.equal(readGrpcMessage(grpcMessage(message)), message.toWellFormed())
  },
})

const gets = defineTarget({
  name: 'GET of Connect',
  promise: 'the bytes that URLSearchParams and base64 make of the message, or malformed',
  cases: fc.record({
    query: spoilt(
      [
        'connect=v1&encoding=json&message=%7B%22a%22%3A1%7D',
        'encoding=proto&base64=1&message=CgFh',
        'encoding=proto&message=%00%ff&compression=gzip',
        'message=CgE-_w&encoding=proto&base64=1',
      ],
      [
        '&',
        '=',
        '%',
        '+',
        '%2B',
        '%2F',
        '%3D',
        '-',
        '_',
        '&base64=1',
        '&encoding=json',
        '&message=',
        '%c3%a9',
        '%e2',
        '\u00e9',
        '&__proto__=1',
        '==',
      ],
    ),
  }),
  check({ query: text }) {
    const query = text.replace(/[^!-~]/g, '')
    if (faultOf(() => readGetMessage(query), 'malformed') !== undefined) return
    const { bytes, encoding, compression } = readGetMessage(query)
    // Its own question mark it passes over.
    const theirs = new URLSearchParams(`?${query}`)
    assert.equal(encoding, theirs.get('encoding'))
    // Nobody escapes the name of a coding: in an escaped one no coding is seen.
    if (!/[%+]/.test(compression)) assert.equal(compression, theirs.get('compression') ?? 'identity')
    const message = theirs.get('message')!
    if (theirs.get('base64') === '1') {
      const standard = message.replaceAll('-', '+').replaceAll('_', '/').replaceAll(' ', '+').replace(/=+$/, '')
      assert.equal(bytes.toString('base64').replace(/=+$/, '').slice(0, -1), standard.slice(0, -1))
    } else assert.equal(bytes.toString('utf8'), message)
  },
})

const jsonStreams = defineTarget({
  name: 'streams of JSON values',
  promise: 'the same values wherever they are cut; joined they are the array or the lines that they came as; malformed else',
  cases: fc.record({
    text: spoilt(
      ['{"a":1}\n{"a":"}"}\n', '[{"a":1}, {"b":[1]}]', ' [ ] ', '1\n"a\\"\\n"\nnull', '{"a":1}{"b":2}', '[1,2'],
      ['{', '}', '[', ']', ',', '"', '\\', '\n', ' ', '{}', '[]', '\n'.repeat(60), '"]', 'x'.repeat(50)],
    ),
    cuts: cutFractions,
  }),
  fewCases: 400,
  async check({ text, cuts }) {
    const bytes = Buffer.from(text)
    const whole = await readingOf(new ContentValues(new Pieces(bytes, []), maxBytes))
    const cut = await readingOf(new ContentValues(new Pieces(bytes, cutsOf(cuts, bytes.length)), maxBytes))
    assert.deepEqual(cut.messages, whole.messages)
    // What is too large and broken may be found to be the one or the other first.
    assert.equal(cut.fault === undefined, whole.fault === undefined)
    for (const value of whole.messages) assert.ok(value.trim() !== '' && value.length <= maxBytes)
    if (whole.fault !== undefined) {
      assert.match(whole.fault, /^(?:malformed|body-too-large)$/)
      if (whole.fault === 'malformed') assert.throws(() => JSON.parse(text))
      return
    }
    let theirs: unknown
    try {
      theirs = JSON.parse(text)
    } catch {
      return
    }
    assert.deepEqual(
      JSON.parse(`[${whole.messages.map((value) => Buffer.from(value, 'latin1').toString()).join()}]`),
      Array.isArray(theirs) ? theirs : [theirs],
    )
  },
})

export const bridgeStreamTargets = [inBase64, statusWords, gets, jsonStreams]
