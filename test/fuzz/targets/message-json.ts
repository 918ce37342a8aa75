import { fromBinary, fromJsonString, toBinary, toJson } from '@bufbuild/protobuf'
import assert from 'node:assert/strict'
import { isUtf8 } from 'node:buffer'
import fc from 'fast-check'
import type { Json } from '../../../src/bridges/json/json-text.ts'
import { ExactNumber, exactInteger } from '../../../src/bridges/json/json-text.ts'
import { MessageCodec, parseJsonBytes, standardJson } from '../../../src/bridges/json/message-codec.ts'
import { HALF_CLOSE, jsonForm, protoForm } from '../../../src/bridges/websocket/form.ts'
import { defineTarget } from '../fuzz-target.ts'
import { spoilt, spoiltBytes } from '../spoilt.ts'
import { assertUnpolluted, bookType, faultOf, registry } from './shelf.ts'

const good = [
  '{"name":"shelves/1/books/2","title":"\\u00e9\\ud83d\\ude00","pages":"-9223372036854775808","isLent":true}',
  '{"kind":"KIND_NOVEL","tags":["a",""],"years":[1,-1],"author":{"name":"a","born":1},"cover":"+/8="}',
  '{"price":1.5,"printed":"2026-11-24T10:00:00.123456789Z","copies":"9007199254740993","counts":{"a":1,"b":"2"}}',
  '{"notes":{"a":[1,null,{"b":true}],"c":"x"},"mask":"a.bC,d","floor":3}',
  '{"extra":{"@type":"type.googleapis.com/shelf.v1.Author","name":"a","born":1}}',
  '{"extra":{"@type":"type.googleapis.com/google.protobuf.Duration","value":"3.500s"}}',
  '{"is_lent":false,"pages":9007199254740993,"price":"NaN","room":"r","author":null}',
]
const words = [
  ['{', '}', '[', ']', ',', ':', '"', '\\', '\\u0000', '\\ud800', 'null', 'true', '{}', '[]', ' ', '\n'],
  ['0', '-0', '1e2', '1e400', '1.0', '01', '+1', '9223372036854775808', '1.5e-7', '2147483648', '12345678901234567e-1'],
  ['"__proto__":1,', '"constructor":{},', '"toString":"a",', '"name":"x",', '"is_lent":1,', '"title":{},', '"nope":1,'],
  ['"counts":{"__proto__":"1"},', '"notes":{"__proto__":{"a":1}},', '"@type":"x/shelf.v1.Book",', '"$end":true,'],
  ['"kind":7,', '"kind":2147483648,', '"cover":"-_8",', '"pages":"1",', '"years":[null],', '"printed":"9999-12-31T23:59:60Z",'],
  ['"author":{"born":"1"},', '"copies":1e3,', '"copies":null,', '"floor":-1,', '"mask":"",', '"notes":null,'],
  ['{"extra":{"@type":"x/shelf.v1.Book",'.repeat(40), '['.repeat(99), '{"notes":'.repeat(60)],
].flat()
const jsonTexts = spoilt(good, words)

/** As JSON.parse has it: doubles for all numbers. */
function asDoubles(value: Json): unknown {
  if (value instanceof ExactNumber) return Number(value.text)
  if (Array.isArray(value)) return value.map(asDoubles)
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, asDoubles(inner)]))
}

function hasExact(value: Json): boolean {
  if (value instanceof ExactNumber) return true
  return value !== null && typeof value === 'object' && Object.values(value).some(hasExact)
}

const jsonText = defineTarget({
  name: 'JSON of bridges',
  promise:
    'what JSON.parse makes of it, with every digit; refused else, or for a member twice, half a character, its depth, no double',
  cases: spoiltBytes(
    good.map((text) => Buffer.from(text)),
    words,
  ),
  fewCases: 400,
  check(bytes) {
    const text = bytes.toString('utf8')
    let theirs: unknown
    let isJson = isUtf8(bytes)
    try {
      theirs = JSON.parse(text)
    } catch {
      isJson = false
    }
    const refused = faultOf(() => parseJsonBytes(bytes), 'malformed')
    if (refused === undefined) {
      assert.ok(isJson, 'JSON.parse refuses it')
      const parsed = parseJsonBytes(bytes)
      assert.deepEqual(asDoubles(parsed.value), theirs)
      assert.equal(parsed.hasExact, hasExact(parsed.value))
    } else if (isJson)
      assert.match(refused.message, /stands there twice|half of a surrogate pair|nested deeper than 100|than any double/)
    assertUnpolluted()
  },
})

const exactNumbers = defineTarget({
  name: 'integers of JSON',
  promise: 'every spelling of an integer is that integer, of a fraction none',
  cases: fc.record({
    digits: fc.stringMatching(/^-?(?:0|[1-9]\d{0,22})$/),
    fraction: fc.stringMatching(/^\d{0,8}$/),
    exponent: fc.integer({ min: -12, max: 12 }),
  }),
  check({ digits, fraction, exponent }) {
    const text = `${digits}${fraction === '' ? '' : `.${fraction}`}${exponent === 0 ? '' : `e${exponent}`}`
    // By integers alone: the digits times 10^12, so that no exponent leaves a fraction.
    const scaled = BigInt(digits + fraction) * 10n ** BigInt(12 + 8 - fraction.length + exponent)
    const unit = 10n ** 20n
    const expected = scaled % unit === 0n ? String(scaled / unit) : undefined
    const found = exactInteger(text)
    if (found !== undefined || expected === undefined || expected.length <= 30) assert.equal(found, expected)
    // Wherever a field takes 64 bits, and in a message within a message.
    const content = `{"pages":${text},"copies":${text},"counts":{"a":${text}},"extra":{"@type":"x/shelf.v1.Book","pages":${text}}}`
    const fits = expected !== undefined && BigInt.asIntN(64, BigInt(expected)) === BigInt(expected)
    if (faultOf(() => strict.toBytes(Buffer.from(content)), 'unfit-message') !== undefined) {
      assert.ok(!fits, text)
      return
    }
    assert.ok(fits, `${text} is taken for an integer of 64 bits`)
    const book = strict.fromBytes(strict.toBytes(Buffer.from(content))) as unknown as {
      readonly pages: bigint
      readonly copies: bigint
    }
    assert.deepEqual([String(book.pages), String(book.copies)], [expected, expected])
    assert.equal(strict.toText(strict.bytesOf(strict.fromJson({ counts: { a: expected } }))).includes(`"${expected}"`), true)
  },
})

const strict = new MessageCodec(bookType, registry)
const lenient = new MessageCodec(bookType, registry, { ...standardJson, unknownFields: 'ignore' })

const messageJson = defineTarget({
  name: 'JSON of Protocol Buffers',
  promise: 'the message that protobuf-es makes of it, the same again when it is written and read, or a Fault with words',
  cases: fc.record({ text: jsonTexts, ignores: fc.boolean() }),
  fewCases: 400,
  check({ text, ignores }) {
    const codec = ignores ? lenient : strict
    const content = Buffer.from(text)
    const oracle = { registry, ignoreUnknownFields: ignores }
    const refused = faultOf(() => codec.toBytes(content), 'malformed', 'unfit-message')
    // Half a character becomes another one on its way to bytes.
    const isSame = content.toString() === text
    if (refused?.code === 'malformed') return
    const { hasExact: isExact } = parseJsonBytes(content)
    const theirs = ((): Uint8Array | undefined => {
      try {
        return toBinary(bookType, fromJsonString(bookType, text, oracle))
      } catch {
        return undefined
      }
    })()
    if (refused !== undefined) {
      // It rounds a fraction with many digits to an integer, which is not what was written.
      if (!isExact) assert.equal(theirs, undefined, `protobuf-es takes it: ${refused.message}`)
      return
    }
    const bytes = codec.toBytes(content)
    if (!isExact && isSame) assert.deepEqual(Buffer.from(bytes), theirs === undefined ? undefined : Buffer.from(theirs))
    const written = codec.toText(bytes)
    assert.deepEqual(JSON.parse(written), JSON.parse(JSON.stringify(toJson(bookType, fromBinary(bookType, bytes), { registry }))))
    // In a Value, zero loses its sign when it is written, with protobuf-es too: JSON.stringify knows one zero.
    if (!text.includes('-0')) assert.deepEqual(Buffer.from(codec.toBytes(Buffer.from(written))), Buffer.from(bytes), written)
    assertUnpolluted()
  },
})

const messages = good.map((text) => strict.toBytes(Buffer.from(text)))
const messageBytes = defineTarget({
  name: 'bytes of Protocol Buffers as JSON',
  promise: 'the JSON that protobuf-es writes, or service-nonsense where it cannot',
  cases: spoiltBytes(messages, [
    '\x0a\x01a',
    '\x18\x01',
    '\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01',
    '\x6a\x05\x0a\x01a\x10\x02',
    '\xff',
    '\x98\x80\x80\x80\x80\x00',
    '\x80\x80',
    '\x2a\x00',
    '\x7a\x00',
    '\x72\x00',
  ]),
  fewCases: 400,
  check(bytes) {
    const refused = faultOf(() => strict.toText(bytes), 'service-nonsense')
    let theirs: unknown
    try {
      theirs = JSON.parse(JSON.stringify(toJson(bookType, fromBinary(bookType, bytes), { registry })))
    } catch {
      assert.ok(refused !== undefined, 'protobuf-es cannot write it')
      return
    }
    assert.equal(refused, undefined)
    const written = strict.toText(bytes)
    assert.deepEqual(JSON.parse(written), theirs)
    // Nothing stands there twice, which JSON.parse would not tell.
    parseJsonBytes(Buffer.from(written))
    assertUnpolluted()
  },
})

const inText = jsonForm({ input: strict, output: strict })
const socketFrames = defineTarget({
  name: 'frames of a bridged WebSocket',
  promise: 'a message, the half-close alone, or malformed and unfit-message; a message of a service comes back as it was',
  cases: fc.record({
    frame: spoiltBytes(
      [...good, '{"$end":true}', ' { "\\u0024end" : true } ', '{"$end":true,"name":"a"}', '[{"$end":true}]'].map((text) =>
        Buffer.from(text),
      ),
      words,
    ),
    isBinary: fc.boolean(),
  }),
  check({ frame, isBinary }) {
    const isEnd = ((): boolean => {
      try {
        const value = JSON.parse(frame.toString()) as unknown
        return isUtf8(frame) && JSON.stringify(value) === '{"$end":true}'
      } catch {
        return false
      }
    })()
    for (const [form, takesBinary] of [
      [inText, false],
      [protoForm, true],
    ] as const) {
      const refused = faultOf(() => form.read(frame, isBinary), 'malformed', 'unfit-message')
      if (refused !== undefined) {
        assert.ok(isBinary !== takesBinary || form === inText)
        if (isEnd && !isBinary) assert.match(refused.message, /twice/)
        continue
      }
      const read = form.read(frame, isBinary)
      assert.equal(read === HALF_CLOSE, isEnd && !isBinary)
      if (read === HALF_CLOSE) continue
      assert.equal(isBinary, takesBinary)
      const back = form.write(Buffer.from(read))
      assert.deepEqual(Buffer.from(form.read(Buffer.from(back), takesBinary) as Uint8Array), Buffer.from(read))
    }
  },
})

export const messageJsonTargets = [jsonText, exactNumbers, messageJson, messageBytes, socketFrames]
