import type { Account } from '../accounts.ts'

/** The topic on which workers ask main for everything that is said to providers (`OidcQuestion` → `OidcAnswer`). */
export const oidcTopic = 'identity.oidc'

/** The topic on which workers tell main of sessions in use that a provider vouched for: their ids. */
export const oidcSeenTopic = 'identity.oidc.seen'

/** Begins a login: where is the browser to be sent? */
export interface OidcBegin {
  readonly kind: 'begin'
  readonly provider: string
  /** A path of this origin, checked. */
  readonly returnTo: string | undefined
  /** Hash of the secret that the browser keeps in a cookie. */
  readonly browser: string
  readonly address: string
}

/** The browser has come back. */
export interface OidcFinish {
  readonly kind: 'finish'
  readonly provider: string
  /** The query as it came. */
  readonly query: string
  /** Hash of the secret in the browser's cookie; undefined when there is none. */
  readonly browser: string | undefined
  readonly address: string
  /** Of the request, for the audit log. */
  readonly request: string
}

/** A provider says that somebody is logged out. */
export interface OidcLogout {
  readonly kind: 'logout'
  readonly provider: string
  readonly token: string
  readonly address: string
  readonly request: string
}

/** A session ends here: where can the browser log out at the provider too? */
export interface OidcLeave {
  readonly kind: 'leave'
  readonly session: string
}

export type OidcQuestion = OidcBegin | OidcFinish | OidcLogout | OidcLeave

/** What is kept of a login at a provider, beside the session that it began. */
export interface ProviderTicket {
  readonly provider: string
  readonly issuer: string
  readonly subject: string
  /** The provider's id of its own session; undefined when it names none. */
  readonly session: string | undefined
  /** When the provider said so (the `iat` of its ID token). */
  readonly issuedAt: number
  /** The provider's tokens, sealed, so that a copied store is of no use; undefined when none is kept. */
  readonly sealed: string | undefined
}

/**
 * What main says. `refused`: nobody is logged in, and trying the same again does not help; `unavailable`: the provider
 * does not answer, or makes no sense at the moment; `unknown`: there is no such provider.
 */
export type OidcAnswer =
  | { readonly kind: 'go'; readonly url: string }
  | {
      readonly kind: 'proved'
      readonly account: Account
      readonly generation: number
      readonly methods: readonly string[]
      readonly returnTo: string | undefined
      readonly ticket: ProviderTicket
    }
  | { readonly kind: 'refused'; readonly returnTo: string | undefined }
  | { readonly kind: 'done' }
  | { readonly kind: 'unavailable'; readonly returnTo: string | undefined }
  | { readonly kind: 'unknown' }
