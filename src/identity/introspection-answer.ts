import type { Identity } from '../core/identity.ts'
import type { TrustedIssuerSpec } from './identity-spec.ts'
import type { Rejection } from './rejection.ts'
import { rejections } from './rejection.ts'
import { claimsFault, identityOf } from './token-claims.ts'

/** An answer that is none (RFC 7662 §2.2): nobody can tell from it whether the token is good. */
export class IntrospectionError extends Error {
  constructor(message: string, options?: { cause: unknown }) {
    super(message, options)
    this.name = 'IntrospectionError'
  }
}

/**
 * Who an introspected token proves, or why nobody. What the issuer leaves out is not taken for good: a token must be
 * meant for this gateway, unless its entry says that the endpoint answers only for such. `tokenId` names a token that has
 * no `jti`. Throws `IntrospectionError` for what is no answer.
 */
export function introspected(
  answer: unknown,
  spec: TrustedIssuerSpec,
  tenantClaim: string,
  tokenId: string,
  now: number,
): Identity | Rejection {
  if (typeof answer !== 'object' || answer === null || Array.isArray(answer)) throw new IntrospectionError('it is no JSON object')
  const said = answer as Readonly<Record<string, unknown>>
  if (said['active'] === false) return rejections.inactive
  if (said['active'] !== true) throw new IntrospectionError('it does not say whether the token is active')
  const { iss, token_type: type, cnf } = said
  if (iss !== undefined && iss !== spec.issuer) return rejections['unknown-issuer']
  // A token that is bound to a key proves nothing by itself (RFC 9449 §7.1, RFC 8705 §3): whoever stole it could bring it.
  if (cnf !== undefined || (typeof type === 'string' && type.toLowerCase() === 'dpop')) return rejections['bound-token']
  const { introspection } = spec
  const nowS = Math.floor(now / 1000)
  const { active: _active, token_type: _type, ...rest } = said
  const claims: Record<string, unknown> = {
    ...rest,
    iss: spec.issuer,
    // Tokens of programs may have no subject of their own (RFC 9068 §2.2 gives them the client's id).
    sub: said['sub'] ?? said['client_id'],
    aud: said['aud'] ?? (introspection!.requiresAudience ? undefined : spec.audience[0]),
    iat: said['iat'] ?? nowS,
    exp: said['exp'] ?? nowS + Math.ceil(introspection!.cacheMs / 1000) + 1,
    jti: said['jti'] ?? tokenId,
  }
  if (claims['aud'] === undefined) return rejections['other-audience']
  return claimsFault(claims, spec, tenantClaim, now) ?? identityOf(claims, spec, tenantClaim)
}
