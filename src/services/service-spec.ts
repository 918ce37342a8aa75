/** One address of a service. */
export interface TargetSpec {
  /** As configured, for log and tables: `http://127.0.0.1:7002`. */
  readonly url: string
  readonly protocol: 'http' | 'grpc'
  readonly tls: boolean
  readonly host: string
  readonly port: number
  /** Share of the requests relative to the other targets; an integer >= 0. */
  readonly weight: number
}

/** What stands behind routes, after the configuration was checked: durations in ms, sizes in bytes. */
export interface ServiceSpec {
  readonly name: string
  readonly targets: readonly TargetSpec[]
  readonly balance: 'round-robin' | 'least-requests'
  /** To the answer's head, per try. */
  readonly timeoutMs: number
  readonly connectTimeoutMs: number
  /** Between bytes of bodies and tunnels. */
  readonly idleMs: number
  /** Connections per target and worker. */
  readonly maxConnections: number
  /** Tries per request; the first one counts. */
  readonly attempts: number
  readonly identity: 'jwt' | 'headers' | 'none' | 'pass'
  readonly audience: string
}
