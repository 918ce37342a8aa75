import assert from 'node:assert/strict'
import { createHmac, sign } from 'node:crypto'
import fc from 'fast-check'
import { createLocalJWKSet, jwtVerify } from 'jose'
import type { JSONWebKeySet, JWTPayload } from 'jose'
import type { TrustedIssuerSpec } from '../../../src/identity/identity-spec.ts'
import { keyIdPattern, parseJwkSet } from '../../../src/identity/jwk-set.ts'
import { JwtVerifier, maxTokenLength } from '../../../src/identity/jwt-verifier.ts'
import type { Judgement } from '../../../src/identity/jwt-verifier.ts'
import type { KeySource } from '../../../src/identity/key-source.ts'
import { Rejection, rejections } from '../../../src/identity/rejection.ts'
import type { VerificationKey } from '../../../src/identity/verification-key.ts'
import { importVerificationKey } from '../../../src/identity/verification-key.ts'
import { forgeryAt, issuerKeys, stranger } from '../../support/forged-tokens.ts'
import { jwkSet, part, signatureOf } from '../../support/token-issuer.ts'
import { defineTarget } from '../fuzz-target.ts'
import type { Edit } from '../spoilt.ts'
import { edited, edits } from '../spoilt.ts'

const seconds = 1_700_000_000
const skewSeconds = 30
const maxLifeSeconds = 86_400
const algorithms = ['RS256', 'PS256', 'ES256', 'EdDSA', 'Ed25519']
const { header, claims } = forgeryAt(seconds)

const spec: TrustedIssuerSpec = {
  name: 'partner',
  issuer: String(claims['iss']),
  jwksUri: 'https://issuer.example.com/jwks.json',
  jwksFile: undefined,
  audience: [String(claims['aud'])],
  algorithms,
  tenant: undefined,
  tenants: undefined,
  maxLifetimeMs: maxLifeSeconds * 1000,
}

const { ec, rsa, ed } = issuerKeys
const signers = { ec, rsa, ed, stranger }
const published = new Map<string, VerificationKey>()
for (const key of parseJwkSet(jwkSet(ec, rsa, ed), algorithms)) published.set(key.kid, await importVerificationKey(key))
const keys: KeySource = { find: (kid) => published.get(kid) ?? rejections['unknown-key'], close() {} }
/** Keeps the headers of good tokens from case to case, as a worker does. */
const worker = new JwtVerifier([{ spec, keys }], 'tenant')

// To jose a key that says EdDSA is not one for Ed25519; here both names mean the same (RFC 9864).
const theirSet = { keys: [ec.jwk, rsa.jwk, { ...ed.jwk, alg: undefined }] }
const theirKeys = createLocalJWKSet(JSON.parse(JSON.stringify(theirSet)) as JSONWebKeySet)

/** How the last part is made. */
const signings = [
  'good',
  'good',
  'good',
  'good',
  'hmac of the PEM',
  'hmac of the JWK',
  'DER',
  'zeros',
  'none',
  'of other claims',
] as const

interface TokenCase {
  readonly signer: keyof typeof signers
  readonly signing: (typeof signings)[number]
  readonly header: readonly (readonly [string, unknown])[]
  readonly claims: readonly (readonly [string, unknown])[]
  readonly headerEdits: readonly Edit[]
  readonly claimEdits: readonly Edit[]
  readonly tokenEdits: readonly Edit[]
}

const oddValues: readonly unknown[] = [null, '', 0, -1, true, [], {}, ['x', 1], 1e15, 'x'.repeat(300), [[['x']]]]
const member = (names: readonly string[], ...values: readonly unknown[]): fc.Arbitrary<readonly [string, unknown]> =>
  fc.tuple(fc.constantFrom(...names), fc.constantFrom<unknown[]>(undefined, ...values))
const oddMember = (names: readonly string[]): fc.Arbitrary<readonly [string, unknown]> => member(names, ...oddValues)

const headerMembers = fc.oneof(
  member(['alg'], ...algorithms, 'ES384', 'HS256', 'none', 'nOnE', 'es256', 'RS512'),
  member(['kid'], 'ec-1', 'rsa-1', 'ed-1', 'EC-1', '../ec-1', 'ec-1 ', '__proto__'),
  member(['typ'], 'at+jwt', 'AT+JWT', 'application/at+jwt', 'JWT', 'at+jwt;x', 'application/application/at+jwt', ' at+jwt'),
  member(['crit'], ['b64'], ['exp'], [], ['x', 'x'], 'b64'),
  member(['b64', 'x'], true, false),
  member(['jwk', 'jku', 'x5u', 'x5c', 'zip', 'cty', 'enc'], stranger.jwk, 'https://evil.example/', ['MIIB'], 'DEF', 'JWT'),
  oddMember(['alg', 'kid', 'typ', 'crit', 'x']),
)
const moments = [-3600, -31, -30, -29.5, -29, 0, 29, 30, 30.5, 31, 3600, maxLifeSeconds, maxLifeSeconds + 1, 1e12]
const claimMembers = fc.oneof(
  member(['exp', 'nbf', 'iat'], ...moments.map((distance) => seconds + distance), String(seconds), seconds / 1000),
  member(['aud'], [spec.audience[0]], ['x', spec.audience[0]], `${spec.audience[0]}/`, 'x', [spec.audience[0], 1]),
  member(['iss'], `${spec.issuer}/`, [spec.issuer], spec.issuer.toUpperCase()),
  member(['sub', 'jti', 'sid', 'client_id', 'azp'], 'somebody', 'x'.repeat(255), 'x'.repeat(256), '\0'),
  member(['scope', 'scp', 'roles'], 'a b', ['a'], [{ value: 'a' }], [{ other: 1 }]),
  oddMember(['exp', 'nbf', 'iat', 'aud', 'iss', 'sub', 'jti', 'scope', 'scp', 'roles', 'tenant', 'x']),
)
const jsonWords = [
  '"sub":"admin",',
  '"alg":"none",',
  '"exp":1e400,',
  '"__proto__":{},',
  '"\\u0061lg":"none",',
  ' ',
  '\ufeff',
  '{}',
  '1',
  ',',
]
const jsonEdits = fc.oneof({ weight: 3, arbitrary: fc.constant([]) }, { weight: 1, arbitrary: edits(['{}', '}'], jsonWords, 2) })
const tokenWords = ['=', '==', '.', ' ', '\n', '\t', '+', '/', '-', '_', 'A', 'AAAA', 'eyJ', '%3D']
const tokenEdits = fc.oneof({ weight: 3, arbitrary: fc.constant([]) }, { weight: 1, arbitrary: edits(['A', '.'], tokenWords, 2) })

const tokenCases: fc.Arbitrary<TokenCase> = fc.record({
  signer: fc.constantFrom('ec', 'ec', 'rsa', 'ed', 'ed', 'stranger'),
  signing: fc.constantFrom(...signings),
  header: fc.array(headerMembers, { maxLength: 2 }),
  claims: fc.array(claimMembers, { maxLength: 2 }),
  headerEdits: jsonEdits,
  claimEdits: jsonEdits,
  tokenEdits,
})

function withMembers(base: object, changes: readonly (readonly [string, unknown])[]): string {
  return JSON.stringify({ ...base, ...Object.fromEntries(changes) })
}

function tokenOf(made: TokenCase): string {
  const key = signers[made.signer]
  const own = withMembers({ ...header, alg: key.algorithm, kid: key.kid }, made.header)
  const front = `${part(edited(own, made.headerEdits))}.${part(edited(withMembers(claims, made.claims), made.claimEdits))}`
  return edited(`${front}.${lastPart(front, made)}`, made.tokenEdits)
}

function lastPart(front: string, { signer, signing }: TokenCase): string {
  const key = signers[signer]
  switch (signing) {
    case 'good':
      return signatureOf(front, key).toString('base64url')
    case 'hmac of the PEM':
    case 'hmac of the JWK': {
      const secret = signing === 'hmac of the JWK' ? JSON.stringify(key.jwk) : key.publicKey.export({ type: 'spki', format: 'pem' })
      return createHmac('sha256', secret).update(front).digest('base64url')
    }
    case 'DER':
      return key === ed ? '' : sign('sha256', Buffer.from(front), key.privateKey).toString('base64url')
    case 'zeros':
      return part(Buffer.alloc(key === rsa ? 256 : 64))
    case 'of other claims':
      return signatureOf(`${front.split('.')[0]}.${part({ ...claims, sub: 'other' })}`, key).toString('base64url')
    default:
      return ''
  }
}

type Members = Readonly<Record<string, unknown>>

/** What jose makes of the token, with what it does not do by itself asked of it. */
async function readByJose(token: string): Promise<{ header: Members; claims: JWTPayload } | undefined> {
  try {
    const { protectedHeader, payload } = await jwtVerify(token, theirKeys, {
      issuer: spec.issuer,
      audience: [...spec.audience],
      algorithms,
      typ: 'at+jwt',
      requiredClaims: ['sub', 'exp', 'iat'],
      clockTolerance: skewSeconds,
      currentDate: new Date(seconds * 1000),
    })
    return { header: protectedHeader as unknown as Members, claims: payload }
  } catch {
    return undefined
  }
}

const isIdentifier = (value: unknown): boolean =>
  value === undefined || (typeof value === 'string' && value.length >= 1 && value.length <= 255)
const isTexts = (value: unknown): boolean => Array.isArray(value) && value.every((item) => typeof item === 'string')
const isMoment = (value: unknown): boolean => value === undefined || (typeof value === 'number' && value >= 0 && value <= 8.64e12)
/** Texts, or objects with such a value (SCIM); not what is null. */
const isRoles = (roles: unknown): boolean =>
  roles === undefined ||
  (Array.isArray(roles) && isTexts(roles.map((role: unknown) => (isObject(role) ? (role as Members)['value'] : role))))
const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null

/** How many members stand in a JSON text, repeated ones too. */
const membersIn = (json: string): number => json.replace(/"(?:[^"\\]|\\.)*"/g, '').split(':').length - 1

/** Whether parsers read a JSON text differently: a byte order mark, a member twice, `__proto__`, a number beyond a double. */
function isAmbiguous(encoded: string): boolean {
  const text = Buffer.from(encoded, 'base64url').toString('utf8')
  if (text.startsWith('\ufeff') || part(text) !== encoded) return true
  const value: unknown = JSON.parse(text)
  return membersIn(JSON.stringify(value)) !== membersIn(text) || /\\u005f|__proto__|\de\+?\d{3}/i.test(text)
}

/**
 * Where we are narrower than jose, and what must then be wrong with the token. Each is narrower on purpose: by RFC 8725, RFC 9068,
 * or `docs/decisions/0009-tokens-are-verified-in-place.md`. For a reason that is not here, jose must refuse too.
 */
const narrower: Readonly<Record<string, (token: string, header: Members, claims: Members) => boolean>> = {
  'too-large': (token) => token.length > maxTokenLength,
  'not-a-jwt': (token) => {
    const parts = token.split('.')
    return (
      parts.some((text) => !/^[\w-]*$/.test(text) || part(Buffer.from(text, 'base64url')) !== text) ||
      parts.slice(0, 2).some(isAmbiguous)
    )
  },
  'forbidden-header': (_token, own) =>
    ['jwk', 'jku', 'x5u', 'x5c', 'crit', 'b64', 'zip', 'enc', 'cty'].some((name) => Object.hasOwn(own, name)),
  'bad-key-id': (_token, { kid }) => typeof kid !== 'string' || !keyIdPattern.test(kid),
  'bad-claim': (_token, _header, said) => {
    const scopes = said['scope'] ?? said['scp']
    return (
      said['sub'] === undefined ||
      !['sub', 'jti', 'sid', 'client_id', 'azp'].every((name) => isIdentifier(said[name])) ||
      !['exp', 'nbf', 'iat'].every((name) => isMoment(said[name])) ||
      !(scopes === undefined || typeof scopes === 'string' || isTexts(scopes)) ||
      !isRoles(said['roles']) ||
      !(typeof said['aud'] === 'string' || isTexts(said['aud']))
    )
  },
  'issued-in-future': (_token, _header, { iat }) => Number(iat) > seconds + skewSeconds,
  'lives-too-long': (_token, _header, { exp, iat }) => Number(exp) - Number(iat) > maxLifeSeconds,
}

const tokens = defineTarget({
  name: 'access tokens',
  promise: 'what is accepted jose accepts too, with the same claims; what is refused jose refuses, or we are narrower on purpose',
  cases: tokenCases,
  async check(made) {
    const token = tokenOf(made)
    const { found } = worker.verify(token, seconds * 1000) as Judgement
    const fresh = new JwtVerifier([{ spec, keys }], 'tenant').verify(token, seconds * 1000) as Judgement
    const reason = found instanceof Rejection ? found.reason : 'accepted'
    assert.equal(
      fresh.found instanceof Rejection ? fresh.found.reason : 'accepted',
      reason,
      'a header that was kept changes nothing',
    )
    const theirs = await readByJose(token)
    if (!(found instanceof Rejection)) {
      assert.ok(theirs !== undefined, `accepted, and jose refuses: ${token}`)
      assert.deepEqual({ ...found.claims }, theirs.claims)
      assert.deepEqual([found.subject, found.issuer], [theirs.claims.sub, theirs.claims.iss])
    } else if (theirs !== undefined) {
      const isPurpose = narrower[reason]?.(token, theirs.header, theirs.claims) ?? false
      assert.ok(isPurpose, `jose accepts, and we refuse as ${reason}: ${token}`)
    }
  },
})

export const tokenTargets = [tokens]
