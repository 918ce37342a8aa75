import { constants, generateKeyPairSync, sign } from 'node:crypto'
import type { KeyObject } from 'node:crypto'

export type SigningAlgorithm = 'ES256' | 'ES384' | 'RS256' | 'PS256' | 'EdDSA'

/** A key pair that signs tokens, with its public half as issuers publish it. */
export interface SigningKey {
  readonly kid: string
  readonly algorithm: SigningAlgorithm
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
  readonly jwk: Record<string, unknown>
}

/** Makes a key pair. */
export function signingKey(algorithm: SigningAlgorithm = 'ES256', kid = 'key-1'): SigningKey {
  const { privateKey, publicKey } = pairOf(algorithm)
  const jwk = { ...publicKey.export({ format: 'jwk' }), kid, alg: algorithm, use: 'sig' }
  return { kid, algorithm, privateKey, publicKey, jwk }
}

function pairOf(algorithm: SigningAlgorithm): { privateKey: KeyObject; publicKey: KeyObject } {
  if (algorithm === 'EdDSA') return generateKeyPairSync('ed25519')
  if (algorithm === 'RS256' || algorithm === 'PS256') return generateKeyPairSync('rsa', { modulusLength: 2048 })
  return generateKeyPairSync('ec', { namedCurve: algorithm === 'ES256' ? 'P-256' : 'P-384' })
}

/** The JWK set of these keys, as bytes. */
export function jwkSet(...keys: readonly SigningKey[]): Buffer {
  return Buffer.from(JSON.stringify({ keys: keys.map(({ jwk }) => jwk) }))
}

/** Signs whatever stands in front of the signature of a compact JWS. */
export function signatureOf(front: string, { algorithm, privateKey }: SigningKey): Buffer {
  const bytes = Buffer.from(front, 'latin1')
  if (algorithm === 'EdDSA') return sign(null, bytes, privateKey)
  if (algorithm === 'RS256') return sign('sha256', bytes, privateKey)
  if (algorithm === 'PS256') {
    return sign('sha256', bytes, {
      key: privateKey,
      padding: constants.RSA_PKCS1_PSS_PADDING,
      saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
    })
  }
  return sign(algorithm === 'ES256' ? 'sha256' : 'sha384', bytes, { key: privateKey, dsaEncoding: 'ieee-p1363' })
}

/** One part of a compact JWS: an object as JSON, a text or bytes as they are. */
export function part(content: object | string | Buffer): string {
  if (Buffer.isBuffer(content)) return content.toString('base64url')
  return Buffer.from(typeof content === 'string' ? content : JSON.stringify(content)).toString('base64url')
}

/** A compact JWS with a valid signature over exactly these parts. */
export function signed(header: object | string, payload: object | string | Buffer, key: SigningKey): string {
  const front = `${part(header)}.${part(payload)}`
  return `${front}.${signatureOf(front, key).toString('base64url')}`
}

/** An access token as RFC 9068 wants it: `at+jwt`, of ten minutes from `now` (milliseconds since 1970). */
export function accessToken(key: SigningKey, now: number, claims: Readonly<Record<string, unknown>> = {}): string {
  const iat = Math.floor(now / 1000)
  const payload = {
    iss: 'https://issuer.example.com',
    aud: 'https://api.example.com',
    sub: 'user-1',
    client_id: 'client-1',
    jti: 'token-1',
    iat,
    exp: iat + 600,
    ...claims,
  }
  return signed({ typ: 'at+jwt', alg: key.algorithm, kid: key.kid }, payload, key)
}
