/** A foreign issuer whose tokens are believed, after the configuration was checked. */
export interface TrustedIssuerSpec {
  readonly name: string
  readonly issuer: string
  /** Where its keys are: exactly one of the two. `jwksFile` is absolute. */
  readonly jwksUri: string | undefined
  readonly jwksFile: string | undefined
  readonly audience: readonly string[]
  /** Asymmetric ones. An RSA key that names none of its own is used with the first that fits. */
  readonly algorithms: readonly string[]
  /**
   * The `typ` of its access tokens; absent: `at+jwt` alone (RFC 9068 §4). Issuers that know no other type mark theirs
   * `JWT`, as ID tokens are: then only the audience tells the two apart.
   */
  readonly types?: readonly string[] | undefined
  /** The tenant its subjects belong to: a fixed one, or those of whom its `tenantClaim` may name one. */
  readonly tenant: string | undefined
  readonly tenants: readonly string[] | undefined
  /** Longest believed lifetime (exp − iat). */
  readonly maxLifetimeMs: number
}

/** An API key from the configuration. Only its hash is there. */
export interface ApiKeySpec {
  /** Its name; the `client` of the identity. */
  readonly id: string
  /** SHA-256 of the key's text, 64 lower-case hex digits. */
  readonly sha256: string
  readonly subject: string
  readonly tenant: string | undefined
  readonly scopes: readonly string[]
  readonly roles: readonly string[]
  /** Milliseconds since 1970; Infinity when it does not expire. */
  readonly expiresAt: number
  /** CIDR blocks it may be used from; empty: anywhere. */
  readonly addresses: readonly string[]
}

export interface IdentitySpec {
  readonly path: string
  /** The `iss` of Velum's own tokens; unused until it mints some. */
  readonly issuer?: string | undefined
  readonly tenantClaim: string
  readonly trustedIssuers: readonly TrustedIssuerSpec[]
  readonly apiKeys: readonly ApiKeySpec[]
}
