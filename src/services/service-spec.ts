/** One address of a service. */
export interface TargetSpec {
  /** As configured, for log and tables: `http://127.0.0.1:7002`. */
  readonly url: string
  /** How it is spoken to: `http` is HTTP/1.1; `grpc` and `http2` are HTTP/2, over TLS by ALPN, else by prior knowledge. */
  readonly protocol: 'http' | 'http2' | 'grpc'
  readonly tls: boolean
  readonly host: string
  readonly port: number
  /** Share of the requests relative to the other targets; an integer >= 0. */
  readonly weight: number
  /** `host` is the name of SRV records (RFC 2782): they tell hosts and ports. Absent: it is not. */
  readonly srv?: boolean | undefined
  /** The name that `host` is an address of: what a certificate is expected for, and the Host of calls that name none. */
  readonly name?: string | undefined
}

/** How names of targets are resolved. */
export interface DnsSpec {
  /** Asked for every name, and nobody else is; empty: names are resolved as the machine resolves them. */
  readonly servers: readonly string[]
  /** Longest time until a name is resolved again. */
  readonly refreshMs: number
  /** Undefined: where the machine has an IPv6 address. */
  readonly ipv6: boolean | undefined
}

/** How the certificates of a service's targets are judged, and who we are to them. Paths of PEM files, absolute. */
export interface ServiceTlsSpec {
  /** The only authorities that are believed; undefined: those of Node.js and of the machine. */
  readonly ca: string | undefined
  /** Our own certificate, for services that ask for one. */
  readonly client: { readonly cert: string; readonly key: string } | undefined
  /** The name asked for and expected in the certificate; undefined: the target's host. */
  readonly serverName: string | undefined
}

/** How targets are asked whether they are well. */
export interface HealthSpec {
  /** Asked with GET; without `path` and `grpc` a connection is proof enough. */
  readonly path: string | undefined
  /** The service that grpc.health.v1.Health is asked about, '' for all of the target; absent: it is not asked. */
  readonly grpc?: string | undefined
  readonly everyMs: number
  readonly timeoutMs: number
  /** Successes in a row that bring a target back, and failures in a row that take it out. */
  readonly rise: number
  readonly fall: number
}

/** When a target is left out because of how it answers. */
export interface EjectSpec {
  /** Failures in a row. */
  readonly failures: number
  /** The first time; doubled each further time, up to five minutes. */
  readonly baseMs: number
}

/** When a circuit breaker opens (`breaker.ts`). Each target has one, and the service as a whole if it says so. */
export interface BreakerSpec {
  /** Shares of the calls in the window; above 1: never. */
  readonly failureRatio: number
  readonly slowRatio: number
  /** To the answer's head; Infinity: no call is slow. */
  readonly slowMs: number
  readonly windowMs: number
  /** Fewer calls in the window, on one worker, prove nothing. */
  readonly minCalls: number
  readonly openMs: number
  /** Calls that must go well, half-open. */
  readonly probes: number
  readonly isOfService: boolean
}

/** What of a request chooses its target by consistent hashing. Names of header fields are lower case. */
export type HashKey = { readonly kind: 'subject' | 'address' } | { readonly kind: 'header' | 'cookie'; readonly name: string }

/** What stands behind routes, after the configuration was checked: durations in ms, sizes in bytes. */
export interface ServiceSpec {
  readonly name: string
  readonly targets: readonly TargetSpec[]
  readonly balance: 'round-robin' | 'least-requests' | { readonly hash: HashKey }
  /** How long the share of a target grows that is new or has come back; absent: it has all of it at once. */
  readonly slowStartMs?: number | undefined
  /** To the answer's head, per try. */
  readonly timeoutMs: number
  readonly connectTimeoutMs: number
  /** Between bytes of bodies and tunnels. */
  readonly idleMs: number
  /** Connections per target and worker. */
  readonly maxConnections: number
  /** Tries per request; the first one counts. */
  readonly attempts: number
  /** Tries beyond the first, as a share of the calls of this service on one worker; absent: 0.2. */
  readonly retryBudget?: number | undefined
  /** Undefined: targets are never left out. */
  readonly eject?: EjectSpec | undefined
  /** Undefined: there are no circuit breakers. */
  readonly breaker?: BreakerSpec | undefined
  /** Undefined: targets are not asked. */
  readonly health?: HealthSpec | undefined
  readonly identity: 'jwt' | 'headers' | 'none' | 'pass'
  readonly audience: string
  /** Of targets with TLS. */
  readonly tls?: ServiceTlsSpec | undefined
}
