import type { TrustedIssuerSpec } from './identity-spec.ts'
import { KnownIdentity } from './known-identity.ts'
import type { Rejection } from './rejection.ts'
import { rejections } from './rejection.ts'

/**
 * How far the clocks of foreign issuers may be off, unless their entry says otherwise, and those of two nodes of ours may be
 * apart: each by five seconds.
 */
export const foreignSkewMs = 30_000
export const ownSkewMs = 10_000

function skewOf(spec: TrustedIssuerSpec): number {
  return spec.isOwn === true ? ownSkewMs : (spec.skewMs ?? foreignSkewMs)
}

type Claims = Readonly<Record<string, unknown>>

/** Identifiers longer than this are not kept (OpenID Connect Core §2 bounds `sub` by as much). */
const maxIdLength = 255
const identifiers = ['jti', 'sid', 'client_id', 'azp'] as const

/** What is wrong with the claims of a token at this moment, before its signature is looked at; undefined: nothing. */
export function claimsFault(claims: Claims, spec: TrustedIssuerSpec, tenantClaim: string, now: number): Rejection | undefined {
  const { sub, aud, exp, iat, nbf } = claims
  if (sub === undefined || aud === undefined || exp === undefined || iat === undefined) return rejections['missing-claim']
  if (!isIdentifier(sub) || !isTime(exp) || !isTime(iat) || (nbf !== undefined && !isTime(nbf))) return rejections['bad-claim']
  for (const name of identifiers) if (claims[name] !== undefined && !isIdentifier(claims[name])) return rejections['bad-claim']
  if (!hasScopes(claims) || rolesOf(claims) === undefined) return rejections['bad-claim']

  const skewMs = skewOf(spec)
  if (exp * 1000 + skewMs <= now) return rejections.expired
  if (nbf !== undefined && nbf * 1000 > now + skewMs) return rejections['not-yet-valid']
  if (iat * 1000 > now + skewMs) return rejections['issued-in-future']
  if ((exp - iat) * 1000 > spec.maxLifetimeMs) return rejections['lives-too-long']

  const audiences: unknown = Array.isArray(aud) ? aud : [aud]
  if (!isTextList(audiences)) return rejections['bad-claim']
  if (!spec.audience.some((audience) => audiences.includes(audience))) return rejections['other-audience']

  if (spec.isOwn === true) {
    const { gen, tenant } = claims
    if (claims['jti'] === undefined || !Number.isSafeInteger(gen) || (tenant !== undefined && !isIdentifier(tenant)))
      return rejections['bad-claim']
  } else if (spec.tenants !== undefined) {
    const tenant = claims[tenantClaim]
    if (tenant !== undefined && (typeof tenant !== 'string' || !spec.tenants.includes(tenant))) return rejections['other-tenant']
  }
  return undefined
}

/**
 * The identity of claims in which `claimsFault` found nothing wrong and whose signature is valid. The claims become part of
 * it, and lose their prototype.
 */
export function identityOf(claims: Claims, spec: TrustedIssuerSpec, tenantClaim: string): KnownIdentity {
  const { sub, exp, jti, sid, client_id: clientId, azp } = claims
  return new KnownIdentity({
    kind: 'bearer',
    issuer: spec.issuer,
    subject: sub as string,
    tenant: tenantOf(claims, spec, tenantClaim),
    // Tokens of people's own logins carry the issuer as their client (RFC 9068 demands one): that is nobody else.
    client: spec.isOwn === true && clientId === spec.issuer ? undefined : ((clientId ?? azp) as string | undefined),
    scopes: scopesOf(claims)!,
    roles: rolesOf(claims)!,
    // A quarter of the time that a copy takes, and half of its memory.
    claims: Object.setPrototypeOf(claims, null) as Claims,
    expiresAt: (exp as number) * 1000 + skewOf(spec),
    session: sid as string | undefined,
    credentialId: jti as string | undefined,
  })
}

function tenantOf(claims: Claims, spec: TrustedIssuerSpec, tenantClaim: string): string | undefined {
  if (spec.isOwn === true) return claims['tenant'] as string | undefined
  return spec.tenant ?? (spec.tenants === undefined ? undefined : (claims[tenantClaim] as string | undefined))
}

/** Whether what the claims say of scopes can be read, or is nothing. */
function hasScopes(claims: Claims): boolean {
  const written = claims['scope'] ?? claims['scp']
  return written === undefined || typeof written === 'string' || isTextList(written)
}

/** `scope` by spaces (RFC 9068 §2.2.3) or `scp` as a list or by spaces (as others spell it); undefined: of a wrong type. */
function scopesOf(claims: Claims): readonly string[] | undefined {
  const written = claims['scope'] ?? claims['scp']
  if (written === undefined) return []
  if (typeof written === 'string') return written.split(' ').filter((scope) => scope !== '')
  return isTextList(written) ? written : undefined
}

/** `roles` as a list of texts, or of SCIM values (RFC 9068 §2.2.3.1); undefined: of a wrong type. */
function rolesOf(claims: Claims): readonly string[] | undefined {
  const written = claims['roles']
  if (written === undefined) return []
  if (!Array.isArray(written)) return undefined
  const roles: unknown = written.map((role: unknown) =>
    typeof role === 'object' && role !== null ? (role as Claims)['value'] : role,
  )
  return isTextList(roles) ? roles : undefined
}

function isIdentifier(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && value.length <= maxIdLength
}

/** A NumericDate (RFC 7519 §2) that a Date could hold. */
function isTime(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value <= 8_640_000_000_000
}

function isTextList(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string')
}
