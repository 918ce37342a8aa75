import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import type { Json } from './json-text.ts'
import { ExactNumber, JsonTextError, exactInteger, parseJson } from './json-text.ts'

function plain(value: Json): unknown {
  if (value instanceof ExactNumber) return Number(value.text)
  if (Array.isArray(value)) return value.map(plain)
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, plain(member)]))
}

function exact(text: string): string | undefined {
  const { value } = parseJson(text)
  return value instanceof ExactNumber ? value.text : undefined
}

suite('JSON text', () => {
  test('whatever JSON.stringify writes is read as JSON.parse reads it', () => {
    fc.assert(
      fc.property(fc.jsonValue({ noUnicodeString: false }), fc.constantFrom(0, 2), (value, space) => {
        const text = JSON.stringify(value, undefined, space)
        if (!text.isWellFormed() || /\\ud[89a-f]/i.test(text)) return
        assert.deepEqual(plain(parseJson(text).value), JSON.parse(text))
      }),
    )
  })

  test('what JSON.parse refuses is refused, whatever bytes of JSON are changed', () => {
    const document = '{"a":[1,-0.5e+3,"x\\n\\u00e9",true,false,null],"b":{}}'
    const change = fc.tuple(
      fc.nat(document.length),
      fc.constantFrom('', '"', ',', ':', '{', '}', '[', ']', '0', '-', '.', 'e', '\\', ' ', '\n', 'x', '\u0001'),
    )
    fc.assert(
      fc.property(change, fc.nat(2), ([at, put], cut) => {
        const text = document.slice(0, at) + put + document.slice(at + cut)
        let expected: unknown
        try {
          expected = JSON.parse(text)
        } catch {
          assert.throws(() => parseJson(text), JsonTextError, text)
          return
        }
        try {
          assert.deepEqual(plain(parseJson(text).value), expected, text)
        } catch (thrown) {
          // Stricter in one point only.
          assert.ok(thrown instanceof JsonTextError && thrown.message.includes('twice'), text)
        }
      }),
      { numRuns: 2000 },
    )
  })

  test('a member that stands there twice is refused in any spelling', () => {
    for (const text of ['{"a":1,"a":1}', '{"a":1,"\\u0061":2}', '{"x":{"a":1,"b":2,"a":3}}', '{"__proto__":1,"__proto__":2}']) {
      assert.throws(() => parseJson(text), /stands there twice/, text)
    }
    const { value } = parseJson('{"__proto__":{"a":1}}')
    assert.deepEqual(Object.keys(value as object), ['__proto__'])
    assert.equal(Object.getPrototypeOf(value), Object.prototype)
  })

  test('depth is bounded, half a surrogate pair is refused', () => {
    assert.throws(() => parseJson('['.repeat(101) + ']'.repeat(101)), /nested deeper/)
    parseJson('['.repeat(100) + ']'.repeat(100))
    assert.throws(() => parseJson('"\\ud83d"'), /surrogate/)
    assert.equal(parseJson('"\\ud83d\\ude00"').value, '😀')
  })

  test('numbers that a double cannot hold keep their digits', () => {
    for (const text of ['9007199254740993', '-9007199254740993', '9007199254740993.0', '1e18', '18446744073709551615'])
      assert.equal(exact(text), text)
    for (const text of ['0', '-1', '9007199254740991', '1.5', '1e3', '0.12345678901234567890'])
      assert.equal(exact(text), undefined, text)
  })

  test('a number that no double comes near is refused', () => {
    for (const text of ['1e400', '[-1e999]', `1${'0'.repeat(400)}`])
      assert.throws(() => parseJson(text), /larger than any double/, text)
    assert.equal(parseJson('1e-400').value, 0)
  })

  const integers: Record<string, string | undefined> = {
    '9007199254740993': '9007199254740993',
    '9007199254740993.000': '9007199254740993',
    '9.007199254740993e15': '9007199254740993',
    '90071992547409930e-1': '9007199254740993',
    '-1e18': '-1000000000000000000',
    '0.0': '0',
    '1.5': undefined,
    '1e400': undefined,
    '1e-3': undefined,
  }
  for (const [text, expected] of Object.entries(integers)) {
    test(`${text} is the integer ${expected ?? 'that it is not'}`, () => assert.equal(exactInteger(text), expected))
  }
})
