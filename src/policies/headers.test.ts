import assert from 'node:assert/strict'
import { test } from 'node:test'
import { exchangeOf } from '../../test/support/exchange.ts'
import { optionFaults } from '../../test/support/option-faults.ts'
import { policyEnv } from '../../test/support/policy-env.ts'
import { Answer } from '../core/answer.ts'
import { emptyBody } from '../core/body.ts'
import type { Exchange } from '../core/exchange.ts'
import { Headers } from '../core/headers.ts'
import { renderHttpProblem } from '../core/problem.ts'
import { headers } from './headers.ts'
import type { HeadersInput } from './headers.ts'

type Lines = readonly string[]

const built = (input: HeadersInput): ReturnType<typeof headers.build> => headers.build(headers.options.parse(input), policyEnv())

/** Every line that would be sent, in order, as `name: value` with the name in lower case. */
function linesOf(sent: Headers): string[] {
  const seen: string[] = []
  sent.forEach((name, value) => void seen.push(`${name.toLowerCase()}: ${value}`))
  const written = sent
    .toLines()
    .split('\r\n')
    .filter((line) => line !== '')
    .map((line) => line.replace(/^[^:]+/, (name) => name.toLowerCase()))
  assert.deepEqual(written, seen, 'what is told is what is sent')
  return seen
}

function secureX(scheme: 'http' | 'https'): Exchange {
  const x = exchangeOf()
  x.scheme = scheme
  return x
}

function responseOf(input: HeadersInput, service: Lines, x = secureX('https')): string[] {
  // Built first, as a Generation is: names get their ids then, and messages are scanned for them.
  const policy = built(input)!.policies[0]
  const answer = new Answer(200, Headers.received(service), emptyBody)
  policy.onHead!(x, answer)
  return linesOf(answer.headers)
}

function requestOf(input: HeadersInput, received: Lines): string[] {
  const edit = built(input)!.requestEdit!
  const call = Headers.received(received).derive()
  edit(call, exchangeOf())
  return linesOf(call)
}

const protectedLines = [
  'strict-transport-security: max-age=31536000',
  'x-content-type-options: nosniff',
  'referrer-policy: no-referrer',
  "content-security-policy: frame-ancestors 'none'",
  'x-frame-options: DENY',
  'cross-origin-resource-policy: same-site',
]

test('secure adds protections and takes away what reveals the software', () => {
  const service = ['Server', 'nginx/1.22', 'content-type', 'text/html', 'X-Powered-By', 'Express', 'x_powered_by', 'PHP']
  assert.deepEqual(responseOf('secure', service), ['content-type: text/html', ...protectedLines])
})

test('HSTS is said over https only', () => {
  assert.deepEqual(responseOf('secure', [], secureX('http')), protectedLines.slice(1))
})

test('a service that speaks for itself is not overruled, but may not allow sniffing', () => {
  const service = [
    'content-security-policy',
    "default-src 'self'; frame-ancestors 'self'",
    'referrer-policy',
    'origin',
    'x-content-type-options',
    'no',
  ]
  assert.deepEqual(responseOf('secure', service), [
    "content-security-policy: default-src 'self'; frame-ancestors 'self'",
    'referrer-policy: origin',
    'strict-transport-security: max-age=31536000',
    'x-content-type-options: nosniff',
    'cross-origin-resource-policy: same-site',
  ])
  assert.deepEqual(responseOf('secure', ['X-Frame-Options', 'SAMEORIGIN'], secureX('http')), [
    'x-frame-options: SAMEORIGIN',
    'x-content-type-options: nosniff',
    'referrer-policy: no-referrer',
    'cross-origin-resource-policy: same-site',
  ])
})

test('answers of the gateway itself are protected too', () => {
  const x = secureX('https')
  const answer = renderHttpProblem({ name: 'forbidden' }, x)
  built('secure')!.policies[0].onHead!(x, answer)
  assert.deepEqual(linesOf(answer.headers), [
    'content-type: application/problem+json',
    'cache-control: no-store',
    ...protectedLines,
  ])
})

test('a configured answer with words of its own keeps them', () => {
  const x = secureX('http')
  const answer = new Answer(200, Headers.from([['content-security-policy', "default-src 'none'"]]), emptyBody)
  built('secure')!.policies[0].onHead!(x, answer)
  assert.deepEqual(linesOf(answer.headers).sort(), [
    "content-security-policy: default-src 'none'",
    'cross-origin-resource-policy: same-site',
    'referrer-policy: no-referrer',
    'x-content-type-options: nosniff',
  ])
})

test('explicit changes apply after secure and win', () => {
  const input: HeadersInput = {
    secure: true,
    response: {
      set: { 'X-Frame-Options': 'SAMEORIGIN', server: 'api' },
      remove: ['Referrer-Policy'],
      add: { 'set-cookie': 'a=1' },
    },
  }
  assert.deepEqual(responseOf(input, ['server', 'nginx', 'referrer-policy', 'origin', 'set-cookie', 'b=2'], secureX('http')), [
    'set-cookie: b=2',
    'x-content-type-options: nosniff',
    'cross-origin-resource-policy: same-site',
    'x-frame-options: SAMEORIGIN',
    'server: api',
    'set-cookie: a=1',
  ])
})

test('set replaces every line of a name, add adds one, remove takes all', () => {
  const service = ['X-A', '1', 'x-a', '2', 'x_a', '3', 'x-b', '1', 'X-C', '1']
  const input: HeadersInput = { response: { set: { 'x-a': 'new' }, add: { 'x-b': '2' }, remove: ['x-c'] } }
  assert.deepEqual(responseOf(input, service), ['x-b: 1', 'x-a: new', 'x-b: 2'])
})

test('what is set on top of lines that the gateway added replaces those too', () => {
  const answer = new Answer(200, Headers.received(['x-a', '1']), emptyBody)
  answer.headers.putLines('X-B: gateway\r\n')
  answer.headers.append('x-c', 'gateway')
  built({ response: { set: { 'x-b': 'new' }, remove: ['x-c'] } })!.policies[0].onHead!(exchangeOf(), answer)
  assert.deepEqual(linesOf(answer.headers).sort(), ['x-a: 1', 'x-b: new'])
})

test('a request is changed for the service, and the received one stays as it is', () => {
  const edit = built({ request: { set: { 'x-team': 'orders' }, remove: ['accept'], add: { 'x-more': '1' } } })!.requestEdit!
  const received = Headers.received(['host', 'a', 'X-Team', 'x', 'accept', '*/*', 'x_team', 'y'])
  const call = received.derive()
  edit(call, exchangeOf())
  assert.deepEqual(linesOf(call), ['host: a', 'x-team: orders', 'x-more: 1'])
  assert.deepEqual(linesOf(received), ['host: a', 'x-team: x', 'accept: */*', 'x_team: y'])
})

test('a request edit leaves nothing in the chain of policies, and nothing asked for leaves nothing at all', () => {
  assert.deepEqual(built({ request: { remove: ['x-a'] } })!.policies, [])
  for (const input of [{}, { secure: false }, { request: {} }, { response: { set: {}, remove: [] } }])
    assert.equal(built(input), undefined)
})

const untouchable =
  'connection Keep-Alive transfer-encoding content-length TE trailer upgrade expect host proxy-connection ' +
  'x-auth-subject X-Auth-Roles x-forwarded-user remote-user x-forwarded-for x-forwarded-anything forwarded via ' +
  'x-real-ip x-request-id traceparent'

for (const name of untouchable.split(' ')) {
  test(`requests cannot be edited under the name ${name}`, () => {
    const edits = [{ set: { [name]: 'x' } }, { add: { [name]: 'x' } }, { remove: [name] }]
    for (const request of edits) assert.equal(optionFaults(headers.options, { request }).length > 0, true, JSON.stringify(request))
  })
}

test('credentials for the service may be set: those of the client never got so far', () => {
  const request = { set: { authorization: 'Basic c2VydmljZQ==', 'x-api-key': 'of-the-service' } }
  assert.deepEqual(requestOf({ request }, []), ['authorization: Basic c2VydmljZQ==', 'x-api-key: of-the-service'])
})

test('framing and the request id of responses cannot be edited', () => {
  for (const name of ['content-length', 'Transfer-Encoding', 'connection', 'upgrade', 'X-Request-Id']) {
    assert.ok(optionFaults(headers.options, { response: { set: { [name]: 'x' } } }).length > 0, name)
    assert.ok(optionFaults(headers.options, { response: { remove: [name] } }).length > 0, name)
  }
})

test('names and values that could break a message are mistakes', () => {
  for (const name of ['', 'a b', 'a:b', 'a\r\nb', 'x_a', 'é'])
    assert.ok(optionFaults(headers.options, { response: { set: { [name]: 'x' } } }).length > 0, name)
  for (const value of ['a\r\nset-cookie: b', 'a\nb', ' a', 'a ', 'a\0b', '€']) {
    assert.ok(optionFaults(headers.options, { response: { set: { 'x-a': value } } }).length > 0, JSON.stringify(value))
  }
  assert.ok(optionFaults(headers.options, 'safe').length > 0)
  assert.deepEqual(optionFaults(headers.options, { response: { set: { 'x-a': '' } } }), [])
})

test("a route's own changes are joined with the defaults' by key and by header name", () => {
  const defaults: HeadersInput = { secure: true, response: { set: { 'X-A': '1', 'x-b': '1' }, remove: ['x-c'] } }
  const own: HeadersInput = { response: { set: { 'x-a': '2' }, remove: ['x-d'] }, request: { add: { 'x-e': '1' } } }
  assert.deepEqual(headers.merge!(defaults, own), {
    secure: true,
    response: { set: { 'x-a': '2', 'x-b': '1' }, remove: ['x-d'] },
    request: { add: { 'x-e': '1' } },
  })
  assert.deepEqual(headers.merge!('secure', { secure: false }), { secure: false })
  assert.deepEqual(headers.merge!({ response: { remove: ['x-a'] } }, 'secure'), { response: { remove: ['x-a'] }, secure: true })
})

test('a value that a request does not have takes out what came under its name', () => {
  const input = { request: { set: { 'x-who': '{subject}', 'x-how': '{method} {scheme}' }, add: { 'x-by': '{tenant}' } } }
  const lines = requestOf(input, ['X-Who', 'me', 'Accept', '*/*'])
  assert.deepEqual(lines, ['accept: */*', 'x-how: GET http'])
})
