import { z } from 'zod'
import type { ApiKeySpec, IdentitySpec, TrustedIssuerSpec } from '../identity/identity-spec.ts'
import { parseInstant } from '../lib/instant.ts'
import { isLoopbackHost } from '../lib/loopback.ts'
import { readPath } from '../routing/read-path.ts'
import { checkCertificateIdentities } from './check-certificate-identities.ts'
import type { CheckContext } from './check-context.ts'
import { absolutePath, checkedNames } from './check-context.ts'
import { checkOwnIssuer } from './check-own-issuer.ts'
import { checkSha256 } from './check-sha256.ts'
import { checkPrefixes, introspectionSpec } from './check-introspection.ts'
import type { ConfigPath } from './finding.ts'
import { readConfigFile } from './read-config-file.ts'
import { apiKeySchema, asymmetricAlgorithms, identitySchema, trustedIssuerSchema } from './schema/identity.ts'

const dayMs = 86_400_000

/** Issuers and keys are read one by one, so that each has its own findings. */
const ownSchema = identitySchema.pick({ path: true, issuer: true, tenantClaim: true }).extend({
  trustedIssuers: z.unknown().optional(),
  apiKeys: z.unknown().optional(),
  certificates: z.unknown().optional(),
  roles: z.unknown().optional(),
  sessions: z.unknown().optional(),
  tokens: z.unknown().optional(),
  clients: z.unknown().optional(),
  passwords: z.unknown().optional(),
  trustedOrigins: z.unknown().optional(),
  providers: z.unknown().optional(),
  passkeys: z.unknown().optional(),
})

const issuerFields = trustedIssuerSchema.extend({ introspection: z.unknown().optional() })

/** Who is calling. */
export function checkIdentity(context: CheckContext): IdentitySpec {
  const { reading } = context
  const own = (reading.at(['identity']) === undefined ? undefined : reading.readFields(ownSchema, ['identity'])) ?? {}
  const trustedIssuers = checkedNames(context, ['identity', 'trustedIssuers']).flatMap((name) => issuerSpec(context, name) ?? [])
  const apiKeys = checkedNames(context, ['identity', 'apiKeys']).flatMap((id) => apiKeySpec(context, id) ?? [])
  checkDoubles(context, trustedIssuers, apiKeys)
  checkPrefixes(context, trustedIssuers)
  const ownIssuer = checkOwnIssuer(context, own.issuer)
  for (const { name, issuer } of trustedIssuers) {
    if (issuer !== ownIssuer?.issuer || issuer === '') continue
    const path = ['identity', 'trustedIssuers', name, 'issuer']
    context.findings.error(
      path,
      'this is the issuer of this gateway itself',
      'remove the entry: its own tokens are believed without one',
    )
  }
  return {
    path: identityPath(context, own.path),
    own: ownIssuer,
    tenantClaim: own.tenantClaim ?? 'tenant',
    trustedIssuers,
    apiKeys,
    certificates: checkCertificateIdentities(context),
  }
}

function identityPath(context: CheckContext, path: string | undefined): string {
  if (path === undefined) return '/auth'
  const reading = readPath(path)
  if (path === '/' || path.endsWith('/') || /[{}*?#]/.test(path) || reading.fault !== undefined || reading.path !== path) {
    const remedy = 'write a plain path without a slash at its end, such as /auth'
    context.findings.error(
      ['identity', 'path'],
      `${context.reading.show(path, ['identity', 'path'])} cannot hold the identity endpoints`,
      remedy,
    )
  }
  return path
}

function issuerSpec(context: CheckContext, name: string): TrustedIssuerSpec | undefined {
  const path: ConfigPath = ['identity', 'trustedIssuers', name]
  const issuer = context.reading.readFields(issuerFields, path)
  if (issuer === undefined) return undefined
  const isThere = (key: string): boolean => context.reading.at([...path, key]) !== undefined
  const hasFile = isThere('jwks')
  if (hasFile === isThere('jwksUri') && (hasFile || !isThere('introspection'))) {
    const message = hasFile ? 'the issuer has both jwksUri and jwks' : 'the issuer has no keys'
    context.findings.error(path, message, 'give it either jwksUri (an https address), or jwks (a file), or introspection')
  }
  if (issuer.tenant !== undefined && issuer.tenants !== undefined) {
    context.findings.error(
      [...path, 'tenants'],
      'the issuer has both tenant and tenants',
      'keep tenant for one fixed tenant, or tenants for those its tokens may name',
    )
  }
  if (issuer.jwksUri !== undefined) checkJwksUri(context, [...path, 'jwksUri'], issuer.jwksUri)
  const jwksFile = issuer.jwks === undefined ? undefined : absolutePath(context, issuer.jwks)
  if (jwksFile !== undefined) checkJwksFile(context, [...path, 'jwks'], jwksFile)
  return {
    name,
    issuer: issuer.issuer ?? '',
    jwksUri: issuer.jwksUri,
    jwksFile,
    audience: issuer.audience ?? [],
    algorithms: issuer.algorithms ?? asymmetricAlgorithms,
    types: issuer.types,
    skewMs: issuer.clockTolerance,
    tenant: issuer.tenant,
    tenants: issuer.tenants,
    maxLifetimeMs: issuer.maxLifetime ?? dayMs,
    ...(isThere('introspection') ? { introspection: introspectionSpec(context, [...path, 'introspection']) } : {}),
  }
}

function checkJwksUri(context: CheckContext, path: ConfigPath, text: string): void {
  const url = URL.parse(text)
  const shown = context.reading.show(text, path)
  if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:')) {
    context.findings.error(path, `${shown} is not a web address`, 'write an https address')
  } else if (url.protocol === 'http:' && !isLoopbackHost(url.hostname)) {
    context.findings.error(
      path,
      `${shown} is fetched without TLS, so anybody on the way could replace the keys`,
      'use https (http is allowed on loopback only)',
    )
  } else if (url.username !== '' || url.password !== '') {
    context.findings.error(path, 'the address holds a user name or password', 'remove it: key sets are public')
  }
}

function checkJwksFile(context: CheckContext, path: ConfigPath, file: string): void {
  const text = readConfigFile(context, path, file)
  if (text === undefined) return
  const wrong = (message: string, remedy: string): void => context.findings.error(path, message, remedy)
  let set: unknown
  try {
    set = JSON.parse(text)
  } catch {
    return wrong(`the file ${file} is not JSON`, 'give a JWK set: { "keys": [ … ] }')
  }
  const keys: unknown = (set as { keys?: unknown } | null)?.keys
  if (!Array.isArray(keys)) return wrong(`the file ${file} is not a JWK set`, 'give { "keys": [ … ] }')
  if (keys.length === 0) return wrong(`the file ${file} holds no key`, "put the issuer's public keys into it")
  for (const key of keys as ({ kty?: unknown; d?: unknown } | null)[]) {
    if (key?.kty === 'oct')
      return wrong(
        `the file ${file} holds a symmetric key`,
        'use public keys: whoever can check a symmetric signature can forge it',
      )
    if (key?.d !== undefined)
      return wrong(`the file ${file} holds a private key`, 'remove it from here; only public keys are needed to check tokens')
  }
}

function apiKeySpec(context: CheckContext, id: string): ApiKeySpec | undefined {
  const path: ConfigPath = ['identity', 'apiKeys', id]
  const key = context.reading.readFields(apiKeySchema, path)
  if (key === undefined) return undefined
  return {
    id,
    sha256: checkSha256(context, [...path, 'sha256'], key.sha256),
    subject: key.subject ?? id,
    tenant: key.tenant,
    scopes: key.scopes ?? [],
    roles: key.roles ?? [],
    expiresAt: expiryOf(context, [...path, 'expires'], key.expires),
    addresses: key.addresses ?? [],
  }
}

function expiryOf(context: CheckContext, path: ConfigPath, expires: string | undefined): number {
  if (expires === undefined) return Infinity
  const at = parseInstant(expires)
  if (at === undefined) {
    context.findings.error(
      path,
      `${context.reading.show(expires, path)} is not a date`,
      'write 2027-01-31, or a time with its zone: 2027-01-31T12:00:00Z',
    )
    return Infinity
  }
  if (at <= context.now)
    context.findings.warn(path, `the key expired on ${expires}: it is refused`, 'remove the key, or give it a later date')
  return at
}

function checkDoubles(context: CheckContext, issuers: readonly TrustedIssuerSpec[], keys: readonly ApiKeySpec[]): void {
  for (const [i, issuer] of issuers.entries()) {
    const other = issuers.slice(0, i).find((earlier) => earlier.issuer === issuer.issuer && issuer.issuer !== '')
    if (other === undefined) continue
    const path = ['identity', 'trustedIssuers', issuer.name, 'issuer']
    context.findings.error(path, `"${other.name}" is this issuer already`, 'keep one of the two; audience takes a list')
  }
  for (const [i, key] of keys.entries()) {
    const other = keys.slice(0, i).find((earlier) => earlier.sha256 === key.sha256 && key.sha256 !== '')
    if (other === undefined) continue
    context.findings.error(
      ['identity', 'apiKeys', key.id, 'sha256'],
      `"${other.id}" has this key already`,
      'give each caller a key of its own',
    )
  }
}
