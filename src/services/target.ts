import type { BuildEnv } from '../core/build-env.ts'
import type { ClientWire, ClientWireOptions } from '../wire/client-wire.ts'
import { createHttp2Client } from '../wire/http2/http2-client.ts'
import { Breaker } from './breaker.ts'
import { BreakerBoard } from './breaker-board.ts'
import type { ServiceSpec, TargetSpec } from './service-spec.ts'
import { Standing } from './standing.ts'
import { StandingBoard } from './standing-board.ts'
import { addressOf } from './target-address.ts'
import { serviceTrust } from './trust.ts'

/** One address of a service, with its connections. */
export interface Target {
  readonly spec: TargetSpec
  /** `host:port`, for the log. */
  readonly address: string
  readonly wire: ClientWire
  readonly standing: Standing
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
/** HTTP/2 has GOAWAY: a call that meets a closing connection is known to be unsent, so connections may rest for longer. */
const http2KeepAliveMs = 60_000
const maxCalls = 100_000
/** Old connections are replaced, so that a name that leads elsewhere is noticed. */
const maxAgeMs = 300_000

/** What connections are made with. */
export type WireEnv = Pick<BuildEnv, 'hold' | 'clock' | 'sweeper' | 'meter'>

/** What a target has of its service. */
export interface TargetParts {
  /** Asked before the wire sends a call again by itself, on a connection that it found stale; absent: it may. */
  readonly mayRepeat?: (() => boolean) | undefined
  /** When it joined the targets that were there before it, monotonic; absent: it is one of the first. */
  readonly joinedAt?: number | undefined
}

/** A target of a service, with its connections and its standing. */
export function createTarget(
  service: ServiceSpec,
  spec: TargetSpec,
  env: BuildEnv,
  createHttp1: CreateClientWire,
  { mayRepeat, joinedAt }: TargetParts = {},
): Target {
  const address = addressOf(spec)
  const board = env.hold.take('services/standing-board', () => new StandingBoard(env.link, env.clock))
  const wire = createTargetWire(service, spec, env, createHttp1, { board, mayRepeat })
  return { spec, address, wire, standing: standingOf(service, address, board, env, joinedAt) }
}

/** What a target's connections have besides themselves. */
interface WireExtras {
  readonly board?: StandingBoard
  readonly mayRepeat?: TargetParts['mayRepeat']
}

/** The connections to a target. They outlive the Generation while nothing that they depend on changes. */
export function createTargetWire(
  service: ServiceSpec,
  spec: TargetSpec,
  env: WireEnv,
  createHttp1: CreateClientWire,
  { board, mayRepeat }: WireExtras = {},
): ClientWire {
  const isHttp1 = spec.protocol === 'http'
  const createWire = isHttp1 ? createHttp1 : createHttp2Client
  const { name, maxConnections, connectTimeoutMs, timeoutMs, idleMs } = service
  const { host, name: named, port, tls } = spec
  const trust = tls ? serviceTrust(env.hold, service.tls) : undefined
  const serverName = service.tls?.serverName ?? named ?? host
  const bounds = [maxConnections, connectTimeoutMs, timeoutMs, idleMs, service.retryBudget]
  const key = ['services/pool', createWire.name, name, host, port, named, trust?.key, serverName, ...bounds].join(' ')
  const wire = env.hold.take(key, () =>
    createWire({
      host,
      port,
      name: named,
      tls: trust === undefined ? undefined : { serverName, context: trust.context },
      maxConnections,
      maxQueued,
      connectTimeoutMs,
      headTimeoutMs: timeoutMs,
      idleMs,
      keepAliveMs: isHttp1 ? keepAliveMs : http2KeepAliveMs,
      maxCalls,
      maxAgeMs,
      maxHeadBytes,
      maxHeaderCount,
      clock: env.clock,
      sweeper: env.sweeper,
      mayRepeat,
      connections: env.meter.gauge('velum_service_connections', 'Open connections to the targets of a service.', { service: name }),
    }),
  )
  if (board !== undefined) env.hold.take(`services/watched ${key}`, () => board.watch(name, addressOf(spec), wire))
  return wire
}

function standingOf(
  { name, eject, breaker: spec, slowStartMs }: ServiceSpec,
  address: string,
  board: StandingBoard,
  { hold, clock, link, workers }: BuildEnv,
  joinedAt: number | undefined,
): Standing {
  const key = ['services/standing', name, address, JSON.stringify([eject, spec, slowStartMs])].join(' ')
  return hold.take(key, () => {
    const breakers = hold.take('services/breaker-board', () => new BreakerBoard(link))
    const closed = (): void => standing.warmUp(clock.monotonic())
    const named = { service: name, address }
    const breaker = spec === undefined ? undefined : new Breaker({ name: named, spec, board: breakers, workers, closed })
    const standing = new Standing({ service: name, address, eject, board, breaker, slowStartMs, joinedAt })
    return standing
  })
}
