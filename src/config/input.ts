import type { AddressesInput } from '../policies/addresses.ts'
import type { AuthInput } from '../policies/auth.ts'
import type { BodyInput } from '../policies/body.ts'
import type { CacheInput } from '../policies/cache.ts'
import type { CompressInput } from '../policies/compress.ts'
import type { CorsInput } from '../policies/cors.ts'
import type { CsrfInput } from '../policies/csrf.ts'
import type { CustomUseInput } from '../policies/custom.ts'
import type { HeadersInput } from '../policies/headers.ts'
import type { BridgeInput } from './bridge-input.ts'
import type { FloorInput } from './floor-input.ts'
import type { GraphqlGuardInput } from './graphql-input.ts'
import type { IdentityInput } from './identity-input.ts'
import type { LimitInput, LimitUseInput } from './limit-input.ts'
import type { PenaltyInput } from './penalty-input.ts'
import type { ServiceInput } from './service-input.ts'
import type { Duration, Rate, Secret, Size } from './unit-input.ts'

/**
 * A gateway as it is written. `S` are the names of its services and `L` those of its limits, so that the compiler finds a
 * misspelt one where it stands. Every option is explained in `docs/reference`; durations, sizes and rates are texts.
 */
export interface GatewayInput<S extends string = string, L extends string = string> {
  /** The name of this gateway in log and metrics, and for `--only`; needed where a file holds several. Default: `gateway`. */
  readonly name?: string | undefined
  /** The open ports by name; at least one. */
  readonly listeners: Readonly<Record<string, ListenerInput<NoInfer<L>>>>
  /** The admin server: health, metrics, dashboard. Without it there is none. */
  readonly admin?: AdminInput | undefined
  /** A port with /healthz and /readyz and nothing else, for an orchestrator. */
  readonly probes?: ProbesInput | undefined
  /** Where state is kept. Default: embedded, in `.velum` beside the config file. */
  readonly store?: StoreInput | undefined
  /** `[current, previous]`: at least 32 characters each, from which keys are derived, the same on all nodes. The embedded store makes its own; required with redis. */
  readonly secret?: readonly Secret[] | undefined
  /** Addresses whose Forwarded, X-Forwarded-* and x-request-id fields are believed. Default: none. */
  readonly trustedProxies?: readonly string[] | undefined
  /** How names of targets are resolved. */
  readonly dns?: DnsInput | undefined
  /** What stands behind the gateway, by name. */
  readonly services?: Readonly<Record<S, ServiceInput<NoInfer<L>>>> | undefined
  /** Who is calling: trusted issuers of tokens, API keys. */
  readonly identity?: IdentityInput | undefined
  /** Budgets by name. One name is one counter, wherever it is used. */
  readonly limits?: Readonly<Record<L, LimitInput>> | undefined
  /** The penalty box: clients that are refused too often are shut out for a time. */
  readonly penalties?: Readonly<Record<string, PenaltyInput>> | undefined
  /** Policies of your own: the paths of modules that default-export `definePolicy({ … })`, by the names that routes use. */
  readonly policies?: Readonly<Record<string, string>> | undefined
  /** The shared cache of a node. */
  readonly cache?: CacheMemoryInput | undefined
  /** The access log and the operational log. */
  readonly log?: LogInput | undefined
  /** Traces for OpenTelemetry, sent over OTLP. Default: none are made. */
  readonly telemetry?: TelemetryInput | undefined
  /** What every route has: its own field replaces the default's, except `limits` (add) and `headers`, `body` (merged by key). */
  readonly defaults?: DefaultsInput<NoInfer<L>> | undefined
  /** What no route and no listener may fall short of; see `definePlatform`. */
  readonly floor?: FloorInput | undefined
  /** The routes. Their order does not matter: the most specific match wins. */
  readonly routes: readonly RouteInput<NoInfer<S>, NoInfer<L>>[]
}

/** The shared cache of a node; routes say what is kept in it. */
export interface CacheMemoryInput {
  /** Memory for answers, shared by all workers of a node: `128mb`. At least `8mb`. A change holds from the next start. Default: `128mb`. */
  readonly memory?: Size | undefined
}

/** An open port. */
export interface ListenerInput<L extends string = string> {
  /** The TCP port. 0 lets the machine choose one. */
  readonly port: number
  /** The address to listen on. Default: `0.0.0.0`, every IPv4 address; `::` adds IPv6. */
  readonly host?: string | undefined
  /** The HTTP/1.1 engine: Velum's own, or the one of node:http at its price. Default: `velum`. */
  readonly wire?: 'velum' | 'node' | undefined
  /** HTTP/2 besides HTTP/1.1: by ALPN, and by prior knowledge on plain listeners. Default: true. */
  readonly http2?: boolean | undefined
  /** Every connection begins with a header of the PROXY protocol, and the client is whom it names. Default: false. */
  readonly proxyProtocol?: boolean | undefined
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
  /** Open connections, shared out among the workers of the node; more are closed at once. Default: 20000. */
  readonly maxConnections?: number | undefined
  /** Lowest average rate of a request body, per second, once it has taken longer than `timeouts.body`. Default: `240b`. */
  readonly minBodyRate?: Size | undefined
}

/** How a listener terminates TLS: `dev`, `certificates`, `acme`, or several of them. */
export interface TlsInput {
  /** A certificate by a development authority, made on first start and kept in the store; for localhost and loopback. */
  readonly dev?: boolean | undefined
  /** Further names of the development certificate. */
  readonly names?: readonly string[] | undefined
  /** Certificates by name, from PEM files that are watched. */
  readonly certificates?: readonly CertificateInput[] | undefined
  /** Certificates that an authority issues by itself. */
  readonly acme?: AcmeInput | undefined
  /** The oldest TLS version that is spoken. Default: `TLSv1.2`. */
  readonly minVersion?: 'TLSv1.2' | 'TLSv1.3' | undefined
  /** Asks clients for certificates. Default: they are not asked. */
  readonly clientCertificates?: ClientCertificatesInput | undefined
}

/** Certificates by ACME: ordered, kept in the store and renewed by the gateway. */
export interface AcmeInput {
  /** Whom the authority writes to when something is wrong with a certificate. */
  readonly email: string
  /** The names to be certified; no wildcards. */
  readonly names: readonly string[]
  /** The URL of the authority's directory; naming it agrees to its terms. Default: Let's Encrypt. */
  readonly directory?: string | undefined
  /** The authorities that the directory's own certificate is checked against, in PEM form; relative to the config file. */
  readonly directoryCa?: string | undefined
}

/** Who may connect, by certificate. */
export interface ClientCertificatesInput {
  /** `required`: nobody connects without one. `optional`: who has one is known by it; one that is not valid is refused in both. */
  readonly mode: 'optional' | 'required'
  /** The authorities that sign them, in PEM form; relative to the config file. */
  readonly ca: string
  /** Files with the revocation lists of those authorities (PEM or DER), which are watched. Default: no list is asked for. */
  readonly crl?: string | readonly string[] | undefined
}

/** One certificate and its key. */
export interface CertificateInput {
  /** The certificate chain in PEM form, the leaf first; relative to the config file. */
  readonly cert: string
  /** The private key in PEM form; relative to the config file. */
  readonly key: string
  /** The names (SNI) that get this certificate. Default: those that stand in it. */
  readonly names?: readonly string[] | undefined
}

/** What a listener checks before it knows the route. */
export interface EdgeInput<L extends string = string> {
  /** Open connections of one address (of IPv6: one /64) over all workers of this node; more are closed before TLS. */
  readonly connectionsPerAddress?: number | undefined
  /** New connections of one address; more are closed before TLS. */
  readonly connectionRate?: Rate | undefined
  /** Full TLS handshakes of one address; more are closed before TLS. */
  readonly handshakeRate?: Rate | undefined
  /** Names of limits charged before a request is routed; they count per address only, and per node. */
  readonly limits?: readonly L[] | undefined
}

/** How long a listener waits for its clients. */
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

/** Where the admin server listens. */
export interface AdminInput {
  /** The TCP port of the admin API, metrics and dashboard. */
  readonly port: number
  /** The address to listen on; another than loopback only with `tls`. Default: `127.0.0.1`. */
  readonly host?: string | undefined
  /** Further names by which it may be addressed. */
  readonly names?: readonly string[] | undefined
  /** Serves it by HTTPS. Default: plain HTTP. */
  readonly tls?: Pick<TlsInput, 'dev' | 'names' | 'certificates' | 'minVersion'> | undefined
}

/** Where an orchestrator asks for health and readiness. */
export interface ProbesInput {
  /** The TCP port of /healthz and /readyz. */
  readonly port: number
  /** The address to listen on. Default: `0.0.0.0`. */
  readonly host?: string | undefined
}

/** The embedded store: a folder of one gateway. */
export interface EmbeddedStoreInput {
  readonly kind: 'embedded'
  /** The folder of the store, relative to the config file. Default: `.velum`; `.velum/NAME` for a gateway in a file of several. */
  readonly path?: string | undefined
}

/** A Redis (6.2 or newer), Valkey or Redis Cluster that a fleet of gateways shares; needs `secret`, and never evicts. */
export interface RedisStoreInput {
  readonly kind: 'redis'
  /** `redis[s]://[user:password@]host[:port][,host[:port]…][/database]`; several hosts are nodes of one cluster. */
  readonly url: Secret
}

/** Where sessions, keys and counters live: in a folder of this node, or in a server that a fleet shares. */
export type StoreInput = EmbeddedStoreInput | RedisStoreInput

/** How names of targets are resolved. Each address that a name leads to is a target of its own. */
export interface DnsInput {
  /** Addresses of DNS servers, asked for every name but localhost; nothing else is. Default: as the machine resolves names. */
  readonly servers?: readonly string[] | undefined
  /** Longest time until a name is resolved again; a shorter TTL counts. Default: `10s`. */
  readonly refresh?: Duration | undefined
  /** Whether IPv6 addresses are used. Default: where the machine has one itself. */
  readonly ipv6?: boolean | undefined
}

/** What is logged, and where to. */
export interface LogInput {
  /** How the access log writes a request: a line of JSON, a line of Apache's formats, or none. Default: `json`. */
  readonly format?: 'json' | 'common' | 'combined' | 'none' | undefined
  /** `stdout`, `stderr`, or a file relative to the config file. Default: `stdout`. */
  readonly file?: string | undefined
  /** The least severe operational message that is written. Default: `info`. */
  readonly level?: 'debug' | 'info' | 'warn' | 'error' | undefined
}

/** Traces for OpenTelemetry. */
export interface TelemetryInput {
  /** The collector's address for OTLP over HTTP; without a path, `/v1/traces` is appended. */
  readonly otlp: string
  /** The share of traces that are sent, 0 to 1, of those that begin here; trusted proxies decide about theirs. Default: 0.01. */
  readonly sample?: number | undefined
  /** Header fields sent to the collector, such as a key of it. */
  readonly headers?: Readonly<Record<string, Secret>> | undefined
  /** `service.name` of the spans. Default: the gateway's name. */
  readonly serviceName?: string | undefined
}

/** The policies of a route, under a key each. */
export interface PoliciesInput {
  /** Who may call: `'public'`, or the credentials that are accepted and what is asked of the caller. */
  readonly auth?: AuthInput | undefined
  /** From where one may call. */
  readonly addresses?: AddressesInput | undefined
  /** Which web pages may call. */
  readonly cors?: CorsInput | undefined
  /** How pages of other sites are kept from using a session; on by itself wherever `session` is accepted. */
  readonly csrf?: CsrfInput | undefined
  /** Changes to request and response headers; `'secure'` is `{ secure: true }`. */
  readonly headers?: HeadersInput | undefined
  /** Policies of your own, by their names under `policies`; those of `defaults` come first. */
  readonly policies?: readonly CustomUseInput[] | undefined
  /** How large a request body may be, and of which type. */
  readonly body?: BodyInput | undefined
  /** What may be answered from the shared cache; `true` for what the service's own header fields say. */
  readonly cache?: CacheInput | undefined
  /** Which answers are compressed; `true` for all that are worth it. */
  readonly compress?: CompressInput | undefined
}

/** What every route has unless it says otherwise. */
export interface DefaultsInput<L extends string = string> extends PoliciesInput {
  /** Limits that every route has besides its own. */
  readonly limits?: readonly (L | LimitUseInput<L>)[] | undefined
  /** Who goes first when a service is short of capacity; see routes. */
  readonly priority?: 'critical' | 'default' | 'sheddable' | undefined
  /** To the head of the service's answer, over all tries. */
  readonly timeout?: Duration | undefined
  /** From the first byte of the request to the last of the answer; see routes. */
  readonly deadline?: Duration | undefined
  /** What becomes of callers while the store cannot be asked; see routes. */
  readonly onStoreFailure?: StoreFailureInput | undefined
}

/** `closed`: 503. `stale`: callers whom this node knows go on for so long. */
export type StoreFailureInput = 'closed' | { readonly stale: Duration }

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
  /** A service that gets a copy of every request, best effort, and whose answers are dropped. */
  readonly mirror?: S | undefined
  /** What the service sees in place of what the client asked for. */
  readonly rewrite?: RewriteInput | undefined
  /** Protocols of the edge that are translated to the gRPC of the service. */
  readonly bridge?: BridgeInput | readonly BridgeInput[] | undefined
  /** The service speaks GraphQL itself: operations are judged before it sees them. */
  readonly graphql?: true | GraphqlGuardInput | undefined
  /** Sends the client elsewhere. */
  readonly redirect?: RedirectInput | undefined
  /** Answers right here. */
  readonly respond?: RespondInput | undefined
  /** Limits besides those of `defaults`; `{ only: [...] }` drops the defaults'. */
  readonly limits?: LimitListInput<L> | OnlyLimitsInput<L> | undefined
  /** Who goes first when a service with `concurrency` is short of capacity. Default: `default`. */
  readonly priority?: 'critical' | 'default' | 'sheddable' | undefined
  /** To the head of the service's answer, over all tries. Default: only the service's own timeout, per try. */
  readonly timeout?: Duration | undefined
  /** From the first byte of the request to the last of the answer, streams included; what is not over by then is cut off. Default: none. */
  readonly deadline?: Duration | undefined
  /** What becomes of sessions and tokens while it cannot be known what has been revoked. Default: `closed`. */
  readonly onStoreFailure?: StoreFailureInput | undefined
}

/** Which requests a route is for; all that is named must hold. */
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

/** One of several services of a route. */
export interface ShareInput<S extends string = string> {
  readonly service: S
  /** Its share relative to the others. */
  readonly weight: number
}

/** Changes to a query's parameters, by their decoded names; what stays, stays byte for byte. */
export interface RewriteQueryInput {
  /** The client's parameters that stay. Default: all. */
  readonly only?: readonly string[] | undefined
  /** The client's parameters that go, however they are spelt. */
  readonly remove?: readonly string[] | undefined
  /** Parameters that get exactly this value, behind all others; `{x}` stands for what the match caught. */
  readonly set?: Readonly<Record<string, string>> | undefined
}

/** What of a request is changed for the service. */
export interface RewriteInput {
  /** The path that the service sees; `{x}` and `**` stand for what the match caught. */
  readonly path?: string | undefined
  /** The Host that the service sees. Default: the one that the client asked for. */
  readonly host?: string | undefined
  /** Changes to the query. Default: it is kept. */
  readonly query?: RewriteQueryInput | undefined
}

/** Where a route sends its clients; the query is kept. */
export interface RedirectInput {
  /** A path or an absolute URL; `{x}` and `**` stand for what the match caught. */
  readonly to: string
  /** Default: 308. */
  readonly status?: 301 | 302 | 303 | 307 | 308 | undefined
}

/** The answer that a route gives by itself. */
export interface RespondInput {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly body?: string | undefined
}

/** Limits besides those of `defaults`. Without `only` the compiler can tell the two forms apart, and so name a misspelt limit. */
export type LimitListInput<L extends string = string> = readonly (L | LimitUseInput<L>)[] & { readonly only?: never }

/** These limits and not those of `defaults`. */
export interface OnlyLimitsInput<L extends string = string> {
  readonly only: readonly (L | LimitUseInput<L>)[]
}
