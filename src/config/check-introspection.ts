import type { IntrospectionSpec, TrustedIssuerSpec } from '../identity/identity-spec.ts'
import { isLoopbackHost } from '../lib/loopback.ts'
import type { CheckContext } from './check-context.ts'
import type { ConfigPath } from './finding.ts'
import { introspectionSchema } from './schema/identity.ts'

/** How an issuer is asked about its tokens; undefined, with findings, for what is no object. */
export function introspectionSpec(context: CheckContext, path: ConfigPath): IntrospectionSpec | undefined {
  const read = context.reading.readFields(introspectionSchema, path)
  if (read === undefined) return undefined
  const { endpoint = '', onFailure } = read
  if (read.endpoint !== undefined) checkEndpoint(context, [...path, 'endpoint'], endpoint)
  return {
    endpoint,
    clientId: read.clientId ?? '',
    clientSecret: read.clientSecret ?? '',
    authMethod: read.auth ?? 'basic',
    prefix: read.prefix,
    requiresAudience: read.requireAudience ?? true,
    timeoutMs: read.timeout ?? 2000,
    cacheMs: read.cache ?? 30_000,
    staleMs: onFailure === undefined || onFailure === 'closed' ? 0 : onFailure.stale,
  }
}

function checkEndpoint(context: CheckContext, path: ConfigPath, text: string): void {
  const { findings, reading } = context
  const url = URL.parse(text)
  const shown = reading.show(text, path)
  if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:')) {
    findings.error(path, `${shown} is not a web address`, 'write an https address')
  } else if (url.protocol === 'http:' && !isLoopbackHost(url.hostname)) {
    const message = `${shown} is asked without TLS, so anybody on the way could read and vouch for tokens`
    findings.error(path, message, 'use https (http is allowed on loopback only)')
  } else if (url.username !== '' || url.password !== '') {
    findings.error(path, 'the address holds a user name or password', 'write them as clientId and clientSecret')
  }
}

/** A token must not be shown to an issuer that did not make it: how tokens begin tells issuers apart. */
export function checkPrefixes({ findings }: CheckContext, issuers: readonly TrustedIssuerSpec[]): void {
  const asked = issuers.filter(({ introspection }) => introspection !== undefined)
  for (const [i, { name, introspection }] of asked.entries()) {
    const other = asked.slice(0, i).find((earlier) => earlier.introspection!.prefix === introspection!.prefix)
    if (other === undefined) continue
    const path = ['identity', 'trustedIssuers', name, 'introspection']
    const message = `"${other.name}" is asked about the same tokens`
    findings.error(path, message, 'give each a prefix by which its tokens begin, so that none is shown to another issuer')
  }
}
