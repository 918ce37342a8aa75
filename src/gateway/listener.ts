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
/** How often to look whether the handshakes under way are done. */
const handshakeLookMs = 20

/** An open port. It accepts from the moment it is open; until its first front is in place, connections wait. */
export class Listener {
  readonly address: string
  readonly #env: ListenerEnv
  readonly #server: Server
  readonly #held: Socket[] = []
  readonly #draining = new Set<ServerWire>()
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
  prepare(model: ListenerModel, material: TlsMaterial | undefined, ticketKeys: Uint8Array): Front {
    return new Front({
      model,
      material,
      ticketKeys,
      before: this.#front,
      // To the wire of the moment: one that was replaced during the handshake takes no more.
      secured: (socket) => this.#front?.wire.accept(socket),
      env: this.#env,
    })
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
    const front = this.#front
    if (front?.terminator !== undefined) await this.#handshakesDone(front.terminator)
    if (front !== undefined) void this.#drainWire(front.wire)
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

  /** Handshakes are bounded in time by their terminator, and so is this. */
  async #handshakesDone(terminator: { readonly pending: number }): Promise<void> {
    while (terminator.pending > 0) {
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
