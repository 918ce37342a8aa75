import { hash } from 'node:crypto'
import type { Exchange } from '../core/exchange.ts'
import type { Identity } from '../core/identity.ts'

/** The URL that a request is for, as purges name it: scheme, host, path as read once for everybody, query as it came. */
export function urlOf(x: Exchange): string {
  const base = `${x.scheme}://${x.authority}${x.path}`
  return x.query === undefined ? base : `${base}?${x.query}`
}

/** Parts of a key stand behind line feeds, which none of them can hold: no part can pass for another. */
export function keyOf(url: string, shape: string, extra: string, partition: string): string {
  return `${url}\n${shape}\n${partition}${extra}`
}

/** Claims that differ from token to token of one caller. */
const ofOneToken: ReadonlySet<string> = new Set(['iat', 'exp', 'nbf', 'jti'])

/** A caller as far as an answer may depend on who he is: by all that a service can be told of him. For keys. */
export function partitionOf(identity: Identity | undefined): string {
  if (identity === undefined) return '-'
  const { kind, issuer, subject, tenant, client, session, claims } = identity
  // JSON, so that no name can hold what separates names.
  const told = JSON.stringify([
    [kind, issuer, subject, tenant ?? null, client ?? null, session ?? null],
    identity.scopes.toSorted(),
    identity.roles.toSorted(),
    Object.keys(claims)
      .filter((name) => !ofOneToken.has(name))
      .toSorted()
      .map((name) => [name, claims[name]]),
  ])
  return hash('sha256', told, 'base64url')
}
