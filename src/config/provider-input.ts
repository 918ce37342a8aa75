import type { Duration, Secret } from './unit-input.ts'

/** An OpenID provider at which people log in. Its redirect URI is `<issuer><path>/oidc/<name>/callback`, with Velum's own issuer and path. */
export interface ProviderInput {
  /** Its issuer identifier, exactly. */
  readonly issuer: string
  /** The client id that it gave. */
  readonly clientId: string
  /** The secret that it gave; without the key, Velum is a public client. */
  readonly clientSecret?: Secret
  /** What the button on the login page says after “Log in with”. Default: the name. */
  readonly label?: string | undefined
  /** Where it is asked, for a provider without discovery. Default: its metadata says. */
  readonly endpoints?: ProviderEndpointsInput | undefined
  /** What is asked for; `openid` always is. Default: `['openid']`. */
  readonly scopes?: readonly string[] | undefined
  /** Further parameters of the authorization request, such as `prompt` or `hd`. */
  readonly parameters?: Readonly<Record<string, string>> | undefined
  /** Roles of everybody who logs in there. */
  readonly roles?: readonly string[] | undefined
  /** Further roles, by a claim of the ID token. */
  readonly rolesFrom?: RolesFromInput | undefined
  /** The tenant that all its people belong to. */
  readonly tenant?: string | undefined
  /** The tenants that `tenantClaim` may name. */
  readonly tenants?: readonly string[] | undefined
  /** The claim that names a tenant. Default: `identity.tenantClaim`. */
  readonly tenantClaim?: string | undefined
  /** How far its clock may be off. Default: `30s`. */
  readonly clockTolerance?: Duration | undefined
  /** How often it is asked, by refresh token, whether it still vouches for a session in use. Default: `10m`. */
  readonly refresh?: Duration | undefined
  /** Whether browsers carry the ID token there when they log out, for providers that demand it. Default: false. */
  readonly idTokenHint?: boolean | undefined
}

/** Where a provider is asked. */
export interface ProviderEndpointsInput {
  readonly authorization: string
  readonly token: string
  readonly jwks: string
  /** Where browsers log out there. Default: they do not. */
  readonly endSession?: string | undefined
}

/** Roles by a claim. */
export interface RolesFromInput {
  /** The claim; dots lead into objects. */
  readonly claim: string
  /** What each of its values grants; others grant nothing. */
  readonly map: Readonly<Record<string, readonly string[]>>
}
