import type { BuildEnv } from '../core/build-env.ts'
import type { ClientWire, ClientWireOptions } from '../wire/client-wire.ts'
import type { ServiceSpec, TargetSpec } from './service-spec.ts'
import { systemTrust } from './trust.ts'

/** One address of a service, with its connections. */
export interface Target {
  readonly spec: TargetSpec
  /** `host:port`, for the log. */
  readonly address: string
  readonly wire: ClientWire
}

export type CreateClientWire = (options: ClientWireOptions) => ClientWire

/** Calls that wait for a connection of one target; each of them holds a client's request. */
const maxQueued = 1000
/** A service's head may be larger than a client's: cookies are set one by one. */
const maxHeadBytes = 65_536
const maxHeaderCount = 200
/**
 * Shorter than the shortest default among common servers (5 s), so that it is we who close: a call that meets a
 * connection being closed may be lost. A service that announces less is believed.
 */
const keepAliveMs = 4000
const maxCalls = 100_000
/** Old connections are replaced, so that a name that leads elsewhere is noticed. */
const maxAgeMs = 300_000

/** The target of a service. Its pool outlives the Generation while nothing that it depends on changes. */
export function createTarget(service: ServiceSpec, spec: TargetSpec, env: BuildEnv, createWire: CreateClientWire): Target {
  const { name, maxConnections, connectTimeoutMs, timeoutMs, idleMs } = service
  const { host, port, tls } = spec
  const key = ['services/pool', createWire.name, name, host, port, tls, maxConnections, connectTimeoutMs, timeoutMs, idleMs].join(
    ' ',
  )
  const wire = env.hold.take(key, () =>
    createWire({
      host,
      port,
      tls: tls ? { serverName: host, context: systemTrust(env.hold) } : undefined,
      maxConnections,
      maxQueued,
      connectTimeoutMs,
      headTimeoutMs: timeoutMs,
      idleMs,
      keepAliveMs,
      maxCalls,
      maxAgeMs,
      maxHeadBytes,
      maxHeaderCount,
      clock: env.clock,
      sweeper: env.sweeper,
      connections: env.meter.gauge('velum_service_connections', 'Open connections to the targets of a service.', { service: name }),
    }),
  )
  return { spec, address: host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`, wire }
}
