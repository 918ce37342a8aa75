import { decodeBase64url } from '../lib/base64url.ts'
import { parseStrictJson } from '../lib/strict-json.ts'
import { looksLikeApiKey } from './api-key-text.ts'
import type { Introspection } from './introspection.ts'
import { maxTokenLength } from './jwt-verifier.ts'

/** Visible ASCII as tokens may have it (RFC 6750 §2.1 is narrower; issuers are not). */
const tokenPattern = /^[\x21-\x7e]+$/

/** Which issuer is to be asked about a token that cannot be verified here. No token is shown to two. */
export class OpaqueTokens {
  /** The longest prefix first. */
  readonly #byPrefix: readonly Introspection[]
  /** Issuers without published keys, by their name in tokens. */
  readonly #byIssuer: ReadonlyMap<string, Introspection>

  constructor(introspections: readonly Introspection[]) {
    this.#byPrefix = introspections.toSorted((a, b) => prefixOf(b).length - prefixOf(a).length)
    const keyless = introspections.filter(({ spec }) => spec.jwksUri === undefined && spec.jwksFile === undefined)
    this.#byIssuer = new Map(keyless.map((introspection) => [introspection.spec.issuer, introspection]))
  }

  /** Undefined for what is verified here, or is nobody's. */
  issuerOf(token: string): Introspection | undefined {
    if (token.length > maxTokenLength || !tokenPattern.test(token) || isOurs(token)) return undefined
    const parts = token.split('.')
    if (parts.length === 3) {
      const issuer = issuerIn(parts[1])
      // A text of three parts that says nothing of an issuer may be anybody's.
      if (issuer !== undefined) return this.#byIssuer.get(issuer)
    }
    return this.#byPrefix.find((introspection) => token.startsWith(prefixOf(introspection)))
  }
}

/** Sessions, refresh tokens and API keys of the gateway itself, put where they do not belong, are shown to nobody. */
function isOurs(token: string): boolean {
  return looksLikeApiKey(token) || /^[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43,64}$/.test(token)
}

function prefixOf({ spec }: Introspection): string {
  return spec.introspection?.prefix ?? ''
}

function issuerIn(part: string): string | undefined {
  const bytes = decodeBase64url(part)
  const claims = bytes === undefined ? undefined : parseStrictJson(bytes)
  const issuer = typeof claims === 'object' && claims !== null ? (claims as Readonly<Record<string, unknown>>)['iss'] : undefined
  return typeof issuer === 'string' ? issuer : undefined
}
