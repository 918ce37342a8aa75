import type { ProviderInput } from './provider-input.ts'
import type { Duration, Secret, Size } from './unit-input.ts'

/** Who may be recognised, and how. */
export interface IdentityInput {
  /** Where the identity endpoints live; routes may not lie below it. Default: `/auth`. */
  readonly path?: string | undefined
  /** The `iss` and `aud` of Velum's own tokens: the public https address of this gateway. Without it Velum issues none. */
  readonly issuer?: string | undefined
  /** The scopes that a role grants, in sessions and in tokens that Velum issues. */
  readonly roles?: Readonly<Record<string, readonly string[]>> | undefined
  /** Sessions of people, behind an opaque cookie. */
  readonly sessions?: SessionsInput | undefined
  /** Tokens that Velum issues. */
  readonly tokens?: TokensInput | undefined
  /** What hashing the passwords of `velum user` costs. */
  readonly passwords?: PasswordsInput | undefined
  /** Origins besides its own whose pages may log in and out, refresh, and act with a session. Default: none. */
  readonly trustedOrigins?: readonly string[] | undefined
  /** Programs that get tokens for themselves, by client id. */
  readonly clients?: Readonly<Record<string, ClientInput>> | undefined
  /** OpenID providers at which people log in, by name; each gets a button on the login page. */
  readonly providers?: Readonly<Record<string, ProviderInput>> | undefined
  /** Passkeys: who logs in by password may register some and log in with them. `{}` suffices; without it nobody can have one. */
  readonly passkeys?: PasskeysInput | undefined
  /** The claim of foreign tokens that names a tenant. Default: `tenant`. */
  readonly tenantClaim?: string | undefined
  /** Foreign issuers whose bearer tokens are believed, by name. */
  readonly trustedIssuers?: Readonly<Record<string, TrustedIssuerInput>> | undefined
  /** API keys by name; callers send the key in `x-api-key`. */
  readonly apiKeys?: Readonly<Record<string, ApiKeyInput>> | undefined
  /** Whom certificates of clients stand for, by name. */
  readonly certificates?: Readonly<Record<string, CertificateIdentityInput>> | undefined
}

/** Whom certificates stand for that have one of these names. */
export interface CertificateIdentityInput {
  /** URIs of the subjectAltName, exact or with `/*` at the end. */
  readonly uri?: string | readonly string[] | undefined
  /** Host names of the subjectAltName, exact or with `*.` in front. */
  readonly dns?: string | readonly string[] | undefined
  /** Mail addresses of the subjectAltName. */
  readonly email?: string | readonly string[] | undefined
  /** The common name of the subject. */
  readonly commonName?: string | readonly string[] | undefined
  /** SHA-256 of the whole certificate, in hex. */
  readonly fingerprint?: string | readonly string[] | undefined
  /** Listeners on which this entry counts. Default: all. */
  readonly listeners?: readonly string[] | undefined
  /** Who calls with it. Default: the name that was found. */
  readonly subject?: string | undefined
  /** The tenant it belongs to. */
  readonly tenant?: string | undefined
  /** The scopes it grants. */
  readonly scopes?: readonly string[] | undefined
  /** The roles it grants. */
  readonly roles?: readonly string[] | undefined
}

/** How long sessions live. */
export interface SessionsInput {
  /** Without a request. Default: `30m`. */
  readonly idle?: Duration | undefined
  /** Whatever happens, counted from the login. Default: `12h`. */
  readonly absolute?: Duration | undefined
  /** Whether the cookie comes along when somebody follows a link from another site. Default: `lax`, it does. */
  readonly sameSite?: 'lax' | 'strict' | undefined
}

/** Tokens that Velum issues. */
export interface TokensInput {
  /** How long an access token lives. Default: `10m`. */
  readonly access?: Duration | undefined
  /** When a login by tokens ends, whatever happens. Default: `30d`. */
  readonly refresh?: Duration | undefined
  /** How long it lives without being refreshed. Default: `7d`. */
  readonly refreshIdle?: Duration | undefined
  /** How long a refresh token that was just used still yields the same successor; at most `60s`. Default: `10s`. */
  readonly reuseGrace?: Duration | undefined
  /** How tokens are signed. Default: `ES256`. */
  readonly algorithm?: 'ES256' | 'EdDSA' | 'RS256' | undefined
  /** What a login may ask for. Default: `['session', 'memory']`. */
  readonly deliver?: readonly ('session' | 'memory' | 'token')[] | undefined
}

/** Passkeys (WebAuthn). */
export interface PasskeysInput {
  /** The domain that passkeys are good for: the issuer's host, or a domain above it. Default: the issuer's host. */
  readonly rpId?: string | undefined
  /** What authenticators call this place. Default: the domain. */
  readonly name?: string | undefined
  /** Origins whose pages may register and use passkeys, each within the domain. Default: the issuer. */
  readonly origins?: readonly string[] | undefined
}

/** What hashing passwords costs (argon2id). */
export interface PasswordsInput {
  /** Memory of one hash; at least, and by default, `19mb` (19456 KiB). */
  readonly memory?: Size | undefined
  /** Passes over that memory. Default: 2. */
  readonly passes?: number | undefined
  /** Lanes, computed one after the other. Default: 1. */
  readonly lanes?: number | undefined
  /** Threads that hash, at most as many as there are cores. Default: 2. */
  readonly threads?: number | undefined
}

/** A program that gets tokens for itself. */
export interface ClientInput {
  /** SHA-256 of its secret, in hex. */
  readonly secretHash: Secret
  /** The scopes it may ask for; without asking it gets all of them. */
  readonly scopes?: readonly string[] | undefined
  /** The roles it has. */
  readonly roles?: readonly string[] | undefined
  /** The tenant it belongs to. */
  readonly tenant?: string | undefined
}

/** A foreign issuer of bearer tokens, with its keys at `jwksUri` or in the file `jwks`. */
export interface TrustedIssuerInput {
  /** The exact `iss` of its tokens. */
  readonly issuer: string
  /** Where its keys are published: https, or http on loopback. */
  readonly jwksUri?: string | undefined
  /** A file with its keys (a JWK set), relative to the config file. */
  readonly jwks?: string | undefined
  /** Asks the issuer about tokens that cannot be verified here (RFC 7662). */
  readonly introspection?: IntrospectionInput | undefined
  /** Whom its tokens must be meant for. */
  readonly audience: string | readonly string[]
  /** The signature algorithms it may use. Default: all asymmetric ones. */
  readonly algorithms?: readonly SignatureAlgorithm[] | undefined
  /** The `typ` of its access tokens. Default: `at+jwt` alone. */
  readonly types?: readonly string[] | undefined
  /** How far its clock may be off. Default: `30s`. */
  readonly clockTolerance?: Duration | undefined
  /** The tenant that all its subjects belong to. */
  readonly tenant?: string | undefined
  /** The tenants that its tokens may name. */
  readonly tenants?: readonly string[] | undefined
  /** Longest lifetime of a token that is believed. Default: `24h`. */
  readonly maxLifetime?: Duration | undefined
}

/** How an issuer is asked about its tokens. */
export interface IntrospectionInput {
  /** Where it is asked: https, or http on loopback. */
  readonly endpoint: string
  /** Who this gateway is there. */
  readonly clientId: string
  /** The secret that the issuer gave it. */
  readonly clientSecret: Secret
  /** Whether the secret travels in `Authorization` or in the form. Default: `basic`. */
  readonly auth?: 'basic' | 'post' | undefined
  /** How its tokens begin; only one issuer that is asked may have none. */
  readonly prefix?: string | undefined
  /** Whether its answer must name one of `audience`. Default: true. */
  readonly requireAudience?: boolean | undefined
  /** How long its answer is waited for. Default: `2s`. */
  readonly timeout?: Duration | undefined
  /** For how long its answer holds, at most. Default: `30s`. */
  readonly cache?: Duration | undefined
  /** What becomes of tokens while it does not answer. Default: `closed`. */
  readonly onFailure?: 'closed' | { readonly stale: Duration } | undefined
}

/** Algorithms by which an issuer may sign: asymmetric ones only. */
export type SignatureAlgorithm =
  | 'RS256'
  | 'RS384'
  | 'RS512'
  | 'PS256'
  | 'PS384'
  | 'PS512'
  | 'ES256'
  | 'ES384'
  | 'ES512'
  | 'EdDSA'
  | 'Ed25519'

/** An API key, known by its hash. */
export interface ApiKeyInput {
  /** SHA-256 of the key's text, in hex. The key itself never stands in a config. */
  readonly sha256: Secret
  /** Who calls with it. Default: the name of the key. */
  readonly subject?: string | undefined
  /** The tenant it belongs to. */
  readonly tenant?: string | undefined
  /** The scopes it grants. */
  readonly scopes?: readonly string[] | undefined
  /** The roles it grants. */
  readonly roles?: readonly string[] | undefined
  /** When it ends: `2027-01-31`, or a time with its zone. Default: never. */
  readonly expires?: string | undefined
  /** Where it may be used from. Default: anywhere. */
  readonly addresses?: readonly string[] | undefined
}
