import type { BridgeSpec } from '../bridges/create-bridge.ts'
import type { GraphqlGuardOptions } from '../bridges/graphql/options.ts'
import type { ConfiguredRule } from '../bridges/descriptors/http-rule.ts'
import type { CredentialKind } from '../core/identity.ts'
import type { IdentitySpec } from '../identity/identity-spec.ts'
import type { EdgeBounds } from '../limits/edge-limits.ts'
import type { LimitSpec } from '../limits/limit-spec.ts'
import type { Priority } from '../limits/priority.ts'
import type { PenaltySpec } from '../limits/penalty-spec.ts'
import type { Shape } from '../policies/shapes/shape.ts'
import type { ExternalOptions } from '../policies/external/external-options.ts'
import type { QueryEdits } from '../routing/rewrite-query.ts'
import type { RouteMatch } from '../routing/route-match.ts'
import type { DnsSpec, ServiceSpec } from '../services/service-spec.ts'
import type { AcmeSpec } from '../wire/tls/tls-spec.ts'

/**
 * A checked configuration as plain data: every default filled in, every name resolved to something that exists,
 * durations in ms, sizes in bytes, file paths absolute. What workers compile; it is cloned between threads as it is.
 */
export interface GatewayModel {
  readonly name: string
  /** Hash of this model, hex; tells generations apart. */
  readonly hash: string
  readonly listeners: readonly ListenerModel[]
  readonly admin: AdminModel | undefined
  /** A second, public port with nothing but /healthz and /readyz. */
  readonly probes: { readonly host: string; readonly port: number } | undefined
  readonly store: { readonly kind: 'embedded'; readonly path: string } | { readonly kind: 'redis'; readonly url: string }
  /** Current, previous; at least 32 characters each. Empty: the embedded store makes its own. Never to be printed. */
  readonly secrets?: readonly string[] | undefined
  readonly trustedProxies: readonly string[]
  /** Absent: names are resolved as the machine does it, every 10 seconds. */
  readonly dns?: DnsSpec | undefined
  /** Memory of the shared cache; absent: the usual. */
  readonly cacheBytes?: number | undefined
  readonly services: readonly ServiceModel[]
  readonly identity: IdentitySpec
  readonly limits: readonly LimitSpec[]
  /** Names of limits that the floor asks to count in earnest: no hand puts them in shadow. Absent: none. */
  readonly floorLimits?: readonly string[] | undefined
  /** Absent: none. */
  readonly penalties?: readonly PenaltySpec[] | undefined
  readonly log: {
    /** Of the access log. */
    readonly format: 'json' | 'common' | 'combined' | 'none'
    readonly file: string
    readonly level: 'debug' | 'info' | 'warn' | 'error'
  }
  /** Where traces go; absent: none are made. */
  readonly telemetry?: TelemetryModel | undefined
  /** The modules of custom policies that there are; absent: none. */
  readonly policies?: readonly CustomPolicyModel[] | undefined
  /** What bodies are checked by; routes name them by digest. Absent: none. */
  readonly shapes?: readonly Shape[] | undefined
  readonly routes: readonly RouteModel[]
}

/** The name of a gateway that has none. */
export const defaultName = 'gateway'

/** Traces over OTLP. */
export interface TelemetryModel {
  /** Where spans are posted, whole. */
  readonly url: string
  /** The share of the traces that begin here, 0 to 1. */
  readonly sample: number
  /** Sent with each post. Never to be printed. */
  readonly secretHeaders: Readonly<Record<string, string>>
  readonly serviceName: string
}

/** A custom policy: where its module is, and which one. */
export interface CustomPolicyModel {
  readonly name: string
  /** Absolute. */
  readonly file: string
  /** Of the module and what it imports: another one, and it is loaded anew. */
  readonly digest: string
}

/** A service with what stands around it. */
export interface ServiceModel extends ServiceSpec {
  /** Charged for every request that goes there, after all else was decided; absent: none. */
  readonly limits?: readonly LimitUse[] | undefined
  /** Requests that it gets at one time, from this node or, where adaptive, from each worker; absent: any number. */
  readonly concurrency?: number | 'adaptive' | undefined
  /** How it describes itself to bridges; absent: it does not. */
  readonly grpc?: GrpcModel | undefined
}

/** What bridges know of a service of gRPC. */
export interface GrpcModel {
  /** A serialised FileDescriptorSet, in base64: data like everything here. Undefined: the service is asked. */
  readonly set: string | undefined
  /** How it is asked what it offers. */
  readonly reflection?: { readonly metadata: Readonly<Record<string, string>>; readonly everyMs: number } | undefined
  /** HTTP rules of the configuration. */
  readonly rules: readonly ConfiguredRule[]
  /** Largest single message, either way, decompressed. */
  readonly maxMessageBytes: number
}

export interface ListenerModel {
  readonly name: string
  readonly host: string
  readonly port: number
  readonly wire: 'velum' | 'node'
  /** Every connection begins with a header of the PROXY protocol; absent: none does. */
  readonly proxyProtocol?: boolean | undefined
  /** HTTP/2 besides HTTP/1.1; absent: true. */
  readonly http2?: boolean | undefined
  /** Answers everything with a redirect to https on this port; undefined: an ordinary listener. */
  readonly redirectPort: number | undefined
  /** The listener that `redirectPort` belongs to, for a port that the machine chooses. */
  readonly redirectListener?: string | undefined
  readonly tls: TlsModel | undefined
  readonly limits: WireLimits
  /** Names of limits charged before routing (`edge.limits`). */
  readonly edgeLimits: readonly EdgeLimitUse[]
  /** What each address may do before a request exists; absent: what it likes. */
  readonly edge?: EdgeBounds | undefined
}

/** A limit as a listener names it. */
export interface EdgeLimitUse extends Pick<LimitUse, 'use' | 'settle' | 'source'> {
  /** Absent: 1. */
  readonly cost?: number | undefined
}

/** Bounds of a listener's connections. All of them have safe defaults. */
export interface WireLimits {
  readonly maxHeadBytes: number
  readonly maxHeaderCount: number
  readonly maxTargetBytes: number
  /** Requests served on one connection before it is closed. */
  readonly maxRequests: number
  readonly maxConnections: number
  /** From the first byte of a head to its end. */
  readonly headMs: number
  /** Longest wait for the next bytes of a body. */
  readonly bodyMs: number
  /** Lowest average rate of a body once it is slower than `bodyMs` in total; bytes per second. */
  readonly minBodyRate: number
  /** Keep-alive connection without a request. */
  readonly idleMs: number
  /** Longest wait for the client to take more of its answer. */
  readonly writeMs: number
}

export interface TlsModel {
  readonly dev: boolean
  /** Further names of the development certificate; "localhost" and loopback addresses are always in it. */
  readonly devNames: readonly string[]
  readonly certificates: readonly { readonly cert: string; readonly key: string; readonly names: readonly string[] }[]
  /** What is ordered of an authority; absent: nothing. */
  readonly acme?: AcmeSpec | undefined
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3'
  /** Undefined: clients are not asked for certificates. */
  readonly clientCertificates?:
    | { readonly mode: 'optional' | 'required'; readonly ca: string; readonly crl?: readonly string[] | undefined }
    | undefined
}

export interface AdminModel {
  readonly host: string
  readonly port: number
  readonly names: readonly string[]
  /** Absent: it speaks plain HTTP. */
  readonly tls?: TlsModel | undefined
}

export interface RouteModel {
  readonly name: string
  /** `routes[3]`, for verdicts and messages. */
  readonly source: string
  readonly match: RouteMatch
  readonly action: ToAction | RedirectAction | RespondAction
  readonly auth: AuthModel
  readonly limits: readonly LimitUse[]
  /** Who goes first when a service is short of capacity; absent: `default`. */
  readonly priority?: Priority | undefined
  /** Every further policy by name with its checked options; each is built by `policies/list.ts`. */
  readonly policies: readonly PolicyUse[]
  /** To the answer's head over all tries; Infinity: only the service's own timeout. */
  readonly timeoutMs: number
  /** From the first byte of the request to the last of the answer; absent: no bound. */
  readonly deadlineMs?: number | undefined
  /** Largest request body; Infinity for `unlimited`. */
  readonly maxBodyBytes: number
}

export interface ToAction {
  readonly kind: 'to'
  readonly services: readonly { readonly service: string; readonly weight: number }[]
  readonly split: 'request' | 'subject' | 'address'
  /** The service that gets a copy of every request; absent: none. */
  readonly mirror?: string | undefined
  readonly rewrite:
    | { readonly path: string | undefined; readonly host: string | undefined; readonly query?: QueryEdits | undefined }
    | undefined
  /** What is translated to gRPC on the way; absent or empty: nothing. */
  readonly bridges?: readonly BridgeSpec[] | undefined
  /** How operations of GraphQL are judged before the service, which speaks it itself, sees them; absent: they are not. */
  readonly graphql?: GraphqlGuardOptions | undefined
}

export interface RedirectAction {
  readonly kind: 'redirect'
  /** An absolute URL or a path; may use `{x}` and `**` of the match. The query is kept. */
  readonly to: string
  readonly status: 301 | 302 | 303 | 307 | 308
}

export interface RespondAction {
  readonly kind: 'respond'
  readonly status: number
  readonly headers: readonly (readonly [string, string])[]
  readonly body: string
}

export interface AuthModel {
  /** 'public' reads no credential. */
  readonly mode: 'public' | 'optional' | 'required'
  readonly any: readonly CredentialKind[]
  /** All of them are needed. */
  readonly scopes: readonly string[]
  /** Any one of them is enough; empty: none needed. */
  readonly roles: readonly string[]
  /** Every key must equal one of its values. */
  readonly claims: readonly { readonly name: string; readonly values: readonly (string | number | boolean)[] }[]
  /** A service that decides besides; absent: none. */
  readonly external?: ExternalOptions | undefined
  /** Nobody is refused; absent: false. */
  readonly shadow?: boolean | undefined
  /** For how long callers are believed although it cannot be known what was revoked meanwhile; 0: not at all. */
  readonly staleMs: number
  readonly source: string
}

export interface LimitUse {
  readonly use: string
  readonly cost: number
  /** Response header that tells what a request really cost; `cost` is what is reserved. */
  readonly settle?: string | undefined
  readonly shadow: boolean
  readonly source: string
}

export interface PolicyUse {
  readonly policy: string
  readonly options: unknown
  readonly source: string
}
