import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { exchangeOf } from '../../test/support/exchange.ts'
import { optionFaults } from '../../test/support/option-faults.ts'
import { policyEnv } from '../../test/support/policy-env.ts'
import { Answer } from '../core/answer.ts'
import { textBody } from '../core/body.ts'
import type { Exchange } from '../core/exchange.ts'
import { Headers } from '../core/headers.ts'
import { compose } from '../core/pipeline.ts'
import type { Policy } from '../core/policy.ts'
import { refuse } from '../core/verdict.ts'
import { Origins, parseOriginPattern } from './cors-origins.ts'
import { cors } from './cors.ts'
import type { CorsInput } from './cors.ts'

const app = 'https://app.example.com'

function policyOf(input: CorsInput): Policy {
  return cors.build(cors.options.parse(input), policyEnv())!.policies[0]
}

/** What a client gets from a route with this setting whose service answers with these headers. */
async function answerOf(
  input: CorsInput,
  x: Exchange,
  service: readonly string[] = [],
  behind: readonly Policy[] = [],
): Promise<Answer> {
  let isReached = false
  const handler = compose([policyOf(input), ...behind], () => {
    isReached = true
    return new Answer(200, Headers.received(service), textBody('content'))
  })
  const answer = await handler(x)
  if (x.method === 'OPTIONS') assert.equal(isReached, false, 'a preflight never reaches the service')
  return answer
}

const from = (origin: string | undefined, ...headers: string[]): Exchange =>
  exchangeOf({ headers: [...(origin === undefined ? [] : ['origin', origin]), ...headers] })

const preflightFrom = (origin: string, method = 'PUT', ...headers: string[]): Exchange =>
  exchangeOf({ method: 'OPTIONS', headers: ['origin', origin, 'access-control-request-method', method, ...headers] })

const corsLines = (answer: Answer): Record<string, string> => {
  const lines: Record<string, string> = {}
  answer.headers.forEach((name, value) => {
    const lower = name.toLowerCase()
    if (lower === 'vary' || lower.startsWith('access-control-'))
      lines[lower] = lower in lines ? `${lines[lower]} AND ${value}` : value
  })
  return lines
}

test('a page of a listed origin may read the answer', async () => {
  assert.deepEqual(corsLines(await answerOf({ origins: [app] }, from(app))), { vary: 'Origin', 'access-control-allow-origin': app })
})

test('a page of another origin may not, but the request is not refused: it may come from a program', async () => {
  const answer = await answerOf({ origins: [app] }, from('https://evil.example'))
  assert.equal(answer.status, 200)
  assert.deepEqual(corsLines(answer), { vary: 'Origin' })
})

test('an answer to nobody in particular says that it depends on the origin', async () => {
  assert.deepEqual(corsLines(await answerOf({ origins: [app] }, from(undefined))), { vary: 'Origin' })
})

test('an answer for every page is the same for all, so caches may share it', async () => {
  for (const origin of [undefined, app, 'https://evil.example', 'null']) {
    assert.deepEqual(corsLines(await answerOf({ origins: '*' }, from(origin))), { 'access-control-allow-origin': '*' })
  }
})

test('credentials and readable headers are allowed only to listed origins', async () => {
  const input: CorsInput = { origins: [app], credentials: true, exposeHeaders: ['X-Total', 'etag'] }
  assert.deepEqual(corsLines(await answerOf(input, from(app))), {
    vary: 'Origin',
    'access-control-allow-origin': app,
    'access-control-allow-credentials': 'true',
    'access-control-expose-headers': 'x-total, etag',
  })
  assert.deepEqual(corsLines(await answerOf(input, from('https://evil.example'))), { vary: 'Origin' })
})

test('what the service says about CORS is replaced, and taken away where it should say nothing', async () => {
  const service = [
    'Access-Control-Allow-Origin',
    '*',
    'access-control-allow-credentials',
    'true',
    'Access-Control-Max-Age',
    '9',
    'etag',
    '"1"',
  ]
  const allowed = await answerOf({ origins: [app] }, from(app), service)
  assert.deepEqual(corsLines(allowed), { vary: 'Origin', 'access-control-allow-origin': app })
  assert.equal(allowed.headers.get('etag'), '"1"')
  assert.deepEqual(corsLines(await answerOf({ origins: [app] }, from('https://evil.example'), service)), { vary: 'Origin' })
})

const varyRows: readonly (readonly [service: string[], expected: string])[] = [
  [['vary', 'Accept-Encoding'], 'Accept-Encoding, Origin'],
  [['vary', 'accept, ORIGIN'], 'accept, ORIGIN'],
  [['vary', '*'], '*'],
  [['vary', 'Accept', 'Vary', 'Accept-Language'], 'Accept, Accept-Language, Origin'],
  [['vary', 'X-Origin'], 'X-Origin, Origin'],
]

for (const [service, expected] of varyRows) {
  test(`Vary of the service ${JSON.stringify(service.filter((_, i) => i % 2 === 1))} becomes ${expected}`, async () => {
    const answer = await answerOf({ origins: [app] }, from(app), service)
    assert.equal(answer.headers.get('vary'), expected)
  })
}

test('a preflight is answered here: with the method that was asked for, and the headers', async () => {
  const answer = await answerOf(
    { origins: [app] },
    preflightFrom(app, 'PUT', 'access-control-request-headers', 'authorization,x-team'),
  )
  assert.equal(answer.status, 204)
  assert.deepEqual(corsLines(answer), {
    vary: 'Origin, Access-Control-Request-Method, Access-Control-Request-Headers',
    'access-control-allow-origin': app,
    'access-control-max-age': '600',
    'access-control-allow-methods': 'PUT',
    'access-control-allow-headers': 'authorization,x-team',
  })
})

test('a preflight is answered with the methods and headers of the setting, whatever was asked for', async () => {
  const input: CorsInput = { origins: [app], methods: ['GET', 'PUT'], headers: ['Authorization'], credentials: true, maxAge: '1h' }
  const answer = await answerOf(input, preflightFrom(app, 'DELETE', 'access-control-request-headers', 'x-evil'))
  assert.deepEqual(corsLines(answer), {
    vary: 'Origin',
    'access-control-allow-origin': app,
    'access-control-allow-credentials': 'true',
    'access-control-max-age': '3600',
    'access-control-allow-methods': 'GET, PUT',
    'access-control-allow-headers': 'authorization',
  })
})

test('a preflight for every page', async () => {
  const answer = await answerOf({ origins: '*', methods: ['GET'], headers: [] }, preflightFrom('https://any.example'))
  assert.deepEqual(corsLines(answer), {
    'access-control-allow-origin': '*',
    'access-control-max-age': '600',
    'access-control-allow-methods': 'GET',
  })
})

test('a preflight of another origin is 403 without any CORS header', async () => {
  const answer = await answerOf({ origins: [app] }, preflightFrom('https://evil.example'))
  assert.equal(answer.status, 403)
  assert.deepEqual(corsLines(answer), { vary: 'Origin' })
})

test('a list of headers that is none, or endless, is not echoed', async () => {
  for (const asked of ['x-team\tevil', 'a b', ', ,', 'é', `${'x-long,'.repeat(200)}x`]) {
    const answer = await answerOf({ origins: [app] }, preflightFrom(app, 'PUT', 'access-control-request-headers', asked))
    assert.equal(answer.headers.get('access-control-allow-headers'), undefined, asked)
  }
})

test('OPTIONS that is no preflight goes its way', async () => {
  const policy = policyOf({ origins: [app] })
  const handler = compose([policy], () => new Answer(200, new Headers(), textBody('options')))
  const method = 'OPTIONS'
  for (const headers of [
    [],
    ['origin', app],
    ['access-control-request-method', 'PUT'],
    ['origin', app, 'access-control-request-method', 'a b'],
  ]) {
    assert.equal((await handler(exchangeOf({ method, headers }))).status, 200)
  }
})

test('a refusal behind it carries what the page needs to read it; a preflight is answered before any refusal', async () => {
  const closed: Policy = {
    name: 'auth',
    stage: 'authenticate',
    source: '',
    decide: () => refuse('no', { name: 'unauthenticated' }),
  }
  const answer = await answerOf({ origins: [app] }, from(app), [], [closed])
  assert.equal(answer.status, 401)
  assert.equal(answer.headers.get('access-control-allow-origin'), app)
  assert.equal((await answerOf({ origins: [app] }, preflightFrom(app), [], [closed])).status, 204)
})

test('what was decided can be told without an answer', () => {
  const policy = policyOf({ origins: [app] })
  const codeOf = (x: Exchange): string => (policy.decide!(x, 'peek') as { code: string }).code
  assert.equal(codeOf(from(undefined)), 'no-origin')
  assert.equal(codeOf(from(app)), 'allowed')
  assert.equal(codeOf(from('https://evil.example')), 'other-origin')
  assert.equal(codeOf(preflightFrom(app)), 'preflight')
  assert.equal(codeOf(preflightFrom('https://evil.example')), 'other-origin')
})

const originRows: readonly (readonly [pattern: string, origin: string, isIn: boolean])[] = [
  ['https://app.example.com', 'https://app.example.com', true],
  ['https://app.example.com', 'http://app.example.com', false],
  ['https://app.example.com', 'https://app.example.com:8443', false],
  ['https://app.example.com', 'https://app.example.com.evil.net', false],
  ['https://app.example.com', 'https://APP.example.com', false],
  ['https://*.example.com', 'https://app.example.com', true],
  ['https://*.example.com', 'https://a.b-c.example.com', true],
  ['https://*.example.com', 'https://example.com', false],
  ['https://*.example.com', 'https://.example.com', false],
  ['https://*.example.com', 'https://a..example.com', false],
  ['https://*.example.com', 'https://evilexample.com', false],
  ['https://*.example.com', 'https://evil.net/.example.com', false],
  ['https://*.example.com', 'https://evil.net:443.example.com', false],
  ['https://*.example.com', 'https://evil.net#.example.com', false],
  ['https://*.example.com', 'https://user@evil.example.com', false],
  ['https://*.example.com', 'https://app.example.com:8443', false],
  ['https://*.example.com:8443', 'https://app.example.com:8443', true],
  ['https://*.example.com', 'null', false],
  ['https://*.example.com', '', false],
  ['http://localhost:5173', 'http://localhost:5173', true],
  ['http://[::1]:5173', 'http://[::1]:5173', true],
]

for (const [pattern, origin, isIn] of originRows) {
  test(`${pattern} ${isIn ? 'is' : 'is not'} ${JSON.stringify(origin)}`, () => {
    assert.equal(new Origins([parseOriginPattern(pattern)!]).has(origin), isIn)
  })
}

test('whatever a pattern for subdomains takes is a host below that domain, as a browser reads it', () => {
  const origins = new Origins([parseOriginPattern('https://*.example.com')!])
  const piece = fc.constantFrom(
    'a',
    'evil.net',
    '.',
    '/',
    ':',
    '@',
    '#',
    '?',
    '\\',
    '%',
    ' ',
    '-',
    'A',
    'example.com',
    '.example.com',
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 6 }), (pieces) => {
      const origin = `https://${pieces.join('')}.example.com`
      if (!origins.has(origin)) return
      const url = new URL(origin)
      assert.equal(url.origin, origin)
      assert.ok(url.hostname.endsWith('.example.com'))
    }),
    { numRuns: 2000 },
  )
})

test('origins that no browser sends are mistakes, and so are credentials for every page', () => {
  const texts = [
    'app.example.com',
    'https://app.example.com/',
    'https://app.example.com:443',
    'http://app.example.com:80',
    'https://App.example.com',
  ]
  for (const text of [
    ...texts,
    'null',
    '*',
    'https://*',
    'https://a.*.com',
    'ftp://a.b',
    'https://user@a.b',
    'https://*.[::1]',
    '',
  ])
    assert.ok(
      optionFaults(cors.options, { origins: [text] }).some((fault) => fault.includes('is not an origin')),
      text,
    )
  assert.match(optionFaults(cors.options, { origins: '*', credentials: true })[0], /^credentials: /)
  assert.match(optionFaults(cors.options, { origins: [app], methods: ['get'] })[0], /upper case/)
  assert.match(optionFaults(cors.options, { origins: [app], headers: ['a b'] })[0], /not a header name/)
  assert.match(optionFaults(cors.options, { origins: [] }).join(), /origins/)
  assert.match(optionFaults(cors.options, {}).join(), /origins/)
})
