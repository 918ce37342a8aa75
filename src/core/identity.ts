/** How a caller proved who they are; in the order in which a presented credential is chosen. */
export const credentialKinds = ['client-certificate', 'bearer', 'basic', 'api-key', 'session'] as const
export type CredentialKind = (typeof credentialKinds)[number]

/** Who is calling: what a verified credential says, never the credential. */
export interface CallerFacts {
  readonly kind: string
  /** Who vouches for the subject: Velum's own issuer, a trusted issuer, or the name of a key or certificate list. */
  readonly issuer: string
  /** The person or service; unique only together with `issuer`. */
  readonly subject: string
  readonly tenant: string | undefined
  /** OAuth client, API-key id or certificate. */
  readonly client: string | undefined
  readonly scopes: readonly string[]
  readonly roles: readonly string[]
  /** Further verified claims: a null-prototype object of JSON values. */
  readonly claims: Readonly<Record<string, unknown>>
}

/** Who is calling, as established by exactly one credential. Immutable; may be shared by many exchanges. */
export interface Identity extends CallerFacts {
  readonly kind: CredentialKind
  /** Milliseconds since 1970 after which this must not be believed. */
  readonly expiresAt: number
  /** The session or token family this belongs to, for revocation. */
  readonly session: string | undefined
  /** `jti` or key id, for revocation. Never the token's text. */
  readonly credentialId: string | undefined
}
