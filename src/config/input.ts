import type { AddressesInput } from '../policies/addresses.ts'
import type { AuthInput } from '../policies/auth.ts'
import type { BodyInput } from '../policies/body.ts'
import type { CorsInput } from '../policies/cors.ts'
import type { HeadersInput } from '../policies/headers.ts'

/** `250ms`, `5s`, `10m`, `12h`, `30d`: a whole number and a unit. */
export type Duration = `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`
/** `512b`, `64kb`, `10mb`, `1gb`: a whole number and a unit of 1024. */
export type Size = `${number}${'b' | 'kb' | 'mb' | 'gb'}`
/** `2/s`, `100/m`, `5000/h`, `100000/d`: a whole number per period. */
export type Rate = `${number}/${'s' | 'm' | 'h' | 'd'}`
/** A value that may come from the environment: undefined compiles, and `velum check` reports it. */
export type Secret = string | undefined

/**
 * A gateway as it is written. `S` are the names of its services and `L` those of its limits, so that the compiler finds a
 * misspelt one where it stands. Every option is explained in `docs/reference`; durations, sizes and rates are texts.
 */
export interface GatewayInput<S extends string = string, L extends string = string> {
  /** The name of this gateway in log and metrics. Default: `gateway`. */
  readonly name?: string | undefined
  /** The open ports by name; at least one. */
  readonly listeners: Readonly<Record<string, ListenerInput<NoInfer<L>>>>
  /** The admin server: health, metrics, dashboard. Without it there is none. */
  readonly admin?: AdminInput | undefined
  /** A port with /healthz and /readyz and nothing else, for an orchestrator. */
  readonly probes?: ProbesInput | undefined
  /** Where state is kept. Default: embedded, in `.velum` beside the config file. */
  readonly store?: StoreInput | undefined
  /** `[current, previous]`: at least 32 characters each, from which keys are derived. The embedded store makes its own. */
  readonly secret?: readonly Secret[] | undefined
  /** Addresses whose Forwarded, X-Forwarded-* and x-request-id fields are believed. Default: none. */
  readonly trustedProxies?: readonly string[] | undefined
  /** What stands behind the gateway, by name. */
  readonly services?: Readonly<Record<S, ServiceInput>> | undefined
  /** Who is calling: trusted issuers of tokens, API keys. */
  readonly identity?: IdentityInput | undefined
  /** Budgets by name. One name is one counter, wherever it is used. */
  readonly limits?: Readonly<Record<L, LimitInput>> | undefined
  /** The access log and the operational log. */
  readonly log?: LogInput | undefined
  /** What every route has: its own field replaces the default's, except `limits` (add) and `headers`, `body` (merged by key). */
  readonly defaults?: DefaultsInput<NoInfer<L>> | undefined
  /** The routes. Their order does not matter: the most specific match wins. */
  readonly routes: readonly RouteInput<NoInfer<S>, NoInfer<L>>[]
}

/** An open port. */
export interface ListenerInput<L extends string = string> {
  /** The TCP port. 0 lets the machine choose one. */
  readonly port: number
  /** The address to listen on. Default: `0.0.0.0`, every IPv4 address; `::` adds IPv6. */
  readonly host?: string | undefined
  /** The HTTP/1.1 engine: Velum's own, or the one of node:http at its price. Default: `velum`. */
  readonly wire?: 'velum' | 'node' | undefined
  /** Answers every request with a redirect to the same URL on the listener that has TLS. */
  readonly redirect?: 'https' | undefined
  /** Terminates TLS here. */
  readonly tls?: TlsInput | undefined
  /** What is checked before a request is routed. */
  readonly edge?: EdgeInput<L> | undefined
  /** Patience with slow clients. */
  readonly timeouts?: TimeoutsInput | undefined
  /** Largest request head; more is answered with 431. Default: `16kb`. */
  readonly maxHeadBytes?: Size | undefined
  /** Most header lines of a request; more is answered with 431. Default: 100. */
  readonly maxHeaderCount?: number | undefined
  /** Longest request target; more is answered with 414. Default: `8kb`. */
  readonly maxTargetBytes?: Size | undefined
  /** Requests served on one connection before it is closed. Default: 10000. */
  readonly maxRequests?: number | undefined
  /** Open connections per worker; more are closed at once. Default: 20000. */
  readonly maxConnections?: number | undefined
  /** Lowest average rate of a request body, per second, once it has taken longer than `timeouts.body`. Default: `240b`. */
  readonly minBodyRate?: Size | undefined
}

export interface TlsInput {
  /** A certificate by a development authority, made on first start and kept in the store; for localhost and loopback. */
  readonly dev?: boolean | undefined
  /** Further names of the development certificate. */
  readonly names?: readonly string[] | undefined
  /** Certificates by name, from PEM files that are watched. */
  readonly certificates?: readonly CertificateInput[] | undefined
  /** The oldest TLS version that is spoken. Default: `TLSv1.2`. */
  readonly minVersion?: 'TLSv1.2' | 'TLSv1.3' | undefined
}

export interface CertificateInput {
  /** The certificate chain in PEM form, the leaf first; relative to the config file. */
  readonly cert: string
  /** The private key in PEM form; relative to the config file. */
  readonly key: string
  /** The names (SNI) that get this certificate. Default: those that stand in it. */
  readonly names?: readonly string[] | undefined
}

export interface EdgeInput<L extends string = string> {
  /** Names of limits charged before a request is routed; they count per address only, and per node. */
  readonly limits?: readonly L[] | undefined
}

export interface TimeoutsInput {
  /** From a request's first byte to the end of its head. Default: `10s`. */
  readonly head?: Duration | undefined
  /** Longest wait for the next bytes of a request body. Default: `30s`. */
  readonly body?: Duration | undefined
  /** How long a keep-alive connection may wait for its next request. Default: `60s`. */
  readonly idle?: Duration | undefined
  /** Longest wait for the client to take more of its answer. Default: `30s`. */
  readonly write?: Duration | undefined
}

export interface AdminInput {
  /** The TCP port of the admin API, metrics and dashboard. */
  readonly port: number
  /** The address to listen on; loopback only. Default: `127.0.0.1`. */
  readonly host?: string | undefined
  /** Further names by which it may be addressed. */
  readonly names?: readonly string[] | undefined
}

export interface ProbesInput {
  /** The TCP port of /healthz and /readyz. */
  readonly port: number
  /** The address to listen on. Default: `0.0.0.0`. */
  readonly host?: string | undefined
}

export interface StoreInput {
  readonly kind: 'embedded'
  /** The folder of the store, relative to the config file. Default: `.velum`. */
  readonly path?: string | undefined
}

/** What stands behind routes: `url`, or several `targets`. */
export interface ServiceInput {
  /** The one address of the service: `http://127.0.0.1:7002` (or https, grpc, grpcs). */
  readonly url?: string | undefined
  /** Several addresses of the service. */
  readonly targets?: readonly TargetInput[] | undefined
  /** How a request finds its target. Default: `round-robin`, by weight. */
  readonly balance?: 'round-robin' | 'least-requests' | undefined
  /** To the head of the service's answer, per try. Default: `30s`. */
  readonly timeout?: Duration | undefined
  /** To an open connection, TLS included. Default: `3s`. */
  readonly connectTimeout?: Duration | undefined
  /** Longest silence between bytes of bodies, upgrades and streams. Default: `60s`. */
  readonly idle?: Duration | undefined
  /** Connections per target and worker; further calls queue. Default: 256. */
  readonly maxConnections?: number | undefined
  /** How the service learns who calls: x-auth-* headers, the caller's own bearer token, or not. Default: `none`. */
  readonly identity?: 'headers' | 'none' | 'pass' | undefined
  /** Whom tokens for this service are meant for. Default: its name. */
  readonly audience?: string | undefined
  /** Further tries after a failure, where sending again is safe. */
  readonly retries?: RetriesInput | undefined
}

export interface TargetInput {
  /** Scheme, host and port. */
  readonly url: string
  /** Its share relative to the others; 0 sends nothing. Default: 1. */
  readonly weight?: number | undefined
}

export interface RetriesInput {
  /** Tries per request, the first one counted. Default: 1. */
  readonly attempts?: number | undefined
}

export interface IdentityInput {
  /** Where the identity endpoints live; routes may not lie below it. Default: `/auth`. */
  readonly path?: string | undefined
  /** The `iss` of Velum's own tokens: the public https address of this gateway. */
  readonly issuer?: string | undefined
  /** The claim of foreign tokens that names a tenant. Default: `tenant`. */
  readonly tenantClaim?: string | undefined
  /** Foreign issuers whose bearer tokens are believed, by name. */
  readonly trustedIssuers?: Readonly<Record<string, TrustedIssuerInput>> | undefined
  /** API keys by name; callers send the key in `x-api-key`. */
  readonly apiKeys?: Readonly<Record<string, ApiKeyInput>> | undefined
}

/** A foreign issuer of bearer tokens, with its keys at `jwksUri` or in the file `jwks`. */
export interface TrustedIssuerInput {
  /** The exact `iss` of its tokens. */
  readonly issuer: string
  /** Where its keys are published: https, or http on loopback. */
  readonly jwksUri?: string | undefined
  /** A file with its keys (a JWK set), relative to the config file. */
  readonly jwks?: string | undefined
  /** Whom its tokens must be meant for. */
  readonly audience: string | readonly string[]
  /** The signature algorithms it may use. Default: all asymmetric ones. */
  readonly algorithms?: readonly SignatureAlgorithm[] | undefined
  /** The tenant that all its subjects belong to. */
  readonly tenant?: string | undefined
  /** The tenants that its tokens may name. */
  readonly tenants?: readonly string[] | undefined
  /** Longest lifetime of a token that is believed. Default: `24h`. */
  readonly maxLifetime?: Duration | undefined
}

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

/** A part of the key that a budget belongs to. */
export type KeyPartInput =
  | 'address'
  | 'subject'
  | 'tenant'
  | 'client'
  | 'route'
  | 'service'
  | `header:${string}`
  | `claim:${string}`

interface LimitCommonInput {
  /** Whose budget it is; several make one combined key. Default: one global budget. */
  readonly per?: readonly KeyPartInput[] | undefined
  /** A request without a key part shares one budget with its like, is not limited, or is refused. Default: `shared`. */
  readonly missing?: 'shared' | 'skip' | 'refuse' | undefined
  /** How much a request takes. Default: 1. */
  readonly cost?: number | undefined
  /** Decides and reports, but never refuses. Default: false. */
  readonly shadow?: boolean | undefined
  /** Allowed overshoot over a fleet, as a fraction of the limit; 0 is exact. Default: 0.05. */
  readonly tolerance?: number | undefined
  /** When the store cannot be reached: each node counts for itself, nothing is limited, or everything refused. Default: `local`. */
  readonly onStoreFailure?: 'local' | 'open' | 'closed' | undefined
  /** Header fields that tell callers how they stand. Default: RateLimit and RateLimit-Policy. */
  readonly fields?: readonly ('ratelimit' | 'x-ratelimit' | 'x-ratelimit-epoch')[] | undefined
}

/** A budget, told apart by its algorithm. */
export type LimitInput = TokenBucketInput | LeakyBucketInput | FixedWindowInput | SlidingWindowInput | ConcurrencyInput | QuotaInput

/** Holds `capacity`, refilled at `refill`: bursts pass, the average is bounded. */
export interface TokenBucketInput extends LimitCommonInput {
  readonly algorithm: 'token-bucket'
  readonly capacity: number
  readonly refill: Rate
}

/** Leaks at `leak`; what would overflow is refused (`meter`) or waits (`queue`). */
export interface LeakyBucketInput extends LimitCommonInput {
  readonly algorithm: 'leaky-bucket'
  readonly capacity: number
  readonly leak: Rate
  readonly mode?: 'meter' | 'queue' | undefined
}

/** A count that starts again with each window. */
export interface FixedWindowInput extends LimitCommonInput {
  readonly algorithm: 'fixed-window'
  readonly limit: number
  readonly window: Duration
  /** Windows begin at multiples of their length since 1970. Default: false. */
  readonly aligned?: boolean | undefined
}

/** Exact over every span (`sliding-log`, for small limits) or nearly so at constant cost (`sliding-window`). */
export interface SlidingWindowInput extends LimitCommonInput {
  readonly algorithm: 'sliding-log' | 'sliding-window'
  readonly limit: number
  readonly window: Duration
}

/** Bounds how many requests are under way at the same time. */
export interface ConcurrencyInput extends LimitCommonInput {
  readonly algorithm: 'concurrency'
  readonly limit: number
}

/** So many requests per calendar day or month, in UTC. */
export interface QuotaInput extends LimitCommonInput {
  readonly algorithm: 'quota'
  readonly limit: number
  readonly period: 'day' | 'month'
}

export interface LogInput {
  /** One JSON line a request, or no access log. Default: `json`. */
  readonly format?: 'json' | 'none' | undefined
  /** `stdout`, `stderr`, or a file relative to the config file. Default: `stdout`. */
  readonly file?: string | undefined
  /** The least severe operational message that is written. Default: `info`. */
  readonly level?: 'debug' | 'info' | 'warn' | 'error' | undefined
}

/** The policies of a route, under a key each. */
export interface PoliciesInput {
  /** Who may call: `'public'`, or the credentials that are accepted and what is asked of the caller. */
  readonly auth?: AuthInput | undefined
  /** From where one may call. */
  readonly addresses?: AddressesInput | undefined
  /** Which web pages may call. */
  readonly cors?: CorsInput | undefined
  /** Changes to request and response headers; `'secure'` is `{ secure: true }`. */
  readonly headers?: HeadersInput | undefined
  /** How large a request body may be, and of which type. */
  readonly body?: BodyInput | undefined
}

export interface DefaultsInput<L extends string = string> extends PoliciesInput {
  /** Limits that every route has besides its own. */
  readonly limits?: readonly (L | LimitUseInput<L>)[] | undefined
  /** To the head of the service's answer, over all tries. */
  readonly timeout?: Duration | undefined
}

/** A route: which requests, whereto (exactly one of `to`, `redirect`, `respond`), and what stands in between. */
export interface RouteInput<S extends string = string, L extends string = string> extends PoliciesInput {
  /** Its name in log, metrics and messages; unique. */
  readonly name: string
  /** Which requests are meant. */
  readonly match: MatchInput
  /** The service's name, or several with weights. */
  readonly to?: S | readonly ShareInput<S>[] | undefined
  /** With several services in `to`: the same caller always gets the same one. Default: drawn per request. */
  readonly split?: 'subject' | 'address' | undefined
  /** What the service sees in place of what the client asked for. */
  readonly rewrite?: RewriteInput | undefined
  /** Sends the client elsewhere. */
  readonly redirect?: RedirectInput | undefined
  /** Answers right here. */
  readonly respond?: RespondInput | undefined
  /** Limits besides those of `defaults`; `{ only: [...] }` drops the defaults'. */
  readonly limits?: readonly (L | LimitUseInput<L>)[] | { readonly only: readonly (L | LimitUseInput<L>)[] } | undefined
  /** To the head of the service's answer, over all tries. Default: only the service's own timeout, per try. */
  readonly timeout?: Duration | undefined
}

export interface MatchInput {
  /** Path patterns: `/a/b` exactly; `{x}` one segment; `{x?}` an optional last one; `**` the rest. */
  readonly path: string | readonly string[]
  /** Methods in upper case; GET includes HEAD. Default: any. */
  readonly methods?: readonly string[] | undefined
  /** Host names; `*.example.com` matches every name below. Default: any. */
  readonly hosts?: readonly string[] | undefined
  /** Header fields that must be there: with this value, one of several, or (true) any. */
  readonly headers?: Readonly<Record<string, string | readonly string[] | true>> | undefined
  /** Query parameters that must be there. */
  readonly query?: Readonly<Record<string, string | readonly string[] | true>> | undefined
  /** What the path may hold here although it is refused elsewhere. */
  readonly allow?: readonly ('encoded-slash' | 'semicolon')[] | undefined
}

export interface ShareInput<S extends string = string> {
  readonly service: S
  /** Its share relative to the others. */
  readonly weight: number
}

export interface RewriteInput {
  /** The path that the service sees; `{x}` and `**` stand for what the match caught. */
  readonly path?: string | undefined
  /** The Host that the service sees. */
  readonly host?: string | undefined
}

export interface RedirectInput {
  /** A path or an absolute URL; `{x}` and `**` stand for what the match caught. */
  readonly to: string
  /** Default: 308. */
  readonly status?: 301 | 302 | 303 | 307 | 308 | undefined
}

export interface RespondInput {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly body?: string | undefined
}

export interface LimitUseInput<L extends string = string> {
  /** The name of a limit. */
  readonly use: L
  /** How much a request takes. Default: the limit's own cost. */
  readonly cost?: number | undefined
  /** Decides and reports here, but never refuses. */
  readonly shadow?: boolean | undefined
}
