import { decodeBase64url } from '../../lib/base64url.ts'
import type { PublicKey } from '../jwk-set.ts'
import { algorithmName, keyIdPattern } from '../jwk-set.ts'
import type { KeyAnswer } from '../key-messages.ts'
import { importVerificationKey } from '../verification-key.ts'
import { ProviderUnreachable } from './provider-fetch.ts'
import { objectIn } from '../token-part.ts'

const maxLength = 16_384
const forbidden = ['jwk', 'jku', 'x5u', 'x5c', 'crit', 'b64', 'zip', 'enc', 'cty'] as const

/** A token of a provider's that is not what it should be; the message says why, for the audit log. */
export class TokenFault extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'TokenFault'
  }
}

/** What a provider signed. */
export interface SignedToken {
  /** `typ` in lower case, without `application/`; '' when there is none. */
  readonly type: string
  readonly claims: Readonly<Record<string, unknown>>
}

/** The provider's keys, kept by main. */
export interface ProviderKeys {
  answer(kid: string | undefined): Promise<KeyAnswer>
}

/**
 * Verifies the signature of a token (compact JWS) by the published keys of its provider, and nothing else of it. Throws
 * a `TokenFault`, and `ProviderUnreachable` while the key that it names cannot be had.
 */
export async function verifySigned(text: string, keys: ProviderKeys): Promise<SignedToken> {
  if (text.length > maxLength) throw new TokenFault('too large')
  const parts = text.split('.')
  const [header, claims] = parts.slice(0, 2).map(objectIn)
  const signature = parts.length === 3 ? decodeBase64url(parts[2]) : undefined
  if (header === undefined || claims === undefined || signature === undefined) throw new TokenFault('not a signed token')
  for (const name of forbidden) if (Object.hasOwn(header, name)) throw new TokenFault(`the header holds ${name}`)
  const { alg, kid, typ } = header
  if (typeof alg !== 'string' || (typ !== undefined && typeof typ !== 'string')) throw new TokenFault('the header is wrong')
  if (typeof kid !== 'string' || !keyIdPattern.test(kid)) throw new TokenFault('no key is named')
  const key = await keyOf(kid, keys)
  if (key.algorithm !== algorithmName(alg)) throw new TokenFault('the algorithm is not the one of the key')
  const verification = await importVerificationKey(key)
  const signed = Buffer.from(text.slice(0, text.lastIndexOf('.')), 'latin1')
  if (!verification.verify(signed, signature)) throw new TokenFault('the signature is wrong')
  return { type: (typ ?? '').toLowerCase().replace(/^application\//, ''), claims }
}

async function keyOf(kid: string, keys: ProviderKeys): Promise<PublicKey> {
  const { keys: published, isMissing, isFailing } = await keys.answer(kid)
  const key = published.find((one) => one.kid === kid)
  if (key !== undefined) return key
  if (isFailing && !isMissing) throw new ProviderUnreachable('the keys of the provider cannot be had')
  throw new TokenFault('signed by an unknown key')
}
