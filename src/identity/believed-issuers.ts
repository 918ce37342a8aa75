import type { IdentitySpec, TrustedIssuerSpec } from './identity-spec.ts'
import { ownAlgorithms } from './identity-spec.ts'

/** Every issuer whose tokens are verified here: the trusted ones that publish keys, and Velum itself. */
export function believedIssuers(spec: IdentitySpec): readonly TrustedIssuerSpec[] {
  const { own } = spec
  const trustedIssuers = spec.trustedIssuers.filter(({ jwksUri, jwksFile }) => jwksUri !== undefined || jwksFile !== undefined)
  if (own === undefined) return trustedIssuers
  const itself: TrustedIssuerSpec = {
    name: 'velum',
    issuer: own.issuer,
    jwksUri: undefined,
    jwksFile: undefined,
    audience: [own.issuer],
    // Not only today's: a token of before a change of algorithm is valid until it expires.
    algorithms: ownAlgorithms,
    isOwn: true,
    tenant: undefined,
    tenants: undefined,
    maxLifetimeMs: own.tokens.accessMs + 1000,
  }
  return [...trustedIssuers, itself]
}
