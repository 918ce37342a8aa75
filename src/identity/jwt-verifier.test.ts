import assert from 'node:assert/strict'
import { createHmac, sign } from 'node:crypto'
import { before, test } from 'node:test'
import { accessToken, jwkSet, part, signed, signingKey } from '../../test/support/token-issuer.ts'
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

const ec = signingKey('ES256', 'ec-1')
const rsa = signingKey('RS256', 'rsa-1')
const ed = signingKey('EdDSA', 'ed-1')
const stranger = signingKey('ES256', 'ec-1')

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

const header = { typ: 'at+jwt', alg: 'ES256', kid: 'ec-1' }
const claims = {
  iss: 'https://issuer.example.com',
  aud: 'https://api.example.com',
  sub: 'user-1',
  client_id: 'client-1',
  jti: 'token-1',
  iat: seconds - 10,
  exp: seconds + 590,
}
const withHeader = (changes: object): string => signed({ ...header, ...changes }, claims, ec)
const withClaims = (changes: object): string => signed(header, { ...claims, ...changes }, ec)
const good = signed(header, claims, ec)
const [goodHeader, goodClaims, goodSignature] = good.split('.')
const publicPem = rsa.publicKey.export({ type: 'spki', format: 'pem' })

function hmac(alg: string, secret: string | Buffer, kid = 'rsa-1'): string {
  const front = `${part({ ...header, alg, kid })}.${part(claims)}`
  return `${front}.${createHmac('sha256', secret).update(front).digest('base64url')}`
}

/** The last character of an ES256 signature carries two unused bits: three other characters decode to the same bytes. */
function twinOfLastCharacter(token: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  const value = alphabet.indexOf(token.at(-1)!)
  return token.slice(0, -1) + alphabet[value ^ 1]
}

function derSignature(): string {
  const front = `${goodHeader}.${goodClaims}`
  return `${front}.${sign('sha256', Buffer.from(front), ec.privateKey).toString('base64url')}`
}

/** Every row is a token with one thing wrong, correctly signed wherever that makes sense, and the reason it gets. */
const attacks: readonly (readonly [name: string, token: () => string, reason: string])[] = [
  ['an empty token', () => '', 'empty'],
  ['alg none without a signature', () => `${part({ ...header, alg: 'none' })}.${goodClaims}.`, 'other-algorithm'],
  ['alg None', () => `${part({ ...header, alg: 'None' })}.${goodClaims}.${goodSignature}`, 'other-algorithm'],
  ['alg nOnE', () => withHeader({ alg: 'nOnE' }), 'other-algorithm'],
  ['no alg', () => withHeader({ alg: undefined }), 'bad-header'],
  ['alg in another case', () => withHeader({ alg: 'es256' }), 'other-algorithm'],
  ['alg as a list', () => withHeader({ alg: ['ES256'] }), 'bad-header'],
  ['an empty signature', () => `${goodHeader}.${goodClaims}.`, 'bad-signature'],
  ['a signature of zeros', () => `${goodHeader}.${goodClaims}.${part(Buffer.alloc(64))}`, 'bad-signature'],
  ['a DER signature', derSignature, 'bad-signature'],
  ['a signature that is too long', () => `${good}AAAA`, 'bad-signature'],
  [
    'the signature of another token',
    () => `${goodHeader}.${goodClaims}.${withClaims({ sub: 'x' }).split('.')[2]}`,
    'bad-signature',
  ],
  ['HS256 keyed with the RSA key in PEM', () => hmac('HS256', publicPem), 'other-algorithm'],
  ['HS256 keyed with the JWK', () => hmac('HS256', JSON.stringify(rsa.jwk)), 'other-algorithm'],
  ['HS256 with an empty key', () => hmac('HS256', ''), 'other-algorithm'],
  ['RS256 claimed over an HMAC keyed with the PEM', () => hmac('RS256', publicPem), 'bad-signature'],
  ['a key of its own in jwk', () => signed({ ...header, jwk: stranger.jwk }, claims, stranger), 'forbidden-header'],
  ['a key URL in jku', () => signed({ ...header, jku: 'https://evil.example/jwks' }, claims, stranger), 'forbidden-header'],
  ['a certificate URL in x5u', () => withHeader({ x5u: 'https://evil.example/cert' }), 'forbidden-header'],
  ['a certificate in x5c', () => withHeader({ x5c: ['MIIB'] }), 'forbidden-header'],
  ['no kid', () => withHeader({ kid: undefined }), 'bad-key-id'],
  ['kid as an object', () => withHeader({ kid: { $ne: '' } }), 'bad-key-id'],
  ['kid as a number', () => withHeader({ kid: 1 }), 'bad-key-id'],
  ['kid with a path', () => withHeader({ kid: '../../../../dev/null' }), 'unknown-key'],
  ['kid with SQL', () => withHeader({ kid: "x' UNION SELECT 'key'--" }), 'bad-key-id'],
  ['kid longer than 64', () => withHeader({ kid: 'k'.repeat(65) }), 'bad-key-id'],
  ['kid named __proto__', () => withHeader({ kid: '__proto__' }), 'unknown-key'],
  ['the kid of another key of the issuer', () => withHeader({ kid: 'rsa-1' }), 'key-algorithm'],
  ['a stranger’s key under a known kid', () => signed(header, claims, stranger), 'bad-signature'],
  ['an unknown critical extension', () => withHeader({ crit: ['x'], x: 1 }), 'forbidden-header'],
  ['an unencoded payload (b64)', () => withHeader({ b64: false, crit: ['b64'] }), 'forbidden-header'],
  ['a compressed payload (zip)', () => withHeader({ zip: 'DEF' }), 'forbidden-header'],
  ['a nested token (cty)', () => withHeader({ cty: 'JWT' }), 'forbidden-header'],
  ['an encrypted token', () => `${part({ alg: 'RSA-OAEP', enc: 'A256GCM' })}.AA.AA.AA.AA`, 'encrypted'],
  [
    'JSON serialisation',
    () => JSON.stringify({ protected: goodHeader, payload: goodClaims, signature: goodSignature }),
    'not-a-jwt',
  ],
  ['two parts', () => `${goodHeader}.${goodClaims}`, 'not-a-jwt'],
  ['four parts', () => `${good}.AA`, 'not-a-jwt'],
  ['an empty header', () => `.${goodClaims}.${goodSignature}`, 'not-a-jwt'],
  ['an empty payload', () => `${goodHeader}..${goodSignature}`, 'not-a-jwt'],
  ['a list as payload', () => signed(header, [claims], ec), 'not-a-jwt'],
  ['a payload that is no JSON', () => signed(header, 'x', ec), 'not-a-jwt'],
  ['a payload that is not UTF-8', () => signed(header, Buffer.from('{"sub":"\xff"}', 'latin1'), ec), 'not-a-jwt'],
  ['a member twice', () => signed(header, JSON.stringify(claims).replace('{', '{"sub":"admin",'), ec), 'not-a-jwt'],
  ['a header member twice', () => signed('{"alg":"none","typ":"at+jwt","alg":"ES256","kid":"ec-1"}', claims, ec), 'not-a-jwt'],
  [
    'a member __proto__',
    () => signed(header, JSON.stringify(claims).replace('{', '{"__proto__":{"admin":true},'), ec),
    'not-a-jwt',
  ],
  ['standard base64 with padding', () => `${good}==`, 'not-a-jwt'],
  ['a trailing newline', () => `${good}\n`, 'not-a-jwt'],
  ['another last character for the same bytes', () => twinOfLastCharacter(good), 'not-a-jwt'],
  ['a space inside', () => good.replace('.', ' .'), 'not-a-jwt'],
  ['more than 8 KiB', () => withClaims({ groups: 'g'.repeat(8192) }), 'too-large'],
  ['ten megabytes', () => 'a'.repeat(10_000_000), 'too-large'],
  ['no typ', () => withHeader({ typ: undefined }), 'other-type'],
  ['typ of an ID token', () => withHeader({ typ: 'JWT' }), 'other-type'],
  ['typ of a DPoP proof', () => withHeader({ typ: 'dpop+jwt' }), 'other-type'],
  ['typ of a logout token', () => withHeader({ typ: 'logout+jwt' }), 'other-type'],
  ['typ of our own tokens for services', () => withHeader({ typ: 'gw+jwt' }), 'other-type'],
  ['typ as a list', () => withHeader({ typ: ['at+jwt'] }), 'bad-header'],
  ['no iss', () => withClaims({ iss: undefined }), 'missing-claim'],
  ['another iss', () => withClaims({ iss: 'https://evil.example' }), 'unknown-issuer'],
  ['an iss that only looks the same', () => withClaims({ iss: 'https://issuer.example.com/' }), 'unknown-issuer'],
  ['iss as a list', () => withClaims({ iss: ['https://issuer.example.com'] }), 'unknown-issuer'],
  ['no aud', () => withClaims({ aud: undefined }), 'missing-claim'],
  ['another aud', () => withClaims({ aud: 'https://other.example.com' }), 'other-audience'],
  ['an empty list of aud', () => withClaims({ aud: [] }), 'other-audience'],
  ['a number among aud', () => withClaims({ aud: ['https://api.example.com', 1] }), 'bad-claim'],
  ['aud as an object', () => withClaims({ aud: { 'https://api.example.com': true } }), 'bad-claim'],
  ['no sub', () => withClaims({ sub: undefined }), 'missing-claim'],
  ['sub as an object', () => withClaims({ sub: { id: 'user-1' } }), 'bad-claim'],
  ['an empty sub', () => withClaims({ sub: '' }), 'bad-claim'],
  ['a sub of 256 characters', () => withClaims({ sub: 's'.repeat(256) }), 'bad-claim'],
  ['jti as a number', () => withClaims({ jti: 1 }), 'bad-claim'],
  ['client_id as a list', () => withClaims({ client_id: ['client-1'] }), 'bad-claim'],
  ['sid as a boolean', () => withClaims({ sid: true }), 'bad-claim'],
  ['scope as an object', () => withClaims({ scope: { admin: true } }), 'bad-claim'],
  ['a number among roles', () => withClaims({ roles: ['staff', 1] }), 'bad-claim'],
  ['roles as a text', () => withClaims({ roles: 'admin' }), 'bad-claim'],
  ['no exp', () => withClaims({ exp: undefined }), 'missing-claim'],
  ['exp as a text', () => withClaims({ exp: String(claims.exp) }), 'bad-claim'],
  ['exp as null', () => withClaims({ exp: null }), 'bad-claim'],
  ['a negative exp', () => withClaims({ exp: -1 }), 'bad-claim'],
  ['an endless exp', () => signed(header, JSON.stringify(claims).replace(String(claims.exp), '1e400'), ec), 'bad-claim'],
  ['exp in the past', () => withClaims({ exp: seconds - 30 }), 'expired'],
  ['exp in the year 9999', () => withClaims({ exp: 253_402_300_799 }), 'lives-too-long'],
  ['a life of a day and a second', () => withClaims({ iat: seconds, exp: seconds + 86_401 }), 'lives-too-long'],
  ['no iat', () => withClaims({ iat: undefined }), 'missing-claim'],
  ['iat an hour ahead', () => withClaims({ iat: seconds + 3600, exp: seconds + 7200 }), 'issued-in-future'],
  ['nbf a minute ahead', () => withClaims({ nbf: seconds + 60 }), 'not-yet-valid'],
  ['nbf as a text', () => withClaims({ nbf: 'now' }), 'bad-claim'],
]

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
