import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { exchangeOf } from '../../test/support/exchange.ts'
import type { Identity } from '../core/identity.ts'
import { ApiKeyAuthenticator } from './api-keys.ts'
import type { ApiKeySpec } from './identity-spec.ts'
import { Rejection } from './rejection.ts'

const now = 1_700_000_000_000

function keySpec(key: string, changes: Partial<ApiKeySpec> = {}): ApiKeySpec {
  return {
    id: 'worker',
    sha256: createHash('sha256').update(key).digest('hex'),
    subject: 'orders-worker',
    tenant: 'acme',
    scopes: ['orders:read'],
    roles: ['machine'],
    expiresAt: Infinity,
    addresses: [],
    ...changes,
  }
}

const keys = new ApiKeyAuthenticator([
  keySpec('gw_live_12345678_secret'),
  keySpec('old', { id: 'old', expiresAt: now + 1000 }),
  keySpec('office', { id: 'office', addresses: ['10.0.0.0/8', '2001:db8::/32'] }),
  keySpec('schlüssel'.normalize(), { id: 'unicode' }),
])

function verify(key: string, startedAt = now, remoteAddress = '192.0.2.1'): string {
  const found = keys.verify(key, exchangeOf({ startedAt, remoteAddress })) as Identity | Rejection
  return found instanceof Rejection ? found.reason : found.client!
}

test('recognises a key by its hash and says whose it is', () => {
  const found = keys.verify('gw_live_12345678_secret', exchangeOf()) as Identity
  assert.equal(found.kind, 'api-key')
  assert.equal(found.issuer, 'api-keys')
  assert.equal(found.subject, 'orders-worker')
  assert.equal(found.tenant, 'acme')
  assert.equal(found.client, 'worker')
  assert.deepEqual(found.scopes, ['orders:read'])
  assert.deepEqual(found.roles, ['machine'])
  assert.equal(found.credentialId, 'worker')
})

test('refuses what is no key, the hash itself, and near misses', () => {
  assert.equal(verify(''), 'empty')
  const hash = createHash('sha256').update('gw_live_12345678_secret').digest('hex')
  for (const key of [
    'x',
    hash,
    'gw_live_12345678_secre',
    'gw_live_12345678_secret ',
    'GW_LIVE_12345678_SECRET',
    'k'.repeat(100_000),
  ])
    assert.equal(verify(key), 'unknown-api-key', key.slice(0, 80))
})

test('a key ends when it expires', () => {
  assert.equal(verify('old', now + 999), 'old')
  assert.equal(verify('old', now + 1000), 'api-key-expired')
})

test('a key bound to addresses is refused from elsewhere', () => {
  assert.equal(verify('office', now, '10.1.2.3'), 'office')
  assert.equal(verify('office', now, '2001:db8::1'), 'office')
  assert.equal(verify('office', now, '192.0.2.1'), 'api-key-address')
})

test('a key beyond ASCII is compared by the bytes that were sent', () => {
  assert.equal(verify(Buffer.from('schlüssel').toString('latin1')), 'unicode')
})

const presented = (...headers: string[]): string | null | undefined => keys.presented(exchangeOf({ headers }))

test('keys travel in x-api-key, once', () => {
  assert.equal(presented('X-Api-Key', 'a'), 'a')
  assert.equal(presented('x-api-key', 'a', 'x-api-key', 'a'), null)
  assert.equal(presented('x_api_key', 'a'), undefined)
  assert.equal(presented('authorization', 'ApiKey a', 'cookie', 'x-api-key=a'), undefined)
})
