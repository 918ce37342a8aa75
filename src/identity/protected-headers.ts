import { H, headerId } from '../core/header-names.ts'
import type { Headers } from '../core/headers.ts'
import type { RequestEdit } from '../core/request-edits.ts'
import { trimSpace } from '../lib/trim-space.ts'

/**
 * Names by which gateways and proxies tell services who is calling. A service that believes one of them must be able
 * to: only the gateway sets them, and what clients send under these names, in any case and with `_` for `-`, is dropped.
 */
const identityNames = [
  // Ours.
  'x-auth-subject',
  'x-auth-tenant',
  'x-auth-client',
  'x-auth-scopes',
  'x-auth-roles',
  // Those of others, which a service may have learnt to believe behind another proxy.
  'remote-user',
  'x-remote-user',
  'x-forwarded-user',
  'x-forwarded-email',
  'x-forwarded-groups',
  'x-forwarded-preferred-username',
  'x-forwarded-access-token',
  'x-auth-request-user',
  'x-auth-request-email',
  'x-auth-request-groups',
  'x-auth-request-preferred-username',
  'x-auth-request-access-token',
  'x-forwarded-client-cert',
  'x-forwarded-tls-client-cert',
  'x-forwarded-tls-client-cert-info',
  'x-client-cert',
  'x-ssl-client-cert',
  'x-ssl-client-dn',
  'x-ssl-client-verify',
] as const

/** Ids of the header names that say who is calling; see `headerId`. */
export const identityHeaderIds: readonly number[] = identityNames.map(headerId)

/** What one service may see of a client's own credentials. */
export interface ProtectedFor {
  /** How the service learns who is calling; `pass` hands the client's bearer token on. */
  readonly identity: 'jwt' | 'headers' | 'none' | 'pass'
  /** Whether `x-api-key` carries keys of the gateway's own. */
  readonly hasApiKeys: boolean
}

/**
 * Ids of the lines of a request that must not reach a service: identity from outside, and credentials. For a drop
 * table, together with hop-by-hop fields. Cookies are not dropped whole; see `withoutOwnCookies`.
 */
export function protectedHeaderIds(service: ProtectedFor): number[] {
  const ids = [...identityHeaderIds]
  const isPassed = service.identity === 'pass'
  if (!isPassed) ids.push(H.authorization)
  if (!isPassed || service.hasApiKeys) ids.push(H.apiKey)
  return ids
}

/** Every cookie of the gateway's own begins with this; compared without case, since some servers do not mind it. */
const ownCookie = '__host-http-velum'

/**
 * Whether a `Set-Cookie` line would set one of the gateway's own cookies, or a pair of `Cookie` names one. All white space in
 * front is passed over, more than is HTTP's: some servers do so, and would take the rest for the name.
 */
export function isOwnCookieLine(line: string): boolean {
  return line.trimStart().toLowerCase().startsWith(ownCookie)
}

/** Takes the gateway's own cookies out of what a service sees; all others pass as they came. */
export const withoutOwnCookies: RequestEdit = (headers: Headers) => {
  const line = headers.single(H.cookie)
  if (line === undefined) return
  if (line !== null) {
    const at = line.toLowerCase().indexOf(ownCookie)
    if (at === -1) return
    const kept = withoutPairAt(line, at)
    if (kept !== undefined) {
      headers.putLines(kept === '' ? '' : `cookie: ${kept}\r\n`, H.cookie)
      return
    }
  }
  const kept = headers
    .all('cookie')
    .flatMap((value) => value.split(';'))
    .map(trimSpace)
    .filter((pair) => pair !== '' && !isOwnCookieLine(pair))
  if (kept.length === 0) headers.remove('cookie')
  else headers.set('cookie', kept.join('; '))
}

/** The usual case, without taking the line apart: one pair of ours, written as browsers write. Undefined for any other. */
function withoutPairAt(line: string, at: number): string | undefined {
  const isFirst = at === 0
  if (!isFirst && !line.startsWith('; ', at - 2)) return undefined
  const end = line.indexOf(';', at)
  const isLast = end === -1
  if (!isLast && (line.charCodeAt(end + 1) !== space || line.toLowerCase().includes(ownCookie, end))) return undefined
  if (isLast) return isFirst ? '' : line.slice(0, at - 2)
  return line.slice(0, at) + line.slice(end + 2)
}

const space = 32
