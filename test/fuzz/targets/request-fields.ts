import assert from 'node:assert/strict'
import fc from 'fast-check'
import { Headers } from '../../../src/core/headers.ts'
import type { Exchange } from '../../../src/core/exchange.ts'
import { grpcMessage, grpcTimeoutOf, parseGrpcTimeout } from '../../../src/core/grpc-status.ts'
import { originBehindProxies } from '../../../src/gateway/forwarded.ts'
import { readRecordedLine } from '../../../src/gateway/recorded-request.ts'
import { isTraceparent } from '../../../src/gateway/trace-context.ts'
import { parseFilter, FilterError } from '../../../src/admin/request-filter.ts'
import { cookieNames, readCookie } from '../../../src/identity/cookies.ts'
import { withoutOwnCookies } from '../../../src/identity/protected-headers.ts'
import { canonicalAddress } from '../../../src/lib/address.ts'
import { trimSpace } from '../../../src/lib/trim-space.ts'
import { chooseCoding, contentCodings } from '../../../src/policies/accept-encoding.ts'
import { MediaTypes, parseMediaRange } from '../../../src/policies/media-types.ts'
import { exchangeOf } from '../../support/exchange.ts'
import { defineTarget } from '../fuzz-target.ts'
import { spoilt } from '../spoilt.ts'

/** Header values as a wire lets them through: no line ends, no control bytes. */
const asValue = (text: string): string => trimSpace(text.replace(/[\0\n\r\x7f]/g, ' '))

const exchangeWith = (name: string, lines: readonly string[]): Exchange =>
  exchangeOf({ headers: lines.flatMap((line) => [name, line]) })

const own = cookieNames.session
const cookies = ['a=b', `${own}=secret`, `a=b; ${own}=secret; c=d`, `${own}=1; ${own}=2`, `a="; ${own}=x"`, `x${own}=y`]
const cookieWords = [
  own,
  own.toLowerCase(),
  own.toUpperCase(),
  '=',
  '; ',
  ';',
  ' ',
  '\t',
  '\u00a0',
  '"',
  `${own}=z`,
  `; ${own}-refresh=r`,
  ',',
]

const cookie = defineTarget({
  name: 'Cookie',
  promise: 'our own cookie is found once, or refused when it is there twice; no spelling of it reaches a service',
  cases: fc.array(spoilt(cookies, cookieWords).map(asValue), { minLength: 1, maxLength: 3 }),
  fewCases: 500,
  check(lines) {
    const x = exchangeWith('cookie', lines)
    // Another reading: the pairs between semicolons.
    const pairs = lines
      .join('; ')
      .split(';')
      .map((pair) => pair.replace(/^[ \t]+/, ''))
    const values = pairs.filter((pair) => pair.startsWith(`${own}=`)).map((pair) => trimSpace(pair).slice(own.length + 1))
    const expected = values.length === 0 ? undefined : values.length === 1 ? values[0] : null
    assert.equal(readCookie(x, own), expected)
    withoutOwnCookies(x.headers, x)
    const left = x.headers.all('cookie').flatMap((line) => line.split(';').map(trimSpace))
    assert.ok(!left.some((pair) => pair.trim().toLowerCase().startsWith('__host-http-velum')), left.join(' | '))
    const kept = pairs.map(trimSpace).filter((pair) => pair !== '' && !pair.trim().toLowerCase().startsWith('__host-http-velum'))
    assert.deepEqual(
      left.filter((pair) => pair !== ''),
      kept,
    )
  },
})

const chains = ['192.0.2.7', '1.1.1.1, 10.0.0.2', '[2001:db8::1]:80, 10.0.0.3', 'unknown', '1.2.3.4:5', '10.0.0.1, 10.0.0.2']
const elements = [
  'for=192.0.2.7;proto=https',
  'for="[2001:db8::1]:8080", for=10.0.0.2',
  'For=_hidden;by=x',
  'for=unknown',
  'proto=http;for=1.1.1.1',
]
const chainWords = [',', ', ', '10.0.0.9', '[', ']', ':', '"', 'for=', ';', 'proto=https', 'proto=ftp', '%', '0x1', '::']
const isProxy = (address: string): boolean => address.startsWith('10.')

const forwarded = defineTarget({
  name: 'Forwarded, X-Forwarded-For',
  promise: 'a client is an address that stands there as a whole, behind proxies that are all trusted',
  cases: fc.record({
    chain: fc.option(spoilt(chains, chainWords).map(asValue), { nil: undefined }),
    element: fc.option(spoilt(elements, chainWords).map(asValue), { nil: undefined }),
    proto: fc.option(spoilt(['https', 'http', 'https, http'], [',']).map(asValue), { nil: undefined }),
    near: fc.constantFrom('10.0.0.1', '192.0.2.1'),
  }),
  fewCases: 500,
  check({ chain, element, proto, near }) {
    const headers: string[] = []
    if (chain !== undefined) headers.push('x-forwarded-for', chain)
    if (element !== undefined) headers.push('forwarded', element)
    if (proto !== undefined) headers.push('x-forwarded-proto', proto)
    const { address, scheme } = originBehindProxies(exchangeOf({ headers, remoteAddress: near }), isProxy, canonicalAddress)
    assert.ok(scheme === 'http' || scheme === 'https')
    if (address === near) return
    assert.ok(isProxy(near), 'hearsay of a stranger')
    assert.equal(canonicalAddress(address), address)
    if (chain === undefined) return
    const hops = chain.split(',').map((hop) => trimSpace(hop))
    // Which hop it is, counted from the near end: those before it are trusted proxies, and it stands there whole.
    const read = hops.map((hop) => {
      const bare = /^\[([^\]]*)\](?::(?:\d{1,5}|_[\w.-]+))?$/.exec(hop) ?? /^([^:[\]]*):(?:\d{1,5}|_[\w.-]+)$/.exec(hop)
      return canonicalAddress(bare?.[1] ?? hop)
    })
    let at = read.length - 1
    while (at > 0 && read[at] !== undefined && isProxy(read[at]!) && read[at - 1] !== undefined) at--
    if (hops.length <= 32) assert.equal(address, read[at], hops[at])
  },
})

const traces = [
  '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  'cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what',
  '00-00000000000000000000000000000000-b7ad6b7169203331-01',
]

const isHex = (text: string | undefined, length: number): boolean => text?.length === length && /^[0-9a-f]*$/.test(text)

const traceparent = defineTarget({
  name: 'traceparent',
  promise: 'passed on only as W3C Trace Context writes it: no zero ids, no version ff, no capitals',
  cases: spoilt(traces, ['0'.repeat(16), '0'.repeat(32), 'ff', '-', '-x', 'A', '00']).map(asValue),
  check(value) {
    const parts = value.split('-')
    const [version, trace, parent, flags] = parts
    const isGood =
      isHex(version, 2) &&
      version !== 'ff' &&
      isHex(trace, 32) &&
      isHex(parent, 16) &&
      isHex(flags, 2) &&
      /[^0]/.test(trace) &&
      /[^0]/.test(parent) &&
      (parts.length === 4 || version !== '00')
    assert.equal(isTraceparent(value), isGood)
  },
})

const acceptEncoding = defineTarget({
  name: 'Accept-Encoding',
  promise: 'a coding is used only where the client takes it, and never one that it likes less than another offered',
  cases: spoilt(
    ['gzip, deflate, br', 'br;q=0.5, gzip;q=0.8', '*', 'identity;q=0, *;q=0.1', 'gzip;q=0', 'zstd;q=1.000'],
    ['br', 'gzip', 'zstd', '*', ';q=', '0', '1', '0.001', '1.001', ',', ' ', ';'],
  ).map(asValue),
  check(field) {
    const chosen = chooseCoding(field, contentCodings)
    assert.equal(chooseCoding(undefined, contentCodings), undefined)
    if (chosen === undefined) return
    const weights = new Map<string, number>()
    for (const part of field.toLowerCase().split(',')) {
      const [name, ...parameters] = part.split(';').map(trimSpace)
      const q = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2)
      const coding = name === 'x-gzip' ? 'gzip' : name
      const weight = q === undefined ? 1 : /^(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/.test(q) ? Number(q) : 0
      if (name !== '') weights.set(coding, Math.min(weight, weights.get(coding) ?? 1))
    }
    const weightOf = (name: string): number => weights.get(name) ?? weights.get('*') ?? 0
    assert.ok(weightOf(chosen) > 0)
    for (const other of contentCodings) assert.ok(weightOf(other) <= weightOf(chosen), other)
  },
})

const mediaType = defineTarget({
  name: 'media types',
  promise: 'what is checked is the type that a parser of parameters would see; ranges read to themselves',
  cases: spoilt(
    ['application/json', 'text/*', '*/*', 'Application/JSON; charset=utf-8', 'multipart/form-data; boundary="a;b"'],
    ['/', '*', ';', '"', ' ', ',', 'application/json', '\u00a0'],
  ).map(asValue),
  check(text) {
    const range = parseMediaRange(text)
    if (range !== undefined) {
      assert.equal(parseMediaRange(range), range)
      assert.match(range, /^[!#$%&'*+\-.^_`|~0-9a-z]+\/[!#$%&'*+\-.^_`|~0-9a-z]+$/)
    }
    const accepted = new MediaTypes(['application/json']).accept(Headers.from([['content-type', text]]))
    if (accepted) assert.match(text, /^application\/json[ \t]*(?:;|$)/i)
  },
})

const grpcText = defineTarget({
  name: 'grpc-timeout, grpc-message',
  promise: 'a timeout that is written is never longer than it was; a message survives its encoding as visible ASCII',
  cases: fc.record({
    text: spoilt(['1S', '100m', '99999999H', '5u'], ['H', 'M', 'n', '9'.repeat(9), '-', '.']),
    ms: fc.double({ min: 0, max: 1e12, noNaN: true }),
    message: fc.string({ unit: 'grapheme', maxLength: 20 }),
  }),
  check({ text, ms, message }) {
    const read = parseGrpcTimeout(text)
    assert.equal(read !== undefined, /^\d{1,8}[HMSmun]$/.test(text))
    const written = parseGrpcTimeout(grpcTimeoutOf(ms))!
    assert.ok(written <= Math.max(ms, 0.001) + 1e-9 * ms, `${ms} became ${written}`)
    const encoded = grpcMessage(message)
    assert.match(encoded, /^[!-~]?(?:[ -~]*[!-~])?$/)
    assert.equal(decodeURIComponent(encoded), message.toWellFormed())
  },
})

const line = {
  msg: 'access',
  time: Date.UTC(2026, 1, 1),
  durationMs: 3,
  id: 'r',
  method: 'GET',
  host: 'a',
  path: '/',
  status: 200,
  listener: 'web',
  address: '192.0.2.1',
}
const recordedLine = defineTarget({
  name: 'access-log lines for replay',
  promise: 'a whole request, another line or a broken one; never throws, and what it gives has the types it says',
  cases: fc.oneof(
    spoilt(
      [
        JSON.stringify(line),
        JSON.stringify({
          ...line,
          query: 'a=b',
          subject: 's',
          issuer: 'i',
          credential: 'session',
          scopes: ['x'],
          headers: { accept: '*/*' },
        }),
        '{"msg":"started"}',
      ],
      ['"', ',', '{', '}', 'null', '[]', '1e999', '"__proto__":1', '\\u0000', ':'],
    ),
    fc
      .dictionary(
        fc.constantFrom(
          ...Object.keys(line),
          'query',
          'headers',
          'claims',
          'scopes',
          'tls',
          'length',
          'subject',
          'issuer',
          'credential',
        ),
        fc.jsonValue({ maxDepth: 2 }),
      )
      .map((changes) => JSON.stringify({ ...line, ...changes })),
  ),
  check(text) {
    const read = readRecordedLine(text)
    if (typeof read === 'string') return
    assert.ok(read.path.startsWith('/') && Number.isFinite(read.at) && Number.isFinite(read.status) && Number.isFinite(read.length))
    assert.ok(read.query === undefined || typeof read.query === 'string')
    for (const [name, value] of read.headers) assert.doesNotThrow(() => Headers.from([[name, value]]))
    if (read.caller !== undefined) {
      assert.ok(read.caller.scopes.every((scope) => typeof scope === 'string'))
      assert.equal(typeof read.caller.claims, 'object')
    }
  },
})

const requestFilter = defineTarget({
  name: 'filters of the request list',
  promise: 'a filter with a bounded number of rows, or a FilterError',
  cases: spoilt(
    ['status=4xx&route=orders&limit=50', 'limit=1', 'method=GET&method=POST', '__proto__=1', 'constructor=1'],
    ['&', '=', '%', 'limit=', '0', '2001', 'status'],
  ),
  check(query) {
    try {
      const { limit } = parseFilter(new URLSearchParams(query))
      assert.ok(limit >= 1 && limit <= 2000)
    } catch (thrown) {
      assert.ok(thrown instanceof FilterError, String(thrown))
    }
  },
})

export const requestFieldTargets = [
  cookie,
  forwarded,
  traceparent,
  acceptEncoding,
  mediaType,
  grpcText,
  recordedLine,
  requestFilter,
]
