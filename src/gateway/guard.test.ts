import assert from 'node:assert/strict'
import { test } from 'node:test'
import { exchangeOf } from '../../test/support/exchange.ts'
import { canonicalAddress } from '../lib/address.ts'
import { createGuard } from './guard.ts'

const trace = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
const guard = createGuard({ isTrustedProxy: (address) => address === '10.0.0.1', parseAddress: canonicalAddress })

test('reads the path once and hands on what only some routes allow', () => {
  const x = exchangeOf({ target: '/a/./b/%7Euser//c%2Fd?q=%2e' })
  assert.equal(guard(x), undefined)
  assert.equal(x.path, '/a/b/~user/c%2Fd')
  assert.equal(x.query, 'q=%2e')
  assert.equal(x.hasEncodedSlash, true)
})

test('a path that cannot be read is refused with a reason', () => {
  for (const target of ['/a/../../b', '/a\\b', '/%00', '/%zz', '/%c0%af']) {
    const problem = guard(exchangeOf({ target }))
    assert.equal(problem?.name, 'malformed', target)
    assert.ok(problem.detail, target)
  }
})

test('request ids of strangers are replaced, those of trusted proxies kept when they are fit for a log', () => {
  const id = 'from-the-proxy_1'
  const stranger = exchangeOf({ headers: ['X-Request-Id', id] })
  guard(stranger)
  assert.notEqual(stranger.id, id)
  const proxied = exchangeOf({ headers: ['X-Request-Id', id], remoteAddress: '10.0.0.1' })
  guard(proxied)
  assert.equal(proxied.id, id)
  const odd = exchangeOf({ headers: ['X-Request-Id', 'a b"c'], remoteAddress: '10.0.0.1' })
  guard(odd)
  assert.match(odd.id, /^[a-z0-9]+-[a-z0-9]+$/)
})

test('no two exchanges have the same id', () => {
  const ids = new Set<string>()
  for (let i = 0; i < 1000; i++) {
    const x = exchangeOf()
    guard(x)
    ids.add(x.id)
  }
  assert.equal(ids.size, 1000)
})

test('a traceparent is continued when it is well formed, and dropped otherwise', () => {
  const good = exchangeOf({ headers: ['traceparent', trace] })
  guard(good)
  assert.equal(good.traceparent, trace)
  const bad = [
    trace.replace('00-', 'ff-'),
    trace.slice(0, -1),
    `${trace}-extra`,
    '00-00000000000000000000000000000000-00f067aa0ba902b7-01',
    '00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01',
    trace.toUpperCase(),
  ]
  for (const value of bad) {
    const x = exchangeOf({ headers: ['traceparent', value] })
    guard(x)
    assert.equal(x.traceparent, undefined, value)
  }
})

test('only a trusted proxy can say who the client is', () => {
  const stranger = exchangeOf({ headers: ['X-Forwarded-For', '203.0.113.9', 'X-Forwarded-Proto', 'https'] })
  guard(stranger)
  assert.equal(stranger.clientAddress, '192.0.2.1')
  assert.equal(stranger.scheme, 'http')
  const proxied = exchangeOf({
    headers: ['X-Forwarded-For', '203.0.113.9', 'X-Forwarded-Proto', 'https'],
    remoteAddress: '10.0.0.1',
  })
  guard(proxied)
  assert.equal(proxied.clientAddress, '203.0.113.9')
  assert.equal(proxied.scheme, 'https')
  assert.equal(proxied.isProxied, true)
})
