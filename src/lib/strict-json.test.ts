import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseStrictJson } from './strict-json.ts'

const parse = (text: string): unknown => parseStrictJson(Buffer.from(text))

test('reads what JSON.parse reads', () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 6 }), (text) => {
      const value: unknown = JSON.parse(text)
      if (!text.includes('__proto__')) assert.deepEqual(parse(text), value)
    }),
    { numRuns: 500 },
  )
})

test('refuses an object with a member twice, however the name is spelt and wherever the object stands', () => {
  for (const text of [
    '{"a":1,"a":2}',
    '{"a":1,"b":{"c":1},"a":2}',
    '{"a":1,"\\u0061":2}',
    '[{"x":[{"a":1,"a":1}]}]',
    '{"":1,"":2}',
    '{"a\\\\":1,"a\\\\":2}',
    '{"a":"\\\\","a":"\\\\\\""}',
    '{"a":{},"a":[]}',
  ])
    assert.equal(parse(text), undefined, text)
  assert.deepEqual(parse('{"a":{"a":{"a":"a"}},"b":["a","a",{"a":1}]}'), { a: { a: { a: 'a' } }, b: ['a', 'a', { a: 1 }] })
  assert.deepEqual(parse('{"a":"\\"a\\":1,","b":"{"}'), { a: '"a":1,', b: '{' })
  assert.deepEqual(parse('{"a\\\\":"\\\\","b":":\\":"}'), { 'a\\': '\\', b: ':":' })
})

test('whatever is written twice is found, wherever it stands', () => {
  const object = fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 }), { minKeys: 1, maxKeys: 6, noNullPrototype: true })
  fc.assert(
    fc.property(object, fc.nat(), fc.jsonValue(), (value, pick, again) => {
      if (JSON.stringify(value).includes('__proto__')) return
      const names = Object.keys(value)
      const text = JSON.stringify(value)
      assert.deepEqual(parse(text), JSON.parse(text))
      const name = JSON.stringify(names[pick % names.length])
      assert.equal(parse(`${text.slice(0, -1)},${name}:${JSON.stringify(again)}}`), undefined)
      assert.equal(parse(`[{"x":${text.slice(0, -1)},${name}:${JSON.stringify(again)}}}]`), undefined)
    }),
    { numRuns: 1000 },
  )
})

test('refuses a member that could pass for a prototype', () => {
  assert.equal(parse('{"__proto__":{"admin":true}}'), undefined)
  assert.equal(parse('{"a":{"\\u005f_proto__":1}}'), undefined)
  assert.deepEqual(parse('{"a":"__proto__"}'), { a: '__proto__' })
})

test('refuses what is not JSON, not UTF-8, or nested too deep, and never throws', () => {
  for (const text of ['', '{', '{"a":1}x', "{'a':1}", 'NaN', '{"a":1,}']) assert.equal(parse(text), undefined, text)
  assert.equal(parseStrictJson(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])), undefined)
  assert.equal(parse('['.repeat(21) + ']'.repeat(21)), undefined)
  assert.notEqual(parse('['.repeat(20) + ']'.repeat(20)), undefined)
  fc.assert(fc.property(fc.string(), (text) => void parse(text)))
})

test('a number that no double holds is refused, one that is only long is not', () => {
  assert.equal(parse('{"a":1e400}'), undefined)
  assert.equal(parse('[-1e999]'), undefined)
  assert.equal(parse('1e999'), undefined)
  assert.deepEqual(parse(`[${'9'.repeat(300)}]`), [Number('9'.repeat(300))])
})

test('a byte order mark in front is refused', () => {
  assert.equal(parseStrictJson(Buffer.from([0xef, 0xbb, 0xbf, 0x7b, 0x7d])), undefined)
})

test('depth is bounded as the caller wants it, and brackets in strings do not count', () => {
  assert.deepEqual(parseStrictJson(Buffer.from('[[1]]'), 2), [[1]])
  assert.equal(parseStrictJson(Buffer.from('[[[1]]]'), 2), undefined)
  assert.deepEqual(parseStrictJson(Buffer.from('["[[[[", {"{{{": "\\"[["}]'), 2), ['[[[[', { '{{{': '"[[' }])
})

test('ten megabytes of brackets are refused without being parsed', () => {
  for (const open of ['[', '{"a":']) {
    const bytes = Buffer.from(open.repeat((10 * 1024 * 1024) / open.length))
    assert.equal(parseStrictJson(bytes, 64), undefined)
  }
})

test('a string that does not end is no JSON', () => {
  assert.equal(parse('{"a'), undefined)
  assert.equal(parse('"\\'), undefined)
  assert.equal(parse('"\\"'), undefined)
})
