import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { ListenerModel } from '../config/model.ts'
import type { Clock } from '../core/clock.ts'
import type { Exchange } from '../core/exchange.ts'
import type { Log } from '../core/log.ts'
import type { Count, Level, Meter } from '../core/meter.ts'
import type { Sweeper } from '../core/sweeper.ts'
import { stableJson } from '../lib/stable-json.ts'
import type { LimitTable } from '../limits/limit-table.ts'
import type { Peer } from '../wire/connection-facts.ts'
import { ProxyDoor } from '../wire/proxy-protocol-door.ts'
import type { Served, ServerWire, ServerWireOptions } from '../wire/server-wire.ts'
import { createTlsTerminator } from '../wire/tls/terminator.ts'
import type { TlsTerminator } from '../wire/tls/terminator.ts'
import type { TlsMaterial } from '../wire/tls/tls-spec.ts'
import { EdgeGate, peerAddress } from './edge-gate.ts'

/** What listeners of a worker are made with. */
export interface ListenerEnv {
  readonly clock: Clock
  readonly sweeper: Sweeper
  readonly meter: Meter
  readonly log: Log
  readonly reusePort: boolean
  /** How many workers share each listener's bound on connections. */
  readonly sharers: number
  /** Where connections are counted per address, over all workers; absent: nowhere. */
  readonly edges?: LimitTable | undefined
  /** The lasting face that a listener's wire talks to. */
  readonly served: (listener: string) => Served
  readonly createWire: (kind: ListenerModel['wire'], options: ServerWireOptions) => ServerWire
}

export interface FrontOptions {
  readonly model: ListenerModel
  /** Certificates, for a listener with TLS. */
  readonly material: TlsMaterial | undefined
  readonly ticketKeys: Uint8Array
  /** Lends its wire and its terminator where nothing about them has changed. */
  readonly before: Front | undefined
  /** Takes handshaken sockets. */
  readonly secured: (socket: TLSSocket, peer: Peer | undefined) => void
  /** Takes sockets whose PROXY header was read. */
  readonly proxied: (socket: Socket, peer: Peer | undefined) => void
  /** Who may say by such a header whom he stands for. */
  readonly isProxy: (address: string) => boolean
  /** Addresses that the edge does not bound. */
  readonly isExempt: (address: string) => boolean
  readonly env: ListenerEnv
}

/**
 * What stands behind an open port: the wire, and TLS before it. Replaced as a whole when its settings change; what was
 * accepted by an earlier one stays with that one.
 */
export class Front {
  readonly model: ListenerModel
  readonly wire: ServerWire
  readonly terminator: TlsTerminator | undefined
  readonly #material: TlsMaterial | undefined
  readonly #counts: ConnectionCounts
  readonly #gate: EdgeGate | undefined
  readonly #door: ProxyDoor | undefined
  readonly #proxied: FrontOptions['proxied']

  /** Throws when a certificate is unusable. */
  constructor(options: FrontOptions) {
    const { model, material, before, env } = options
    this.model = model
    this.#material = material
    this.#counts = connectionCounts(env.meter, model.name)
    this.#gate = createGate(options)
    this.#proxied = options.proxied
    this.#door = model.proxyProtocol === true ? createDoor(options) : undefined
    this.wire = before !== undefined && hasSameWire(before.model, model) ? before.wire : createWire(model, env)
    this.terminator = material === undefined ? undefined : (this.#lentTerminator(before) ?? createTerminator(options, material))
  }

  /** Takes a socket that was just accepted. */
  accept(socket: Socket): void {
    if (this.#door === undefined) this.admit(socket, undefined)
    else this.#door.receive(socket, (peer) => this.#proxied(socket, peer))
  }

  /** Takes a socket whose peer is known: `peer`, where something in front knows better than the socket. */
  admit(socket: Socket, peer: Peer | undefined): void {
    // One that has died meanwhile would never say so again.
    if (socket.destroyed) return
    if (this.#gate?.admits(peer?.remoteAddress ?? peerAddress(socket), socket) === false) {
      // Without a farewell: a closing handshake would keep the kernel busy for whoever floods.
      socket.resetAndDestroy()
      return
    }
    this.#counts.accepted(socket)
    if (this.terminator === undefined) this.wire.accept(socket, peer)
    else this.terminator.accept(socket, peer)
  }

  /** Takes a handshaken socket that came by this or an earlier front. */
  secured(socket: TLSSocket, peer: Peer | undefined): void {
    this.#gate?.handshaken(peer?.remoteAddress ?? peerAddress(socket), socket)
    this.wire.accept(socket, peer)
  }

  /** Connections that are not yet with the wire: in a handshake, or before their PROXY header. Bounded in time. */
  get pending(): number {
    return (this.terminator?.pending ?? 0) + (this.#door?.pending ?? 0)
  }

  /** Ends what is not yet with the wire. */
  close(): void {
    this.#door?.close()
    this.terminator?.close()
  }

  /** Whether the connection that `x` came by was asked for another name than `x` asks for (RFC 9110 §15.5.20). */
  isMisdirected(x: Exchange): boolean {
    const { tls } = x.connection
    return tls !== undefined && this.terminator !== undefined && !this.terminator.serves(tls.serverName, x.authority)
  }

  #lentTerminator(before: Front | undefined): TlsTerminator | undefined {
    if (before === undefined || before.wire !== this.wire) return undefined
    return stableJson(before.#material) === stableJson(this.#material) ? before.terminator : undefined
  }
}

function createGate({ model, material, isExempt, env }: FrontOptions): EdgeGate | undefined {
  if (model.edge === undefined || env.edges === undefined) return undefined
  const { clock, meter, log, edges } = env
  return new EdgeGate({
    listener: model.name,
    bounds: model.edge,
    isTls: material !== undefined,
    isExempt,
    table: edges,
    clock,
    meter,
    log,
  })
}

function createDoor({ model, isProxy, env: { clock, sweeper, meter, log } }: FrontOptions): ProxyDoor {
  const { headMs, maxConnections } = model.limits
  return new ProxyDoor({
    listener: model.name,
    isTrusted: isProxy,
    headerMs: headMs,
    maxPending: maxConnections,
    clock,
    sweeper,
    meter,
    log,
  })
}

function createTerminator({ model, ticketKeys, secured, env }: FrontOptions, material: TlsMaterial): TlsTerminator {
  return createTlsTerminator({
    listener: model.name,
    material,
    ticketKeys,
    protocols: model.http2 === false ? ['http/1.1'] : ['h2', 'http/1.1'],
    handshakeMs: model.limits.headMs,
    clock: env.clock,
    sweeper: env.sweeper,
    meter: env.meter,
    secured,
  })
}

function createWire(model: ListenerModel, env: ListenerEnv): ServerWire {
  const { clock, sweeper } = env
  const limits = { ...model.limits, maxConnections: Math.ceil(model.limits.maxConnections / env.sharers) }
  return env.createWire(model.wire, {
    listener: model.name,
    served: env.served(model.name),
    limits,
    clock,
    sweeper,
    http2: model.http2,
  })
}

function hasSameWire(a: ListenerModel, b: ListenerModel): boolean {
  return stableJson(wireSettings(a)) === stableJson(wireSettings(b))
}

function wireSettings({ name, wire, http2, limits, tls }: ListenerModel): unknown {
  return { name, wire, http2, limits, isTls: tls !== undefined }
}

interface ConnectionCounts {
  accepted(socket: Socket): void
}

function connectionCounts(meter: Meter, listener: string): ConnectionCounts {
  const total: Count = meter.counter('velum_connections_total', 'Connections accepted.', { listener })
  const open: Level = meter.gauge('velum_connections', 'Connections open now.', { listener })
  const closed = (): void => open.add(-1)
  return {
    accepted(socket) {
      total.add()
      open.add(1)
      socket.once('close', closed)
    },
  }
}
