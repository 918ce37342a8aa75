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

/** A caller as far as an answer may depend on who he is; for keys. */
export function partitionOf(identity: Identity | undefined): string {
  if (identity === undefined) return '-'
  // JSON, so that no name can hold what separates names.
  return JSON.stringify([
    identity.issuer,
    identity.subject,
    identity.tenant ?? null,
    identity.client ?? null,
    identity.scopes.toSorted(),
    identity.roles.toSorted(),
  ])
}
