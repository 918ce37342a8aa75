import assert from 'node:assert/strict'
import fc from 'fast-check'
import { parseDictionary } from 'structured-headers'
import { parseCacheControl, parseTargeted } from '../../../src/cache/cache-control.ts'
import { etagOf, hasAlready } from '../../../src/cache/conditional.ts'
import { freshnessOf, initialAgeMs, responseDirectives } from '../../../src/cache/freshness.ts'
import { parseHttpDate } from '../../../src/lib/http-date.ts'
import { partOf } from '../../../src/cache/range.ts'
import { parseVary, variantOf } from '../../../src/cache/vary.ts'
import { Headers } from '../../../src/core/headers.ts'
import { trimSpace } from '../../../src/lib/trim-space.ts'
import { defineTarget } from '../fuzz-target.ts'
import { spoilt } from '../spoilt.ts'

const now = Date.UTC(2026, 10, 24, 12)
/** Header values as a wire lets them through: no line ends, no NUL. */
const asValue = (text: string): string => trimSpace(text.replace(/[\0\n\r\x7f]/g, ' '))

const directiveWords = [
  'no-store',
  'no-cache',
  'private',
  'max-age',
  '=',
  '=0',
  '=60',
  ',',
  ', ',
  '"',
  '\\"',
  '"Set-Cookie"',
  's-maxage=5',
  'max-age=5',
  ';',
  '-1',
  '1.5',
  '99999999999999999999',
]
const cacheControls = [
  'max-age=60, public',
  'no-store',
  'private="set-cookie, x", max-age=5',
  'no-cache="x", s-maxage=10',
  'max-age=10, stale-while-revalidate=60, stale-if-error=5',
  'ext="a, no-store", max-age=1',
  'max-stale, min-fresh=5',
]

const cacheControl = defineTarget({
  name: 'Cache-Control',
  promise: 'what forbids is heard wherever it stands outside quotes; a wrong or repeated number never lengthens a life',
  cases: spoilt(cacheControls, directiveWords).map(asValue),
  fewCases: 600,
  check(value) {
    const read = parseCacheControl(value)
    for (const seconds of [read.maxAge, read.sharedMaxAge, read.staleIfError, read.staleWhileRevalidate]) {
      assert.ok(seconds === undefined || (Number.isInteger(seconds) && seconds >= 0 && seconds <= 2 ** 31))
    }
    if (read.isMalformed) return
    // Another reading: quoted strings blanked, then a list. Where they are well-formed both must agree.
    const bare = value.replace(/"(?:[^"\\]|\\.)*"/g, 'q')
    const elements = bare.split(',').map((element) => trimSpace(element).toLowerCase())
    const names = new Set(elements.map((element) => element.split('=')[0]))
    assert.equal(read.noStore, names.has('no-store'))
    assert.equal(read.noCache, names.has('no-cache'))
    assert.equal(read.isPrivate, names.has('private'))
    assert.equal(read.mustRevalidate, names.has('must-revalidate'))
    const ages = elements.filter((element) => element === 'max-age' || element.startsWith('max-age='))
    assert.equal(read.maxAge === undefined, ages.length === 0)
    for (const age of ages) {
      const number = /^max-age=(\d+)$/.exec(age)?.[1]
      if (number === undefined && !age.endsWith('=q')) assert.equal(read.maxAge, 0)
      else if (number !== undefined) assert.ok(read.maxAge! <= Number(number))
    }
  },
})

const targetedFields = [
  'max-age=60, no-store',
  'no-store;x=1, max-age=5',
  'max-age=?1',
  'no-cache=?0',
  'max-age="5"',
  'a=tok/en, s-maxage=10',
  'must-revalidate, stale-if-error=5',
]

const targetedField = defineTarget({
  name: 'targeted cache field',
  promise: 'what a parser of structured fields refuses says nothing; what it reads is said, number for number',
  cases: spoilt(targetedFields, [...directiveWords, '?0', '?1', ':aGk=:', '(a b)', '@1', '*', 'A']).map(asValue),
  fewCases: 600,
  check(value) {
    const read = parseTargeted(value)
    if (read === undefined) return
    let theirs: ReturnType<typeof parseDictionary>
    try {
      theirs = parseDictionary(value)
    } catch (thrown) {
      throw new Error(`accepted ${JSON.stringify(value)}, which is no dictionary: ${String(thrown)}`, { cause: thrown })
    }
    const told = (name: string): boolean => theirs.has(name) && theirs.get(name)![0] !== false
    assert.equal(read.noStore, told('no-store'))
    assert.equal(read.noCache, told('no-cache'))
    assert.equal(read.isPrivate, told('private'))
    const age = theirs.get('max-age')?.[0]
    if (age === undefined || age === false) assert.equal(read.maxAge, undefined)
    else if (typeof age === 'number' && Number.isInteger(age) && age >= 0) assert.ok(read.maxAge! <= age)
    else if (typeof age === 'number') assert.equal(read.maxAge, 0)
  },
})

const dates = [
  new Date(now).toUTCString(),
  'Tuesday, 24-Nov-26 12:00:00 GMT',
  'Tue Nov 24 12:00:00 2026',
  'Thu, 01 Jan 1970 00:00:00 GMT',
  'Sun Nov  6 08:49:37 1994',
]

const httpDate = defineTarget({
  name: 'HTTP date',
  promise: 'a moment that is on the calendar and writes itself the same, or nothing',
  cases: fc.oneof(
    spoilt(dates, ['Feb', '31', '29', '30', '00', '60', '24', 'GMT', ' ', ',', '-']),
    fc.date({ min: new Date(0), max: new Date(Date.UTC(9999, 0)), noInvalidDate: true }).map((date) => date.toUTCString()),
  ),
  check(text) {
    const at = parseHttpDate(text, now)
    const date = new Date(at ?? NaN)
    if (at === undefined) {
      const same = new Date(text)
      // A date of HTTP has four digits of a year.
      assert.ok(same.getUTCFullYear() > 9999 || Number.isNaN(same.getTime()) || same.toUTCString() !== text, `${text} is a date`)
      return
    }
    assert.ok(Number.isInteger(at))
    const clock = /(\d\d):(\d\d):(\d\d)/.exec(text)!
    if (clock[3] !== '60') assert.ok(date.toISOString().includes(clock[0]))
  },
})

const ageAndLife = defineTarget({
  name: 'Age, Date, Expires',
  promise: 'an age is a number from 0; nothing that is said wrongly makes an answer fresh longer than it says',
  cases: fc.record({
    age: fc.option(spoilt(['0', '60', '60, 5', '2147483648'], ['-', '.', 'e5', '9'.repeat(30)]).map(asValue), { nil: undefined }),
    date: fc.option(spoilt(dates).map(asValue), { nil: undefined }),
    expires: fc.option(spoilt([...dates, '0', '-1'], []).map(asValue), { nil: undefined }),
    control: fc.option(spoilt(cacheControls, directiveWords).map(asValue), { nil: undefined }),
    took: fc.nat(5000),
  }),
  check({ age, date, expires, control, took }) {
    const headers = new Headers()
    if (age !== undefined) headers.set('age', age)
    if (date !== undefined) headers.set('date', date)
    if (expires !== undefined) headers.set('expires', expires)
    if (control !== undefined) headers.set('cache-control', control)
    const timing = { requestedAt: now - took, receivedAt: now }
    const ageMs = initialAgeMs(headers, timing)
    assert.ok(Number.isFinite(ageMs) && ageMs >= took)
    const directives = responseDirectives(headers)
    const options = { ttlMs: undefined, staleWhileRevalidateMs: 0, staleIfErrorMs: 0, isHeuristic: false }
    const freshness = freshnessOf(200, headers, timing, directives, options)
    if (freshness === undefined) return
    assert.equal(freshness.bornAt, now - ageMs)
    assert.ok(freshness.whileRevalidateUntil >= freshness.freshUntil && freshness.ifErrorUntil >= freshness.freshUntil)
    const { maxAge, sharedMaxAge, noCache } = directives.said
    if (noCache) assert.equal(freshness.freshUntil, freshness.bornAt)
    const said = sharedMaxAge ?? maxAge
    if (said !== undefined) assert.ok(freshness.freshUntil - freshness.bornAt <= said * 1000)
    else if (expires !== undefined && parseHttpDate(expires, now) === undefined) assert.ok(freshness.freshUntil <= freshness.bornAt)
  },
})

const vary = defineTarget({
  name: 'Vary',
  promise: 'names, sorted, each once, or nothing matches; two requests share a variant only with the same values',
  cases: fc.record({
    value: spoilt(['accept-encoding', 'Accept, Accept-Language', '*', 'x, X , y', ''], [',', ' ', '*', 'cookie', ':']).map(asValue),
    one: spoilt(['gzip, br', 'a', 'x;q=0', '*;q=0.5', 'identity;q=0'], [';q=0', 'gzip', ',', '*', ';q=1', '\u00a0']).map(asValue),
    other: spoilt(['gzip, br', 'a', 'x;q=0', 'br,gzip', '*,*;q=0'], [';q=0', 'gzip', ',', '*', ';q=1', '\u00a0']).map(asValue),
  }),
  check({ value, one, other }) {
    const names = parseVary(value)
    if (names === undefined) {
      assert.ok(/[^!#$%&'*+\-.^_`|~0-9A-Za-z, \t]|\*| [^ ,]/.test(value) || value.includes('\t'), `${value} names fields`)
      return
    }
    assert.deepEqual([...names], [...new Set(names)].toSorted())
    assert.deepEqual(parseVary(names.join(',')), names)
    assert.equal(plainVariant(one) === plainVariant(other), trimSpace(one) === trimSpace(other))
    // What of another's codings is refused by one is never served to it.
    if (codings(one) === codings(other)) {
      for (const coding of ['gzip', 'br', 'zstd']) assert.equal(accepts(one, coding), accepts(other, coding), coding)
    }
  },
})

const plainVariant = (text: string): string => variantOf(['x-plain'], Headers.from([['x-plain', text]]))
const codings = (text: string): string => variantOf(['accept-encoding'], Headers.from([['accept-encoding', text]]))

/** Whether a coding may be sent, by RFC 9110 §12.5.3; a weight that is none says nothing of it. */
function accepts(field: string, coding: string): boolean {
  const weights = new Map<string, boolean>()
  for (const part of field.toLowerCase().split(',')) {
    const [name, ...parameters] = part.split(';').map(trimSpace)
    if (name === '') continue
    const isNone = parameters.some((parameter) => /^q=0(?:\.0{0,3})?$/.test(parameter))
    const key = name === 'x-gzip' ? 'gzip' : name
    weights.set(key, (weights.get(key) ?? true) && !isNone)
  }
  return weights.get(coding) ?? weights.get('*') ?? false
}

const range = defineTarget({
  name: 'Range, If-Range',
  fewCases: 300,
  promise: 'a part lies within the answer and is what was asked for; what cannot be read gets the whole',
  cases: fc.record({
    range: spoilt(
      ['bytes=0-4', 'bytes=5-', 'bytes=-3', 'bytes=0-0,2-3', 'Bytes = 1-2', 'items=0-1'],
      ['-', '=', ',', '9'.repeat(16), '0', ' '],
    ).map(asValue),
    ifRange: fc.option(spoilt(['"a"', 'W/"a"', dates[0]], ['"', 'W/']).map(asValue), { nil: undefined }),
    size: fc.nat(12),
  }),
  check({ range: asked, ifRange, size }) {
    const request = Headers.from([['range', asked]])
    if (ifRange !== undefined) request.set('if-range', ifRange)
    const part = partOf(request, Headers.from([['etag', '"a"']]), size)
    if (part === 'none') return
    assert.ok(ifRange === undefined || ifRange === '"a"', `If-Range ${ifRange} holds`)
    const [, first, last, suffix] = /^bytes=(?:(\d+)-(\d*)|-(\d+))$/i.exec(asked.replaceAll(/[ \t]/g, ''))!
    if (part === 'unsatisfiable') {
      assert.ok(suffix === undefined ? Number(first) >= size : Number(suffix) === 0 || size === 0)
      return
    }
    assert.ok(part.first >= 0 && part.first <= part.last && part.last < size)
    if (suffix !== undefined) assert.deepEqual(part, { first: Math.max(0, size - Number(suffix)), last: size - 1 })
    else assert.deepEqual(part, { first: Number(first), last: last === '' ? size - 1 : Math.min(size - 1, Number(last)) })
  },
})

const opaque = (tag: string): string => tag.replace(/^W\//, '')
const tagForm = '(?:W/)?"[\\x21\\x23-\\x7e\\x80-\\xff]*"'
const tagList = new RegExp(`^[ \\t]*(?:${tagForm}[ \\t]*,[ \\t]*)*${tagForm}[ \\t]*$`)

const entityTags = defineTarget({
  name: 'ETag, If-None-Match',
  promise: 'a client is told that it has the answer only when a well-formed list names its tag',
  cases: fc.record({
    list: spoilt(['"a"', 'W/"a", "b"', '"a,b", "c"', '*', '"b"'], ['"', ',', 'W/', '"a"', '*', '\\']).map(asValue),
    etag: spoilt(['"a"', 'W/"a"', '"a,b"'], ['"', 'W/']).map(asValue),
  }),
  check({ list, etag }) {
    const stored = Headers.from([['etag', etag]])
    const own = etagOf(stored)
    assert.equal(own, new RegExp(`^${tagForm}$`).test(etag) ? etag : undefined)
    const has = hasAlready(Headers.from([['if-none-match', list]]), stored, 200, now)
    if (trimSpace(list) === '*') assert.ok(has)
    else if (own === undefined) assert.ok(!has)
    else if (tagList.test(list)) {
      const tags = list.match(new RegExp(tagForm, 'g'))!
      assert.equal(
        has,
        tags.some((tag) => opaque(tag) === opaque(own)),
      )
    }
  },
})

export const cacheTargets = [cacheControl, targetedField, httpDate, ageAndLife, vary, range, entityTags]
