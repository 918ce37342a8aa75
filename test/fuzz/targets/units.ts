import assert from 'node:assert/strict'
import { isIP } from 'node:net'
import { canonicalAddress, parseCidr, AddressError, AddressSet } from '../../../src/lib/address.ts'
import { parseAddressList } from '../../../src/lib/address-list.ts'
import { durationText, parseDuration } from '../../../src/lib/duration.ts'
import { parseInstant } from '../../../src/lib/instant.ts'
import { parseRate, rateText } from '../../../src/lib/rate.ts'
import { parseSize, sizeText } from '../../../src/lib/size.ts'
import { parseStrictJson } from '../../../src/lib/strict-json.ts'
import { UnitError } from '../../../src/lib/unit-error.ts'
import { defineTarget } from '../fuzz-target.ts'
import { spoilt, spoiltBytes } from '../spoilt.ts'

const unitWords = [
  'ms',
  's',
  'm',
  'h',
  'd',
  'b',
  'kb',
  'mb',
  'gb',
  '/',
  'per',
  '-',
  '.',
  '0',
  ' ',
  '9'.repeat(20),
  'S',
  '\u0660',
  '1e3',
]

function roundTrip<T>(text: string, parse: (text: string) => T, write: (value: T) => string): void {
  let value: T
  try {
    value = parse(text)
  } catch (thrown) {
    assert.ok(thrown instanceof UnitError, String(thrown))
    assert.ok(thrown.remedy !== '')
    // A spelling that the remedy offers must be one.
    const offered = /^write "([^"]*)"$/.exec(thrown.remedy)?.[1]
    if (offered !== undefined) assert.doesNotThrow(() => parse(offered), `the remedy for ${JSON.stringify(text)}: ${offered}`)
    return
  }
  assert.deepEqual(parse(write(value)), value)
}

const amounts = defineTarget({
  name: 'durations, sizes, rates',
  promise: 'an amount that is written and read back the same, or a UnitError whose remedy works',
  cases: spoilt(['10s', '500ms', '1h', '10mb', '64kb', '5/s', '100/m', '1.5s', '0.5/s', '10S', '3 d', '0.5d'], unitWords),
  fewCases: 600,
  check(text) {
    roundTrip(text, parseDuration, durationText)
    roundTrip(text, parseSize, sizeText)
    roundTrip(text, parseRate, rateText)
  },
})

const instants = defineTarget({
  name: 'moments',
  promise: 'a moment on the calendar with its zone, or nothing',
  cases: spoilt(
    ['2026-11-24', '2026-11-24T12:00:00Z', '2026-02-30', '2026-11-24T12:00+01:00'],
    ['T', 'Z', '-', '+', ':', '24', '60', '02-29'],
  ),
  check(text) {
    const at = parseInstant(text)
    if (at === undefined) return
    assert.ok(Number.isInteger(at))
    assert.equal(new Date(text.length === 10 ? `${text}T00:00:00Z` : text).getTime(), at)
  },
})

const addressWords = [
  ':',
  '::',
  '.',
  '0',
  '255',
  '256',
  'ffff',
  '%eth0',
  '/',
  '/0',
  '/32',
  '/128',
  '/33',
  '00',
  '0x7f',
  '[',
  ']',
  '::ffff:',
  '#',
  ';',
  '\n',
]
const addressTexts = [
  '127.0.0.1',
  '::1',
  '10.0.0.0/8',
  '2001:db8::/32',
  '::ffff:1.2.3.4',
  '1:2:3:4:5:6:7:8',
  'fe80::1',
  '192.0.2.1/32',
  '::ffff:10.0.0.0/104',
]

const addresses = defineTarget({
  name: 'addresses, CIDR blocks, lists of them',
  promise: 'what Node.js takes for the same address, or nothing; a block holds its own first address; a list never throws',
  cases: spoilt(addressTexts, addressWords),
  fewCases: 600,
  check(text) {
    const canonical = canonicalAddress(text)
    if (canonical !== undefined) {
      // It takes a zone only of a narrower kind.
      assert.ok(isIP(text.replace(/%.*$/s, '')) !== 0, `${text} is no address to Node.js`)
      assert.match(text, /^[^%]*(?:%[0-9A-Za-z.:_-]+)?$/)
      assert.equal(canonicalAddress(canonical), canonical)
    } else assert.ok(isIP(text) === 0 || text.includes('%'), `${text} is an address`)
    try {
      const block = parseCidr(text)
      assert.equal(parseCidr(block), block)
      const first = canonicalAddress(block.split('/')[0])!
      assert.ok(new AddressSet([block]).has(first), `${block} holds ${first}`)
    } catch (thrown) {
      assert.ok(thrown instanceof AddressError, String(thrown))
    }
    const { cidrs, faults } = parseAddressList(text)
    for (const cidr of cidrs) assert.equal(parseCidr(cidr), cidr)
    for (const { line } of faults) assert.ok(line >= 1 && line <= text.split('\n').length)
  },
})

const jsonTexts = [
  '{"a":1,"b":[true,null,"x"]}',
  '[[[[1]]]]',
  '{"a":{"a":{}}}',
  '"\\u0041"',
  '1e400',
  '{"__proto__":1}',
  '{"a":1,"a":2}',
  '-0.5e-3',
]
const strictJson = defineTarget({
  name: 'strict JSON',
  promise: 'what JSON.parse makes of it, where no other reading exists; nothing that names a member twice',
  cases: spoiltBytes(
    jsonTexts.map((text) => Buffer.from(text)),
    [
      '{',
      '}',
      '[',
      ']',
      ':',
      ',',
      '"',
      '"a":1,',
      '\\',
      '\\u0061',
      '"__proto__":',
      '1e999',
      '\xef\xbb\xbf',
      '[[[[[[[[[[[[[[[[[[[[[[',
    ],
  ),
  fewCases: 600,
  check(bytes) {
    const read = parseStrictJson(bytes)
    let theirs: unknown
    try {
      theirs = JSON.parse(bytes.toString('utf8'))
    } catch {
      assert.equal(read, undefined)
      return
    }
    if (read === undefined) return
    assert.deepEqual(read, theirs)
    // Written in one way, both have the same number of members only if none stood there twice.
    const text = bytes.toString('utf8').replace(/"(?:[^"\\]|\\.)*"/g, '""')
    const written = JSON.stringify(read).replace(/"(?:[^"\\]|\\.)*"/g, '""')
    assert.equal(text.split(':').length, written.split(':').length)
  },
})

export const unitTargets = [amounts, instants, addresses, strictJson]
