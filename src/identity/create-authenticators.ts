import { hash } from 'node:crypto'
import type { BuildEnv } from '../core/build-env.ts'
import { ApiKeyAuthenticator } from './api-keys.ts'
import type { StoredApiKeys } from './api-key-store.ts'
import type { Authenticators } from './authenticators.ts'
import { BearerAuthenticator, BearerMemory } from './bearer.ts'
import { CertificateAuthenticator } from './certificates.ts'
import type { IdentitySpec } from './identity-spec.ts'
import { Introspection } from './introspection.ts'
import { OpaqueTokens } from './opaque-tokens.ts'
import { JwtVerifier } from './jwt-verifier.ts'
import { keySourceName } from './key-messages.ts'
import { believedIssuers } from './believed-issuers.ts'
import type { Revocations } from './revocations.ts'
import { createKeySource } from './key-source.ts'

/**
 * The authenticators of one Generation, to be made once and shared by its routes. What lasts longer (keys, remembered
 * tokens) is held through `env.hold` and ends with it. Keys arrive in the background; requests wait for them.
 */
export function createAuthenticators(
  spec: IdentitySpec,
  env: BuildEnv,
  revocations?: Revocations,
  storedKeys?: StoredApiKeys,
): Authenticators {
  const { hold, link, clock, log, meter } = env
  const trusted = believedIssuers(spec)
  const issuers = trusted.map((issuer) => {
    const name = keySourceName(issuer)
    return { spec: issuer, keys: hold.take(`identity.keys ${name}`, () => createKeySource(name, link, clock, log)) }
  })
  const verifier = new JwtVerifier(issuers, spec.tenantClaim)
  // A finding depends on everything that is said of issuers: if any of it changes, nothing is remembered.
  const memoryName = `identity.tokens ${JSON.stringify([spec.tenantClaim, trusted])}`
  const asked = spec.trustedIssuers.filter(({ introspection }) => introspection !== undefined)
  const introspections = asked.map((issuer) => {
    const name = hash('sha256', JSON.stringify([spec.tenantClaim, issuer]), 'base64url')
    const make = (): Introspection =>
      new Introspection(issuer, spec.tenantClaim, { clock, log, meter, fetch: env.fetch ?? globalThis.fetch })
    return hold.take(`identity.introspection ${name}`, make)
  })
  return {
    bearer: new BearerAuthenticator(
      verifier,
      hold.take(memoryName, () => new BearerMemory()),
      revocations,
      introspections.length === 0 ? undefined : new OpaqueTokens(introspections),
    ),
    'api-key': new ApiKeyAuthenticator(spec.apiKeys, storedKeys, revocations),
    'client-certificate': new CertificateAuthenticator(spec.certificates ?? [], revocations),
  }
}
