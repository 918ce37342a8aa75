import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { forgeryAt, issuerKeys, stranger } from '../../test/support/forged-tokens.ts'
import { accessToken, jwkSet, signed } from '../../test/support/token-issuer.ts'
import type { SigningKey } from '../../test/support/token-issuer.ts'
import type { Identity } from '../core/identity.ts'
import type { TrustedIssuerSpec } from './identity-spec.ts'
import { parseJwkSet } from './jwk-set.ts'
import { JwtVerifier } from './jwt-verifier.ts'
import type { Judgement } from './jwt-verifier.ts'
import type { KeySource } from './key-source.ts'
import { Rejection, rejections } from './rejection.ts'
import { importVerificationKey } from './verification-key.ts'
import type { VerificationKey } from './verification-key.ts'

const now = 1_700_000_000_000
const seconds = now / 1000
const algorithms = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519']

const spec: TrustedIssuerSpec = {
  name: 'partner',
  issuer: 'https://issuer.example.com',
  jwksUri: 'https://issuer.example.com/jwks.json',
  jwksFile: undefined,
  audience: ['https://api.example.com'],
  algorithms,
  tenant: undefined,
  tenants: undefined,
  maxLifetimeMs: 86_400_000,
}

const { ec, rsa, ed } = issuerKeys

async function keySourceOf(keys: readonly SigningKey[]): Promise<KeySource> {
  const imported = await Promise.all(parseJwkSet(jwkSet(...keys), algorithms).map(importVerificationKey))
  const byId = new Map(imported.map((key) => [key.kid, key]))
  return { find: (kid) => byId.get(kid) ?? rejections['unknown-key'], close() {} }
}

let verifier: JwtVerifier
let known: KeySource
before(async () => {
  known = await keySourceOf([ec, rsa, ed])
  verifier = new JwtVerifier([{ spec, keys: known }], 'tenant')
})

const judge = (token: string, by = verifier): Identity | Rejection => (by.verify(token, now) as Judgement).found

function reasonOf(token: string, by = verifier): string {
  const found = judge(token, by)
  return found instanceof Rejection ? found.reason : `accepted ${found.subject}`
}

const judgementOf = (token: string): Judgement => verifier.verify(token, now) as Judgement
const tenantOf = (by: JwtVerifier, token: string): string | undefined => (judge(token, by) as Identity).tenant

const { header, claims, good, withHeader, withClaims, attacks } = forgeryAt(seconds)
const [goodHeader, goodClaims, goodSignature] = good.split('.')

for (const [name, token, reason] of attacks) {
  test(`refuses ${name}`, () => assert.equal(reasonOf(token()), reason))
}

test('only a token with nothing else wrong costs the check of a signature, or the question for a key', () => {
  const withKey = new Set(['bad-signature', 'unknown-key', 'key-algorithm'])
  let asked = 0
  let checked = 0
  const counting = new JwtVerifier(
    [
      {
        spec,
        keys: {
          find(kid) {
            asked++
            const key = known.find(kid) as VerificationKey | Rejection
            if (key instanceof Rejection) return key
            const { algorithm, isLive } = key
            const verify: typeof key.verify = (...of) => {
              checked++
              return key.verify(...of)
            }
            return { kid, algorithm, isLive, verify } as VerificationKey
          },
          close() {},
        },
      },
    ],
    'tenant',
  )
  for (const [name, token, reason] of attacks) {
    asked = checked = 0
    assert.equal(reasonOf(token(), counting), reason)
    assert.deepEqual([asked, checked], [withKey.has(reason) ? 1 : 0, reason === 'bad-signature' ? 1 : 0], name)
  }
})

test('the header of a good token is read once, and makes no other token good', () => {
  assert.equal(reasonOf(good), 'accepted user-1')
  assert.equal(reasonOf(withClaims({ sub: 'user-2' })), 'accepted user-2')
  for (const [name, token, reason] of attacks) assert.equal(reasonOf(token()), reason, name)
})

test('no two attacks have one name, and the token they start from is good', () => {
  assert.equal(new Set(attacks.map(([name]) => name)).size, attacks.length)
  assert.equal(reasonOf(good), 'accepted user-1')
})

test('accepts a token of each kind of key', () => {
  for (const key of [ec, rsa, ed]) assert.equal(reasonOf(accessToken(key, now)), 'accepted user-1', key.algorithm)
  assert.equal(reasonOf(signed({ ...header, alg: 'Ed25519', kid: 'ed-1' }, claims, ed)), 'accepted user-1')
})

test('accepts both spellings of the type of access tokens', () => {
  assert.equal(reasonOf(withHeader({ typ: 'application/at+jwt' })), 'accepted user-1')
  assert.equal(reasonOf(withHeader({ typ: 'AT+JWT' })), 'accepted user-1')
})

test('clocks may differ by less than thirty seconds', () => {
  assert.equal(reasonOf(withClaims({ exp: seconds - 29 })), 'accepted user-1')
  assert.equal(reasonOf(withClaims({ iat: seconds + 30, nbf: seconds + 30 })), 'accepted user-1')
  assert.equal(reasonOf(withClaims({ iat: seconds + 31 })), 'issued-in-future')
})

test('reads what a token says of its bearer', () => {
  const found = judge(
    withClaims({
      scope: 'orders:read  billing:read',
      roles: ['staff', { value: 'auditor' }],
      sid: 'session-1',
      level: 3,
      aud: ['a', claims.aud],
    }),
  ) as Identity
  assert.equal(found.kind, 'bearer')
  assert.equal(found.issuer, 'https://issuer.example.com')
  assert.equal(found.subject, 'user-1')
  assert.equal(found.client, 'client-1')
  assert.equal(found.session, 'session-1')
  assert.equal(found.credentialId, 'token-1')
  assert.deepEqual(found.scopes, ['orders:read', 'billing:read'])
  assert.deepEqual(found.roles, ['staff', 'auditor'])
  assert.equal(found.claims['level'], 3)
  assert.equal(Object.getPrototypeOf(found.claims), null)
  assert.equal(found.claims['constructor'], undefined)
  assert.equal(found.expiresAt, (seconds + 590) * 1000 + 30_000)
})

test('takes scopes from scp and the client from azp where an issuer spells them so', () => {
  const found = judge(withClaims({ scp: ['a', 'b'], client_id: undefined, azp: 'client-2' })) as Identity
  assert.deepEqual(found.scopes, ['a', 'b'])
  assert.equal(found.client, 'client-2')
})

test('a foreign issuer gives a tenant only where the configuration lets it', async () => {
  const keys = await keySourceOf([ec])
  const verifierOf = (changes: Partial<TrustedIssuerSpec>): JwtVerifier =>
    new JwtVerifier([{ spec: { ...spec, ...changes }, keys }], 'org')
  assert.equal(tenantOf(verifierOf({}), withClaims({ org: 'acme' })), undefined)
  assert.equal(tenantOf(verifierOf({ tenant: 'partner' }), withClaims({ org: 'acme' })), 'partner')
  const several = verifierOf({ tenants: ['acme', 'globex'] })
  assert.equal(tenantOf(several, withClaims({ org: 'globex' })), 'globex')
  assert.equal(tenantOf(several, good), undefined)
  assert.equal(reasonOf(withClaims({ org: 'initech' }), several), 'other-tenant')
  assert.equal(reasonOf(withClaims({ org: ['acme'] }), several), 'other-tenant')
})

test('an issuer may be trusted for less: algorithms, lifetime, its clock, and for other types', async () => {
  const keys = await keySourceOf([ec, rsa])
  const verifierOf = (changes: Partial<TrustedIssuerSpec>): JwtVerifier =>
    new JwtVerifier([{ spec: { ...spec, ...changes }, keys }], 'tenant')
  assert.equal(reasonOf(good, verifierOf({ algorithms: ['RS256'] })), 'other-algorithm')
  assert.equal(reasonOf(good, verifierOf({ maxLifetimeMs: 599_000 })), 'lives-too-long')
  assert.equal(reasonOf(good, verifierOf({ maxLifetimeMs: 600_000 })), 'accepted user-1')
  assert.equal(reasonOf(withHeader({ typ: 'JWT' }), verifierOf({ types: ['at+jwt', 'JWT'] })), 'accepted user-1')
  assert.equal(reasonOf(good, verifierOf({ types: ['JWT'] })), 'other-type')
  assert.equal(reasonOf(good, verifierOf({ types: ['application/AT+jwt'] })), 'accepted user-1')
  const late = withClaims({ exp: seconds - 6 })
  assert.equal(reasonOf(late), 'accepted user-1')
  assert.equal(reasonOf(late, verifierOf({ skewMs: 5000 })), 'expired')
  assert.equal(reasonOf(late, verifierOf({ skewMs: 7000 })), 'accepted user-1')
  assert.equal(reasonOf(withClaims({ iat: seconds + 1 }), verifierOf({ skewMs: 0 })), 'issued-in-future')
  assert.equal(reasonOf(good, verifierOf({ audience: ['other', 'https://api.example.com'] })), 'accepted user-1')
})

test('an RSA key that names no algorithm is used with the first of its issuer, never with what the token says', async () => {
  const { alg: _alg, ...nameless } = rsa.jwk
  const imported = await importVerificationKey(
    parseJwkSet(Buffer.from(JSON.stringify({ keys: [nameless] })), ['PS256', 'RS256'])[0],
  )
  assert.equal(imported.algorithm, 'PS256')
  const by = new JwtVerifier([{ spec, keys: { find: () => imported, close() {} } }], 'tenant')
  const pss: SigningKey = { ...rsa, algorithm: 'PS256' }
  assert.equal(reasonOf(accessToken(pss, now), by), 'accepted user-1')
  assert.equal(reasonOf(accessToken(rsa, now), by), 'key-algorithm')
})

test('what a judgement rests on a key is said with the key, and only then', () => {
  assert.equal(judgementOf(good).key?.kid, 'ec-1')
  assert.equal(judgementOf(signed(header, claims, stranger)).key?.kid, 'ec-1')
  for (const token of [withClaims({ exp: 0 }), withHeader({ kid: 'x' }), 'a.b.c']) assert.equal(judgementOf(token).key, undefined)
})

test('waits for keys that are on their way', async () => {
  const [key] = await Promise.all(parseJwkSet(jwkSet(ec), algorithms).map(importVerificationKey))
  const by = new JwtVerifier([{ spec, keys: { find: () => Promise.resolve(key), close() {} } }], 'tenant')
  const judged = by.verify(good, now)
  assert.ok(judged instanceof Promise)
  assert.equal(((await judged).found as Identity).subject, 'user-1')
})

test('no token of any shape makes it throw', () => {
  const pieces = [
    '',
    '.',
    '..',
    'a.b.c',
    `${goodHeader}.`,
    `${goodHeader}.${goodClaims}.`,
    `${goodHeader}.${goodHeader}.${goodSignature}`,
  ]
  for (const payload of ['null', '1', '"x"', '[]', '{}', '{"iss":null}']) pieces.push(signed(header, payload, ec))
  for (const token of pieces) assert.ok(judge(token) instanceof Rejection, token)
  for (let i = 0; i < good.length; i++) {
    assert.ok(judge(good.slice(0, i)) instanceof Rejection)
    const flipped = good.slice(0, i) + String.fromCharCode(good.charCodeAt(i) ^ 1) + good.slice(i + 1)
    assert.ok(judge(flipped) instanceof Rejection, `with character ${i} changed`)
  }
})
