import { constants, KeyObject, verify } from 'node:crypto'
import type { VerifyKeyObjectInput } from 'node:crypto'
import { importJWK } from 'jose'
import type { CryptoKey } from 'jose'
import type { PublicKey } from './jwk-set.ts'

/** How one algorithm is verified with `node:crypto` (RFC 7518 §3, RFC 8037). */
interface Scheme {
  readonly digest: string | null
  readonly options: Omit<VerifyKeyObjectInput, 'key'>
  /** Length of every signature where the algorithm fixes it: r and s of equal length for ECDSA. */
  readonly signatureBytes?: number
}

const pss = (digest: string): Scheme => ({
  digest,
  options: { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST },
})
const rsa = (digest: string): Scheme => ({ digest, options: { padding: constants.RSA_PKCS1_PADDING } })
const ecdsa = (digest: string, signatureBytes: number): Scheme => ({
  digest,
  options: { dsaEncoding: 'ieee-p1363' },
  signatureBytes,
})

const schemes: ReadonlyMap<string, Scheme> = new Map([
  ['RS256', rsa('sha256')],
  ['RS384', rsa('sha384')],
  ['RS512', rsa('sha512')],
  ['PS256', pss('sha256')],
  ['PS384', pss('sha384')],
  ['PS512', pss('sha512')],
  ['ES256', ecdsa('sha256', 64)],
  ['ES384', ecdsa('sha384', 96)],
  ['ES512', ecdsa('sha512', 132)],
  ['EdDSA', { digest: null, options: {}, signatureBytes: 64 }],
])

/**
 * A public key that signatures are checked with, bound to one algorithm. Verification is synchronous: measured at half
 * the CPU of Web Crypto's (`docs/decisions/0009-tokens-are-verified-in-place.md`), and nothing has to wait for it.
 */
export class VerificationKey {
  readonly kid: string
  readonly algorithm: string
  /** False once the issuer no longer publishes this key: what was verified by it must not be believed any more. */
  isLive = true
  readonly #scheme: Scheme
  readonly #input: VerifyKeyObjectInput

  constructor(kid: string, algorithm: string, key: CryptoKey) {
    const scheme = schemes.get(algorithm)
    if (scheme === undefined) throw new Error(`no such signature algorithm: ${algorithm}`)
    this.kid = kid
    this.algorithm = algorithm
    this.#scheme = scheme
    this.#input = { ...scheme.options, key: KeyObject.from(key) }
  }

  verify(signed: Buffer, signature: Buffer): boolean {
    const { digest, signatureBytes } = this.#scheme
    if (signatureBytes !== undefined && signature.length !== signatureBytes) return false
    return verify(digest, signed, this.#input, signature)
  }
}

/** Makes a key of its published form. Rejects when it is not a valid key of its algorithm. */
export async function importVerificationKey(key: PublicKey): Promise<VerificationKey> {
  const imported = await importJWK({ ...key.jwk }, key.algorithm)
  if (imported instanceof Uint8Array) throw new Error('a symmetric key cannot verify foreign tokens')
  return new VerificationKey(key.kid, key.algorithm, imported)
}
