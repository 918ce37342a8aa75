import assert from 'node:assert/strict'
import { test } from 'node:test'
import { exchangeOf } from '../../test/support/exchange.ts'
import { accessToken, jwkSet, signed, signingKey } from '../../test/support/token-issuer.ts'
import type { Identity } from '../core/identity.ts'
import { BearerAuthenticator, BearerMemory } from './bearer.ts'
import type { TrustedIssuerSpec } from './identity-spec.ts'
import { parseJwkSet } from './jwk-set.ts'
import { JwtVerifier } from './jwt-verifier.ts'
import { Rejection } from './rejection.ts'
import { importVerificationKey } from './verification-key.ts'
import type { VerificationKey } from './verification-key.ts'

const now = 1_700_000_000_000
const key = signingKey('ES256')
const spec: TrustedIssuerSpec = {
  name: 'partner',
  issuer: 'https://issuer.example.com',
  jwksUri: 'https://issuer.example.com/jwks.json',
  jwksFile: undefined,
  audience: ['https://api.example.com'],
  algorithms: ['ES256'],
  tenant: undefined,
  tenants: undefined,
  maxLifetimeMs: 86_400_000,
}

/** An authenticator, and how often it asked for a key: once for each verification. */
async function bearerOf(): Promise<{
  bearer: BearerAuthenticator
  memory: BearerMemory
  keys: VerificationKey[]
  verified: () => number
}> {
  const imported = await Promise.all(parseJwkSet(jwkSet(key), ['ES256']).map(importVerificationKey))
  let asked = 0
  const keys = { find: () => (asked++, imported[0]), close() {} }
  const memory = new BearerMemory()
  return {
    bearer: new BearerAuthenticator(new JwtVerifier([{ spec, keys }], 'tenant'), memory),
    memory,
    keys: imported,
    verified: () => asked,
  }
}

/** What a token that arrives at this moment comes to; keys are at hand, so nothing waits. */
function verify(bearer: BearerAuthenticator, token: string, startedAt: number): Identity | Rejection {
  return bearer.verify(token, exchangeOf({ startedAt }), 0) as Identity | Rejection
}

test('reads the token of the scheme Bearer, in any case, and of no other scheme', async () => {
  const { bearer } = await bearerOf()
  const presented = (...headers: string[]): string | null | undefined => bearer.presented(exchangeOf({ headers }))
  assert.equal(presented('authorization', 'Bearer abc'), 'abc')
  assert.equal(presented('Authorization', 'bearer   abc'), 'abc')
  assert.equal(presented('AUTHORIZATION', 'BEARER abc'), 'abc')
  assert.equal(presented('authorization', 'Bearer'), '')
  assert.equal(presented('authorization', 'Bearer abc, Bearer def'), 'abc, Bearer def')
  for (const line of ['Basic YTpi', 'Bearerabc', 'Bear abc', '', 'abc'])
    assert.equal(presented('authorization', line), undefined, line)
  assert.equal(presented('x-api-key', 'Bearer abc', 'cookie', 'authorization=Bearer abc'), undefined)
})

test('two Authorization lines are one too many, whatever they hold', async () => {
  const { bearer } = await bearerOf()
  const presented = (...lines: string[]): string | null | undefined =>
    bearer.presented(exchangeOf({ headers: lines.flatMap((line) => ['authorization', line]) }))
  assert.equal(presented('Bearer a', 'Bearer a'), null)
  assert.equal(presented('Basic YTpi', 'Bearer a'), null)
  assert.equal(presented('Bearer a', ''), null)
})

test('a spelling with "_" is not a credential', async () => {
  const { bearer } = await bearerOf()
  assert.equal(bearer.presented(exchangeOf({ headers: ['autho_rization', 'Bearer a'] })), undefined)
})

test('verifies a token once and remembers it', async () => {
  const { bearer, verified } = await bearerOf()
  const token = accessToken(key, now)
  const found = verify(bearer, token, now) as Identity
  assert.equal(found.subject, 'user-1')
  assert.equal(verify(bearer, token, now + 1000), found)
  assert.equal(verified(), 1)
})

test('a remembered token ends with its lifetime, to the millisecond that a new one would', async () => {
  const { bearer } = await bearerOf()
  const token = accessToken(key, now)
  const endsAt = now + 600_000 + 30_000
  verify(bearer, token, endsAt - 1000)
  assert.equal((verify(bearer, token, endsAt - 1) as Identity).subject, 'user-1')
  assert.equal((verify(bearer, token, endsAt) as Rejection).reason, 'expired')
})

test('a token that lives long is verified anew every ten minutes', async () => {
  const { bearer, verified } = await bearerOf()
  const token = accessToken(key, now, { exp: now / 1000 + 7200 })
  for (let minute = 0; minute < 60; minute++) verify(bearer, token, now + minute * 60_000)
  assert.equal(verified(), 6)
})

test('a remembered token ends with the key it was verified with', async () => {
  const { bearer, keys, verified } = await bearerOf()
  const token = accessToken(key, now)
  verify(bearer, token, now)
  keys[0].isLive = false
  verify(bearer, token, now)
  assert.equal(verified(), 2)
})

test('a badly signed token that is sent again costs one verification in half a minute', async () => {
  const { bearer, memory, verified } = await bearerOf()
  const forged = accessToken({ ...signingKey('ES256'), kid: key.kid }, now)
  for (let i = 0; i < 100; i++) assert.equal((verify(bearer, forged, now + i) as Rejection).reason, 'bad-signature')
  assert.equal(verified(), 1)
  verify(bearer, forged, now + 30_000)
  assert.equal(verified(), 2)
  assert.equal(memory.good.size, 0)
})

test('junk fills no memory: neither what is malformed nor what was never signed', async () => {
  const { bearer, memory } = await bearerOf()
  for (let i = 0; i < 2000; i++) {
    const claims = { iss: 'https://issuer.example.com', sub: String(i) }
    for (const token of [`junk-${i}`, signed({ alg: 'ES256', kid: 'key-1', typ: 'at+jwt' }, claims, key)]) {
      assert.ok(verify(bearer, token, now) instanceof Rejection)
    }
  }
  assert.equal(memory.good.size + memory.bad.size, 0)
})

test('forged tokens push out forged tokens, not good ones', async () => {
  const { bearer, memory, verified } = await bearerOf()
  const token = accessToken(key, now)
  verify(bearer, token, now)
  const front = token.slice(0, token.lastIndexOf('.'))
  for (let i = 0; i < 1000; i++) {
    const signature = Buffer.alloc(64)
    signature.writeUInt32BE(i + 1, 30)
    assert.ok(verify(bearer, `${front}.${signature.toString('base64url')}`, now) instanceof Rejection)
  }
  assert.ok(memory.bad.size <= 256)
  const before = verified()
  assert.equal((verify(bearer, token, now) as Identity).subject, 'user-1')
  assert.equal(verified(), before)
})

test('a remembered token does not stand for one that only ends like it', async () => {
  const { bearer } = await bearerOf()
  const token = accessToken(key, now)
  verify(bearer, token, now)
  const [header, , signature] = token.split('.')
  const admin = Buffer.from(
    JSON.stringify({ iss: spec.issuer, aud: spec.audience, sub: 'admin', iat: now / 1000, exp: now / 1000 + 600 }),
  )
  const found = verify(bearer, `${header}.${admin.toString('base64url')}.${signature}`, now)
  assert.equal((found as Rejection).reason, 'bad-signature')
})
