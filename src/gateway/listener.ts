import { createServer } from 'node:net'
import type { Server, Socket } from 'node:net'
import type { ListenerModel } from '../config/model.ts'
import type { ServerWire } from '../wire/server-wire.ts'
import type { TlsMaterial } from '../wire/tls/tls-spec.ts'
import { Front } from './front.ts'
import type { ListenerEnv } from './front.ts'

/** Connections that arrive between prepare and commit wait; more than these are closed. */
const maxHeld = 1024
const backlog = 4096
/** How long an idle connection lives on whose listener was replaced or removed: its next request may be on its way. */
export const replacedIdleMs = 1000
/** How often to look whether the handshakes under way are done. */
const handshakeLookMs = 20

/** An open port. It accepts from the moment it is open; until its first front is in place, connections wait. */
export class Listener {
  readonly address: string
  readonly #env: ListenerEnv
  readonly #server: Server
  readonly #held: Socket[] = []
  readonly #draining = new Map<ServerWire, Promise<void>>()
  #front: Front | undefined

  private constructor(address: string, server: Server, env: ListenerEnv) {
    this.address = address
    this.#server = server
    this.#env = env
  }

  /** Opens the port. Rejects when that fails. */
  static async open(model: ListenerModel, env: ListenerEnv): Promise<Listener> {
    // Half-open: a client may end its side and still wait for its answer. The wire closes the other one.
    const server = createServer({ allowHalfOpen: true, noDelay: true })
    const listener = new Listener(addressOf(model), server, env)
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen({ host: model.host, port: model.port, backlog, reusePort: env.reusePort }, () => {
        server.off('error', reject)
        resolve()
      })
    })
    server.on('connection', (socket) => listener.#accept(socket))
    server.on('error', (error) => env.log.error('accepting connections failed', { address: listener.address, error }))
    return listener
  }

  /** Builds what could stand behind the port next. Throws when a certificate is unusable. */
  prepare(
    model: ListenerModel,
    material: TlsMaterial | undefined,
    ticketKeys: Uint8Array,
    isExempt: (address: string) => boolean,
    isProxy: (address: string) => boolean,
  ): Front {
    return new Front({
      model,
      material,
      ticketKeys,
      before: this.#front,
      // To the wire of the moment: one that was replaced during the handshake takes no more.
      secured: (socket, peer) => this.#front?.secured(socket, peer),
      proxied: (socket, peer) => this.#front?.admit(socket, peer),
      isExempt,
      isProxy,
      env: this.#env,
    })
  }

  /** New connections go to `front` from now on; a wire that it does not take over is told to end. */
  adopt(front: Front): void {
    const before = this.#front
    this.#front = front
    if (before?.terminator !== undefined) front.terminator?.inherit(before.terminator)
    if (before !== undefined && before.wire !== front.wire) void this.#drainWire(before.wire, replacedIdleMs)
    for (const socket of this.#held.splice(0)) front.accept(socket)
  }

  /** Accepts no more; idle connections end after `idleMs`. Resolves when every connection is done. */
  async drain(idleMs: number): Promise<void> {
    this.closePort()
    const front = this.#front
    if (front !== undefined) await this.#handshakesDone(front)
    if (front !== undefined) void this.#drainWire(front.wire, idleMs)
    await Promise.all(this.#draining.values())
  }

  /** Closes the port and all connections at once. */
  close(): void {
    this.closePort()
    for (const wire of this.#draining.keys()) wire.close()
    this.#front?.close()
    this.#front?.wire.close()
  }

  /** Accepts no more; what is connected stays. */
  closePort(): void {
    this.#server.close()
    for (const socket of this.#held.splice(0)) socket.destroy()
  }

  async #drainWire(wire: ServerWire, idleMs: number): Promise<void> {
    const drained = wire.drain(idleMs)
    this.#draining.set(wire, drained)
    await drained
    this.#draining.delete(wire)
  }

  /** Handshakes and PROXY headers are bounded in time, and so is this. */
  async #handshakesDone(front: { readonly pending: number }): Promise<void> {
    while (front.pending > 0) {
      await new Promise<void>((resolve) => void this.#env.clock.after(handshakeLookMs, resolve))
    }
  }

  #accept(socket: Socket): void {
    if (this.#front !== undefined) return this.#front.accept(socket)
    if (this.#held.length >= maxHeld) {
      this.#env.log.warn('connections came faster than a new listener was committed', { address: this.address })
      socket.destroy()
      return undefined
    }
    socket.on('error', () => socket.destroy())
    this.#held.push(socket)
    return undefined
  }
}

/** What tells open ports apart. */
export function addressOf(model: ListenerModel): string {
  return `${model.host.includes(':') ? `[${model.host}]` : model.host}:${model.port}`
}
