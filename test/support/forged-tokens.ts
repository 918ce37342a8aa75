// Access tokens with one thing wrong each: what people have tried on verifiers, and what some verifiers took.
import { createHmac, sign } from 'node:crypto'
import { part, signed, signingKey } from './token-issuer.ts'

/** The keys that the issuer publishes; `stranger` has the id of one of them and is somebody else's. */
export const issuerKeys = {
  ec: signingKey('ES256', 'ec-1'),
  rsa: signingKey('RS256', 'rsa-1'),
  ed: signingKey('EdDSA', 'ed-1'),
} as const
export const stranger = signingKey('ES256', 'ec-1')
const { ec, rsa } = issuerKeys

const forgedIssuer = 'https://issuer.example.com'
const forgedAudience = 'https://api.example.com'

/** A good token at a moment, and tokens made of it with one thing wrong. */
export interface Forgery {
  readonly header: Readonly<Record<string, unknown>>
  readonly claims: Readonly<Record<string, unknown>> & { readonly exp: number }
  readonly good: string
  readonly withHeader: (changes: object) => string
  readonly withClaims: (changes: object) => string
  /** Every row is a token with one thing wrong, correctly signed wherever that makes sense, and the reason it gets. */
  readonly attacks: readonly (readonly [name: string, token: () => string, reason: string])[]
}

/** The last character of an ES256 signature carries two unused bits: three other characters decode to the same bytes. */
function twinOfLastCharacter(token: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  const value = alphabet.indexOf(token.at(-1)!)
  return token.slice(0, -1) + alphabet[value ^ 1]
}

/** Forges tokens for a moment in seconds since 1970. */
export function forgeryAt(seconds: number): Forgery {
  const header = { typ: 'at+jwt', alg: 'ES256', kid: 'ec-1' }
  const claims = {
    iss: forgedIssuer,
    aud: forgedAudience,
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

  function derSignature(): string {
    const front = `${goodHeader}.${goodClaims}`
    return `${front}.${sign('sha256', Buffer.from(front), ec.privateKey).toString('base64url')}`
  }

  const attacks: Forgery['attacks'] = [
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
    ['an endless exp', () => signed(header, JSON.stringify(claims).replace(String(claims.exp), '1e400'), ec), 'not-a-jwt'],
    ['exp in the past', () => withClaims({ exp: seconds - 30 }), 'expired'],
    ['exp in the year 9999', () => withClaims({ exp: 253_402_300_799 }), 'lives-too-long'],
    ['a life of a day and a second', () => withClaims({ iat: seconds, exp: seconds + 86_401 }), 'lives-too-long'],
    ['no iat', () => withClaims({ iat: undefined }), 'missing-claim'],
    ['iat an hour ahead', () => withClaims({ iat: seconds + 3600, exp: seconds + 7200 }), 'issued-in-future'],
    ['nbf a minute ahead', () => withClaims({ nbf: seconds + 60 }), 'not-yet-valid'],
    ['nbf as a text', () => withClaims({ nbf: 'now' }), 'bad-claim'],
  ]
  return { header, claims, good, withHeader, withClaims, attacks }
}
