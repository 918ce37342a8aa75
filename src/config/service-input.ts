import type { GrpcServiceInput } from './bridge-input.ts'
import type { LimitUseInput } from './limit-input.ts'
import type { Duration } from './unit-input.ts'

/** What stands behind routes: `url`, or several `targets`. */
export interface ServiceInput<L extends string = string> extends GrpcServiceInput {
  /**
   * The one address of the service: `http://127.0.0.1:7002`, `https://orders.internal`, `grpc://127.0.0.1:7003`; or
   * `http+srv://_http._tcp.orders.internal` for what its SRV records name.
   */
  readonly url?: string | undefined
  /** Several addresses of the service. */
  readonly targets?: readonly TargetInput[] | undefined
  /** How a request finds its target: in turn, the less busy of two, or by consistent hashing; by weight. Default: `round-robin`. */
  readonly balance?: 'round-robin' | 'least-requests' | HashBalanceInput | undefined
  /** Speaks HTTP/2 to http and https targets. Default: false; grpc and grpcs always do. */
  readonly http2?: boolean | undefined
  /** How https and grpcs targets are verified, and who the gateway is to them. */
  readonly tls?: ServiceTlsInput | undefined
  /** To the head of the service's answer, per try. Default: `30s`. */
  readonly timeout?: Duration | undefined
  /** To an open connection, TLS included. Default: `3s`. */
  readonly connectTimeout?: Duration | undefined
  /** Longest silence between bytes of bodies, upgrades and streams. Default: `60s`. */
  readonly idle?: Duration | undefined
  /** Connections per target and worker; further calls queue. Default: 256. */
  readonly maxConnections?: number | undefined
  /**
   * How the service learns who calls: a short token for it alone, x-auth-* headers, the caller's own bearer token, or
   * not. Default: `jwt` where `identity.issuer` is given, else `none`.
   */
  readonly identity?: 'jwt' | 'headers' | 'none' | 'pass' | undefined
  /** Whom tokens for this service are meant for. Default: its name. */
  readonly audience?: string | undefined
  /** Limits of the service, whatever route leads to it; when they refuse, what the route's took is given back. */
  readonly limits?: readonly (L | LimitUseInput<L>)[] | undefined
  /**
   * Requests that it gets at one time; more are refused with 503. A number counts over all workers of a node; `adaptive`
   * finds it from the service's latency, on each worker. Default: any number.
   */
  readonly concurrency?: number | 'adaptive' | undefined
  /** Further tries after a failure, where sending again is safe. */
  readonly retries?: RetriesInput | undefined
  /** Asks each target, once per node, whether it is well. Default: nobody is asked. */
  readonly health?: HealthInput | undefined
  /** When a target is left out because of how it answers; `false`: never. */
  readonly eject?: false | EjectInput | undefined
  /** When targets, or the service as a whole, are left alone for a share of failures or slow calls; `false`: never. */
  readonly breaker?: false | BreakerInput | undefined
  /** How long the share of a target grows that is new or has come back. Default: no time. */
  readonly slowStart?: Duration | undefined
}

/** Consistent hashing: the same value finds the same target while it can be reached. */
export interface HashBalanceInput {
  /** Who is calling, the client's address, a header field or a cookie. Without it, a request's target is found in turn. */
  readonly hash: 'subject' | 'address' | `header:${string}` | `cookie:${string}`
}

/** How targets with TLS are spoken to. */
export interface ServiceTlsInput {
  /** The authorities that are believed, and no others, in PEM form. Default: those of Node.js and of the machine. */
  readonly ca?: string | undefined
  /** The gateway's own certificate for this service, in PEM form; needs `key`. */
  readonly cert?: string | undefined
  /** The private key of `cert` in PEM form. */
  readonly key?: string | undefined
  /** The name that is asked for and expected in the certificate. Default: the target's host. */
  readonly serverName?: string | undefined
}

/** One address of a service. */
export interface TargetInput {
  /** Scheme, host and port. */
  readonly url: string
  /** Its share relative to the others; 0 sends nothing. Default: 1. */
  readonly weight?: number | undefined
}

/** How often a call is tried. */
export interface RetriesInput {
  /** Tries per request, the first one counted. Default: 1. */
  readonly attempts?: number | undefined
  /** Further tries, as a share of the service's requests. Default: 0.2. */
  readonly budget?: number | undefined
}

/** How targets are asked whether they are well. */
export interface HealthInput {
  /** Asked with GET; 200 to 299 is well. Default: none, an open connection is enough. */
  readonly path?: string | undefined
  /** Asked by grpc.health.v1.Health/Check about this service, or with `''` about the whole target; in place of `path`. */
  readonly grpc?: string | undefined
  /** From the end of one probe to the next. Default: `10s`. */
  readonly every?: Duration | undefined
  /** For one probe. Default: `2s`. */
  readonly timeout?: Duration | undefined
  /** Successes in a row that bring a target back. Default: 2. */
  readonly rise?: number | undefined
  /** Failures in a row that take a target out. Default: 3. */
  readonly fall?: number | undefined
}

/** When a target is left out because of how it answers. */
export interface EjectInput {
  /** Failures in a row. Default: 5. */
  readonly failures?: number | undefined
  /** For how long the first time; doubled each further time, up to 5 minutes. Default: `10s`. */
  readonly for?: Duration | undefined
}

/** When circuit breakers open, of each target and of the service. */
export interface BreakerInput {
  /** Share of failures among the calls in the window. Default: 0.5. */
  readonly failureRatio?: number | undefined
  /** A call whose answer's head takes that long is slow. Default: slowness opens nothing. */
  readonly slow?: Duration | undefined
  /** Share of slow calls in the window; needs `slow`. Default: 0.5. */
  readonly slowRatio?: number | undefined
  /** How far back calls are counted. Default: `10s`. */
  readonly window?: Duration | undefined
  /** Fewer calls in the window, on one worker, open nothing. Default: 20. */
  readonly minimumCalls?: number | undefined
  /** How long it stays open before a few calls are let through. Default: `5s`. */
  readonly for?: Duration | undefined
  /** Calls that must go well for it to close. Default: 3. */
  readonly probes?: number | undefined
  /** Whether the service as a whole has one too, which refuses requests with 503 while it is open. Default: true. */
  readonly service?: boolean | undefined
}
