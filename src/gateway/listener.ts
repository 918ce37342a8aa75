import { createServer } from 'node:net'
import type { Server, Socket } from 'node:net'
import type { ListenerModel } from '../config/model.ts'
import type { Clock } from '../core/clock.ts'
import type { Exchange } from '../core/exchange.ts'
import type { Log } from '../core/log.ts'
import type { Count, Level, Meter } from '../core/meter.ts'
import type { Sweeper } from '../core/sweeper.ts'
import type { Served, ServerWire, ServerWireOptions } from '../wire/server-wire.ts'
import { createTlsTerminator } from '../wire/tls/terminator.ts'
import type { TlsTerminator } from '../wire/tls/terminator.ts'
import type { TlsMaterial } from '../wire/tls/tls-spec.ts'
import { stableJson } from '../lib/stable-json.ts'

/** Connections that arrive between prepare and commit wait; more than these are the kernel's to hold back or refuse. */
const maxHeld = 1024

/** What listeners of a worker are made with. */
export interface ListenerEnv {
  readonly clock: Clock
  readonly sweeper: Sweeper
  readonly meter: Meter
  readonly log: Log
  readonly reusePort: boolean
  /** How many workers share each listener's bound on connections. */
  readonly sharers: number
  /** The lasting face that a listener's wire talks to. */
  readonly served: (listener: string) => Served
  readonly createWire: (kind: ListenerModel['wire'], options: ServerWireOptions) => ServerWire
}

/**
 * What stands behind an open port: the wire, and TLS before it. Replaced as a whole when its settings change; what was
 * accepted by an earlier one stays with that one.
 */
export class Front {
  readonly model: ListenerModel
  readonly material: TlsMaterial | undefined
  readonly wire: ServerWire
  readonly terminator: TlsTerminator | undefined
  readonly #counts: ConnectionCounts

  /** Throws when a certificate is unusable. `before` lends its wire when nothing about the wire has changed. */
  constructor(model: ListenerModel, material: TlsMaterial | undefined, ticketKeys: Uint8Array, env: ListenerEnv, before?: Front) {
    this.model = model
    this.material = material
    this.#counts = connectionCounts(env.meter, model.name)
    this.wire = before !== undefined && hasSameWire(before.model, model) ? before.wire : createWire(model, env)
    if (material === undefined) this.terminator = undefined
    else if (before?.terminator !== undefined && before.wire === this.wire && stableJson(before.material) === stableJson(material))
      this.terminator = before.terminator
    else
      this.terminator = createTlsTerminator({
        listener: model.name,
        material,
        ticketKeys,
        handshakeMs: model.limits.headMs,
        meter: env.meter,
        secured: (socket) => this.wire.accept(socket),
      })
  }

  accept(socket: Socket): void {
    this.#counts.accepted(socket)
    if (this.terminator === undefined) this.wire.accept(socket)
    else this.terminator.accept(socket)
  }

  /** Whether the connection that `x` came by was asked for another name than `x` asks for (RFC 9110 §15.5.20). */
  isMisdirected(x: Exchange): boolean {
    const { tls } = x.connection
    return tls !== undefined && this.terminator !== undefined && !this.terminator.serves(tls.serverName, x.authority)
  }
}

function createWire(model: ListenerModel, env: ListenerEnv): ServerWire {
  const { clock, sweeper } = env
  const limits = { ...model.limits, maxConnections: Math.ceil(model.limits.maxConnections / env.sharers) }
  return env.createWire(model.wire, { listener: model.name, served: env.served(model.name), limits, clock, sweeper })
}

function hasSameWire(a: ListenerModel, b: ListenerModel): boolean {
  return (
    a.name === b.name &&
    a.wire === b.wire &&
    (a.tls === undefined) === (b.tls === undefined) &&
    stableJson(a.limits) === stableJson(b.limits)
  )
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

/** An open port. It accepts from the moment it is open; until its first front is in place, connections wait. */
export class Listener {
  readonly address: string
  readonly #server: Server
  readonly #log: Log
  readonly #held: Socket[] = []
  readonly #draining = new Set<ServerWire>()
  #front: Front | undefined

  private constructor(address: string, server: Server, log: Log) {
    this.address = address
    this.#server = server
    this.#log = log
  }

  /** Opens the port. Rejects when that fails. */
  static async open(model: ListenerModel, env: ListenerEnv): Promise<Listener> {
    // Half-open: a client may end its side and still wait for its answer. The wire closes the other one.
    const server = createServer({ allowHalfOpen: true, noDelay: true })
    const listener = new Listener(addressOf(model), server, env.log)
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen({ host: model.host, port: model.port, backlog: 4096, reusePort: env.reusePort }, () => {
        server.off('error', reject)
        resolve()
      })
    })
    server.on('connection', (socket) => listener.#accept(socket))
    server.on('error', (error) => env.log.error('accepting connections failed', { listener: model.name, error }))
    return listener
  }

  get front(): Front | undefined {
    return this.#front
  }

  /** New connections go to `front` from now on; a wire that it does not take over is told to end. */
  adopt(front: Front): void {
    const before = this.#front
    this.#front = front
    if (before !== undefined && before.wire !== front.wire) void this.#drainWire(before.wire)
    for (const socket of this.#held.splice(0)) front.accept(socket)
  }

  /** Accepts no more; resolves when every connection is done. */
  async drain(): Promise<void> {
    this.#stopAccepting()
    if (this.#front !== undefined) void this.#drainWire(this.#front.wire)
    await Promise.all([...this.#draining].map((wire) => wire.drain()))
  }

  /** Closes the port and all connections at once. */
  close(): void {
    this.#stopAccepting()
    for (const wire of this.#draining) wire.close()
    this.#front?.terminator?.close()
    this.#front?.wire.close()
  }

  #stopAccepting(): void {
    this.#server.close()
    for (const socket of this.#held.splice(0)) socket.destroy()
  }

  async #drainWire(wire: ServerWire): Promise<void> {
    this.#draining.add(wire)
    await wire.drain()
    this.#draining.delete(wire)
  }

  #accept(socket: Socket): void {
    if (this.#front !== undefined) return this.#front.accept(socket)
    if (this.#held.length >= maxHeld) {
      this.#log.warn('connections came faster than a new listener was committed', { address: this.address })
      socket.destroy()
      return
    }
    socket.on('error', () => socket.destroy())
    this.#held.push(socket)
  }
}

/** What tells open ports apart. */
export function addressOf(model: ListenerModel): string {
  return `${model.host.includes(':') ? `[${model.host}]` : model.host}:${model.port}`
}
