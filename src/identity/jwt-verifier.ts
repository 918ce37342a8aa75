import type { MaybePromise } from '../core/handler.ts'
import { isPromise } from '../core/handler.ts'
import type { Identity } from '../core/identity.ts'
import { decodeBase64url } from '../lib/base64url.ts'
import type { TrustedIssuerSpec } from './identity-spec.ts'
import { algorithmName, keyIdPattern } from './jwk-set.ts'
import type { KeySource } from './key-source.ts'
import { Rejection, rejections } from './rejection.ts'
import { claimsFault, identityOf } from './token-claims.ts'
import type { VerificationKey } from './verification-key.ts'
import { objectIn } from './token-part.ts'

/** The largest token that is looked at, in characters: refused before anything of it is decoded. */
export const maxTokenLength = 8192

/** What became of a token. With a key, the judgement holds as long as that key lives, and may be remembered. */
export interface Judgement {
  readonly found: Identity | Rejection
  readonly key: VerificationKey | undefined
}

/** What a token's header says, of the right types and without what is forbidden in one. */
interface TokenHeader {
  readonly alg: string
  readonly kid: unknown
  /** As a media type; undefined when there is none. */
  readonly type: string | undefined
}

/** Headers that are kept as they were read: few differ, one for each key and kind of token. */
const maxHeaders = 64

/** A trusted issuer with its keys. */
export interface VerifiedIssuer {
  readonly spec: TrustedIssuerSpec
  readonly keys: KeySource
}

interface Issuer extends VerifiedIssuer {
  readonly types: ReadonlySet<string>
  readonly algorithms: ReadonlySet<string>
}

type JsonObject = Readonly<Record<string, unknown>>

// A key that comes with the token proves nothing (RFC 8725 §3.10), and an extension that is not understood must not be
// passed over (RFC 7515 §4.1.11).
const forbiddenInHeader = ['jwk', 'jku', 'x5u', 'x5c', 'crit', 'b64', 'zip', 'enc', 'cty'] as const

/**
 * Verifies access tokens of trusted issuers: RFC 7519 as narrowed by RFC 8725 and RFC 9068. Issuer, algorithm, key and
 * audience come from the configuration; the token only has to agree. What is cheap to check is checked first, so that
 * a signature is computed only for a token with nothing else wrong. Whatever is wrong, nothing is thrown.
 */
export class JwtVerifier {
  readonly #issuers = new Map<string, Issuer>()
  readonly #tenantClaim: string
  /** By their text. Only headers of tokens whose signature was valid, so that junk cannot fill it. */
  readonly #headers = new Map<string, TokenHeader>()

  constructor(issuers: readonly VerifiedIssuer[], tenantClaim: string) {
    this.#tenantClaim = tenantClaim
    for (const { spec, keys } of issuers) {
      const types = new Set((spec.types ?? ['at+jwt']).map(mediaType))
      this.#issuers.set(spec.issuer, { spec, keys, types, algorithms: new Set(spec.algorithms.map(algorithmName)) })
    }
  }

  /** Judges a token at a moment in milliseconds since 1970. A promise only while the issuer's keys are asked for. */
  verify(token: string, now: number): MaybePromise<Judgement> {
    if (token === '') return rejected.empty
    if (token.length > maxTokenLength) return rejected['too-large']
    const firstDot = token.indexOf('.')
    const lastDot = token.lastIndexOf('.')
    if (firstDot <= 0 || token.indexOf('.', firstDot + 1) !== lastDot) {
      return token.split('.').length === 5 ? rejected.encrypted : rejected['not-a-jwt']
    }
    const headerText = token.slice(0, firstDot)
    const known = this.#headers.get(headerText)
    const headerObject = known === undefined ? objectIn(headerText) : undefined
    const claims = objectIn(token.slice(firstDot + 1, lastDot))
    const signature = decodeBase64url(token.slice(lastDot + 1))
    if ((known ?? headerObject) === undefined || claims === undefined || signature === undefined) return rejected['not-a-jwt']
    const header = known ?? readHeader(headerObject!)
    if (typeof header === 'string') return rejected[header]

    const { alg, kid, type } = header
    if (claims['iss'] === undefined) return rejected['missing-claim']
    const issuer = typeof claims['iss'] === 'string' ? this.#issuers.get(claims['iss']) : undefined
    if (issuer === undefined) return rejected['unknown-issuer']
    if (type === undefined || !issuer.types.has(type)) return rejected['other-type']
    if (!issuer.algorithms.has(algorithmName(alg))) return rejected['other-algorithm']
    if (typeof kid !== 'string' || !keyIdPattern.test(kid)) return rejected['bad-key-id']
    const fault = claimsFault(claims, issuer.spec, this.#tenantClaim, now)
    if (fault !== undefined) return { found: fault, key: undefined }

    const judge = (key: VerificationKey | Rejection): Judgement => {
      if (key instanceof Rejection) return { found: key, key: undefined }
      if (key.algorithm !== algorithmName(alg)) return rejected['key-algorithm']
      const isSigned = key.verify(Buffer.from(token.slice(0, lastDot), 'latin1'), signature)
      if (isSigned && known === undefined) this.#keep(headerText, header)
      return { found: isSigned ? identityOf(claims, issuer.spec, this.#tenantClaim) : rejections['bad-signature'], key }
    }
    const key = issuer.keys.find(kid)
    return isPromise(key) ? key.then(judge) : judge(key)
  }

  #keep(text: string, header: TokenHeader): void {
    if (this.#headers.size >= maxHeaders) this.#headers.clear()
    // A slice would keep the whole request head alive that it was cut from.
    this.#headers.set(Buffer.from(text, 'latin1').toString('latin1'), header)
  }
}

const rejected = Object.fromEntries(
  Object.entries(rejections).map(([reason, found]) => [reason, { found, key: undefined }]),
) as Readonly<Record<keyof typeof rejections, Judgement>>

/** What a header says, or why it is refused. */
function readHeader(header: JsonObject): TokenHeader | 'forbidden-header' | 'bad-header' {
  const { alg, kid, typ } = header
  for (const name of forbiddenInHeader) if (Object.hasOwn(header, name)) return 'forbidden-header'
  if (typeof alg !== 'string' || (typ !== undefined && typeof typ !== 'string')) return 'bad-header'
  return { alg, kid, type: typ === undefined ? undefined : mediaType(typ) }
}

/** `typ` as a media type: without case, and with `application/` understood (RFC 7515 §4.1.9). */
function mediaType(typ: string): string {
  const lower = typ.toLowerCase()
  return lower.startsWith('application/') ? lower.slice('application/'.length) : lower
}
