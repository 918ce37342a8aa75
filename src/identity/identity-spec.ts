/** A foreign issuer whose tokens are believed, after the configuration was checked. */
export interface TrustedIssuerSpec {
  readonly name: string
  readonly issuer: string
  /** Where its keys are: one of the two, or none for an issuer that is only asked. `jwksFile` is absolute. */
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
  /** How far its clock may be off; absent: 30 s. */
  readonly skewMs?: number | undefined
  /** Velum itself: its clock is ours (5 s), any tenant of its tokens counts, and its keys come from the store. */
  readonly isOwn?: boolean | undefined
  /** The tenant its subjects belong to: a fixed one, or those of whom its `tenantClaim` may name one. */
  readonly tenant: string | undefined
  readonly tenants: readonly string[] | undefined
  /** Longest believed lifetime (exp − iat). */
  readonly maxLifetimeMs: number
  /** How it is asked about tokens that only it can read; absent: it is not. */
  readonly introspection?: IntrospectionSpec | undefined
}

/** How an issuer is asked about its tokens (RFC 7662). */
export interface IntrospectionSpec {
  /** https, or http on loopback. */
  readonly endpoint: string
  readonly clientId: string
  readonly clientSecret: string
  readonly authMethod: 'basic' | 'post'
  /** How its tokens begin; undefined: all that nobody else has claimed are its. */
  readonly prefix: string | undefined
  /** Whether its answer must name an audience. */
  readonly requiresAudience: boolean
  readonly timeoutMs: number
  /** How long an answer holds, at most; a token's own end counts. */
  readonly cacheMs: number
  /** How long after that a good answer serves while the endpoint gives none; 0: not at all. */
  readonly staleMs: number
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

/** Whom certificates stand for that TLS has verified: those that have one of these names. */
export interface CertificateSpec {
  /** The `client` of the identity. */
  readonly name: string
  /** SHA-256 of the whole certificate, 64 lower-case hex digits. */
  readonly fingerprint: readonly string[]
  /** Names of the subjectAltName, exact; `/*` at the end of a URI and `*.` in front of a host name stand for more. */
  readonly uri: readonly string[]
  readonly dns: readonly string[]
  readonly email: readonly string[]
  readonly commonName: readonly string[]
  /** Listeners on which they count; empty: all. */
  readonly listeners: readonly string[]
  /** Undefined: the name that was found. */
  readonly subject: string | undefined
  readonly tenant: string | undefined
  readonly scopes: readonly string[]
  readonly roles: readonly string[]
}

/** How long sessions of people live. */
export interface SessionSpec {
  /** Since the last request. */
  readonly idleMs: number
  /** Since the login; nothing extends it. */
  readonly absoluteMs: number
  readonly sameSite: 'lax' | 'strict'
}

/** How a login may hand over what it gives: an opaque cookie, an access token for a page's memory, or both tokens. */
export const deliveries = ['session', 'memory', 'token'] as const
export type Delivery = (typeof deliveries)[number]

export const ownAlgorithms = ['ES256', 'EdDSA', 'RS256'] as const
export type OwnAlgorithm = (typeof ownAlgorithms)[number]

/** Velum's own tokens. */
export interface TokenSpec {
  readonly algorithm: OwnAlgorithm
  readonly accessMs: number
  /** Absolute end of a family of refresh tokens, since the login. */
  readonly refreshMs: number
  /** How long a family lives without being used. */
  readonly refreshIdleMs: number
  /** How long a refresh token that was just used still gets the same successor. */
  readonly reuseGraceMs: number
  readonly deliver: readonly Delivery[]
}

/** A program that gets tokens for itself (client credentials) and may revoke and introspect them. */
export interface ClientSpec {
  readonly id: string
  /** SHA-256 of its secret, 64 lower-case hex digits. */
  readonly secretSha256: string
  readonly scopes: readonly string[]
  readonly roles: readonly string[]
  readonly tenant: string | undefined
}

/** What hashing passwords costs (argon2id, RFC 9106), and how much of the machine it may take. */
export interface PasswordSpec {
  readonly memoryKib: number
  readonly passes: number
  readonly lanes: number
  /** Threads that hash, at most as many as there are cores. */
  readonly threads: number
}

/** OWASP's floor: 19 MiB, two passes, one lane; about 15 ms of one core. */
export const defaultPasswords: PasswordSpec = { memoryKib: 19_456, passes: 2, lanes: 1, threads: 2 }

/** Where a provider is asked. */
export interface ProviderEndpoints {
  readonly authorization: string
  readonly token: string
  readonly jwks: string
  /** Where browsers log out there; absent: they cannot. */
  readonly endSession?: string | undefined
}

/** An OpenID provider at which people may log in. */
export interface ProviderSpec {
  readonly name: string
  /** What its button says. */
  readonly label: string
  readonly issuer: string
  /** Absent: its metadata says (OpenID Connect Discovery 1.0). */
  readonly endpoints?: ProviderEndpoints | undefined
  readonly clientId: string
  /** Absent: a public client. */
  readonly clientSecret: string | undefined
  readonly scopes: readonly string[]
  /** Further parameters of the authorization request. */
  readonly parameters: readonly (readonly [name: string, value: string])[]
  /** Roles of everybody who logs in there. */
  readonly roles: readonly string[]
  /** The claim that further roles come from, and what each of its values stands for. */
  readonly rolesClaim: string | undefined
  readonly roleMap: readonly (readonly [value: string, roles: readonly string[]])[]
  /** The tenant its people belong to: a fixed one, or those of whom `tenantClaim` may name one. */
  readonly tenant: string | undefined
  readonly tenants: readonly string[] | undefined
  readonly tenantClaim: string
  readonly skewMs: number
  /** How often it is asked, by refresh token, whether it still vouches for a session in use. */
  readonly refreshMs: number
  /** Whether the browser carries the ID token along when it logs out there, in an address; no other token ever leaves. */
  readonly isIdTokenHinted: boolean
}

/** Passkeys (WebAuthn). */
export interface PasskeySpec {
  /** The domain they are good for: a host of the issuer's, or a domain above it. */
  readonly rpId: string
  /** What authenticators call this place. */
  readonly name: string
  /** Origins whose pages may register and use them. */
  readonly origins: readonly string[]
}

/** Velum as an issuer: sessions, tokens, keys. */
export interface OwnIssuerSpec {
  /** The `iss` and `aud` of its access tokens: the public https address of the gateway. */
  readonly issuer: string
  /** Role → scopes, for sessions and tokens. */
  readonly roles: readonly (readonly [role: string, scopes: readonly string[]])[]
  readonly sessions: SessionSpec
  readonly tokens: TokenSpec
  readonly clients: readonly ClientSpec[]
  /** Absent: `defaultPasswords`. */
  readonly passwords?: PasswordSpec | undefined
  /** Origins besides its own whose pages may log in and out, refresh, and act with a session. Absent: none. */
  readonly trustedOrigins?: readonly string[] | undefined
  /** Absent: none. */
  readonly providers?: readonly ProviderSpec[] | undefined
  /** Absent: nobody can have one. */
  readonly passkeys?: PasskeySpec | undefined
}

export interface IdentitySpec {
  readonly path: string
  /** Absent: Velum issues nothing itself, and no store is asked. */
  readonly own?: OwnIssuerSpec | undefined
  readonly tenantClaim: string
  readonly trustedIssuers: readonly TrustedIssuerSpec[]
  readonly apiKeys: readonly ApiKeySpec[]
  /** Absent: none. */
  readonly certificates?: readonly CertificateSpec[] | undefined
}
