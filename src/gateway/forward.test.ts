import assert from 'node:assert/strict'
import { test } from 'node:test'
import { exchangeOf } from '../../test/support/exchange.ts'
import type { RouteModel } from '../config/model.ts'
import { Answer } from '../core/answer.ts'
import { emptyBody } from '../core/body.ts'
import { derivedExchange } from '../core/derived-exchange.ts'
import type { Exchange } from '../core/exchange.ts'
import { Headers } from '../core/headers.ts'
import type { Identity } from '../core/identity.ts'
import { ManualClock } from '../core/manual-clock.ts'
import { silentMeter } from '../core/meter.ts'
import type { Call } from '../core/service.ts'
import type { ServiceSpec } from '../services/service-spec.ts'
import { Sweeper } from '../core/sweeper.ts'
import { compileAction } from './compile-action.ts'

interface Told {
  readonly answer: Answer
  readonly call: Call
}

/** Sends an exchange through a route's action and gives what the service was asked. */
async function forwarded(
  x: Exchange,
  parts: { identity?: ServiceSpec['identity']; path?: string; host?: string } = {},
): Promise<Told> {
  let call: Call | undefined
  const spec = { name: 'orders', identity: parts.identity ?? 'none' } as ServiceSpec
  const route = {
    name: 'r',
    source: 'routes[0]',
    match: { paths: ['/a/{id}/**'], methods: [], hosts: [], headers: [], query: [], allow: [] },
    action: {
      kind: 'to',
      services: [{ service: 'orders', weight: 1 }],
      split: 'request',
      rewrite: parts.path === undefined && parts.host === undefined ? undefined : { path: parts.path, host: parts.host },
    },
    timeoutMs: 5000,
  } as unknown as RouteModel
  const service = (made: Call): Answer => {
    call = made
    return new Answer(200, new Headers(), emptyBody)
  }
  const { end: handler } = compileAction(route, {
    services: new Map([['orders', { spec, service }]]),
    clock: new ManualClock(),
    sweeper: new Sweeper(new ManualClock()),
    edits: [],
    hasApiKeys: true,
    random: Math.random,
    limitsOf: () => undefined,
    capacityOf: () => undefined,
    meter: silentMeter,
  })
  const answer = await handler(x)
  return { answer, call: call! }
}

const namesOf = (headers: Headers): string[] => {
  const names: string[] = []
  headers.forEach((name) => void names.push(name.toLowerCase()))
  return names
}

test('a service is asked for the normalised path with the query as it came', async () => {
  const { call } = await forwarded(exchangeOf({ target: '/a/7/b?x=%2F' }))
  assert.equal(call.target, '/a/7/b?x=%2F')
  assert.equal(call.authority, 'api.example.com')
  assert.equal(call.headBy, 5000)
})

test('a rewrite changes path and host and keeps the query', async () => {
  const x = exchangeOf({ target: '/a/7/b/c?q=1' })
  x.params = ['7', '/b/c']
  const { call } = await forwarded(x, { path: '/v2/{id}/**', host: 'internal.example' })
  assert.equal(call.target, '/v2/7/b/c?q=1')
  assert.equal(call.authority, 'internal.example')
})

test('hop-by-hop fields, credentials and forged identities stay behind; the rest goes on as it came', async () => {
  const headers = [
    'Accept',
    'text/html',
    'Connection',
    'X-Hop, keep-alive',
    'X-Hop',
    '1',
    'Keep-Alive',
    'timeout=5',
    'TE',
    'trailers',
    'Authorization',
    'Bearer t',
    'X-Api-Key',
    'k',
    'x_auth_subject',
    'admin',
    'X-AUTH-Roles',
    'root',
    'Remote_User',
    'root',
    'X-Forwarded-For',
    '203.0.113.9',
    'Forwarded',
    'for=203.0.113.9',
    'X-Request-Id',
    'forged',
    'traceparent',
    'junk',
    'tracestate',
    'a=1',
    'Cookie',
    'a=1; __Host-Http-velum=secret; b=2',
    'X-Custom',
    'kept',
  ]
  const { call } = await forwarded(exchangeOf({ headers }))
  const names = namesOf(call.headers)
  for (const gone of [
    'connection',
    'x-hop',
    'keep-alive',
    'te',
    'authorization',
    'x-api-key',
    'x_auth_subject',
    'x-auth-roles',
    'remote_user',
    'traceparent',
    'tracestate',
  ]) {
    assert.ok(!names.includes(gone), gone)
  }
  assert.equal(call.headers.get('x-custom'), 'kept')
  assert.equal(call.headers.get('cookie'), 'a=1; b=2')
  assert.equal(call.headers.get('x-forwarded-for'), '192.0.2.1')
  assert.equal(call.headers.get('forwarded'), 'for=192.0.2.1;host="api.example.com";proto=http')
  assert.equal(call.headers.get('x-request-id'), 'test-1')
  assert.equal(call.headers.get('via'), '1.1 velum')
})

test('a client cannot nominate away what the gateway adds', async () => {
  const { call } = await forwarded(exchangeOf({ headers: ['Connection', 'x-forwarded-for, via, x-request-id'] }))
  assert.equal(call.headers.get('x-forwarded-for'), '192.0.2.1')
  assert.equal(call.headers.get('via'), '1.1 velum')
  assert.equal(call.headers.get('x-request-id'), 'test-1')
})

test('a service that wants it gets the identity in headers, or the bearer token itself', async () => {
  const x = exchangeOf({ headers: ['Authorization', 'Bearer t'] })
  x.identity = {
    kind: 'bearer',
    issuer: 'i',
    subject: 'ada',
    tenant: 'acme',
    client: undefined,
    scopes: ['a', 'b'],
    roles: [],
    claims: {},
    expiresAt: Infinity,
    session: undefined,
    credentialId: undefined,
  }
  const told = await forwarded(x, { identity: 'headers' })
  assert.equal(told.call.headers.get('x-auth-subject'), 'ada')
  assert.equal(told.call.headers.get('x-auth-scopes'), 'a b')
  assert.equal(told.call.headers.has('authorization'), false)
  const passed = await forwarded(x, { identity: 'pass' })
  assert.equal(passed.call.headers.get('authorization'), 'Bearer t')
})

test('fields nominated on a second Connection line stay behind too', async () => {
  const headers = ['Connection', 'keep-alive', 'X-Hop', '1', 'Connection', 'x-hop']
  const { call } = await forwarded(exchangeOf({ headers }))
  assert.equal(call.headers.has('x-hop'), false)
})

test('what is nominated is the name between commas, spaces and tabs', async () => {
  const headers = ['X-A', '1', 'X-B', '2', 'X-C', '3', 'Connection', 'x-a \t,\tx-b, x-c\u00a0']
  const { call } = await forwarded(exchangeOf({ headers }))
  assert.deepEqual(
    ['x-a', 'x-b', 'x-c'].map((name) => call.headers.has(name)),
    [false, false, true],
  )
})

test('a connection that is upgraded gets the headers of later calls anew, for who calls by then', async () => {
  const x = exchangeOf({
    target: '/a/1/b',
    headers: ['upgrade', 'websocket', 'x-own', 'yes', 'x-auth-subject', 'forged'],
    upgrade: 'websocket',
  })
  const { call } = await forwarded(x, { identity: 'headers' })
  const derived = derivedExchange(x, { body: emptyBody })
  derived.identity = { kind: 'bearer', issuer: 'i', subject: 'later', scopes: [], roles: [] } as unknown as Identity
  const renewed = call.renew!(derived)
  assert.deepEqual(
    [call.headers.get('x-auth-subject'), renewed.get('x-auth-subject'), renewed.get('x-own')],
    [undefined, 'later', 'yes'],
  )
  assert.notEqual(renewed, call.headers)
  const plain = await forwarded(exchangeOf({ target: '/a/1/b' }))
  assert.equal(plain.call.renew, undefined)
})
