import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { Fault } from '../../core/fault.ts'
import type { Peer } from '../connection-facts.ts'
import type { ServerWire, ServerWireOptions } from '../server-wire.ts'
import { AnswerHeads } from './answer-head.ts'
import { RequestHead } from './request-head.ts'
import type { ConnectionOwner } from './server-connection.ts'
import { ServerConnection } from './server-connection.ts'

/** Connections beyond the limit that are told so; further ones are closed without a word, or telling would cost all. */
const toldBeyondLimit = 100

/**
 * Our own HTTP/1.1 on accepted sockets: a strict subset of RFC 9112, exchanges strictly one after another on each
 * connection. Anything malformed, too large or too slow is answered by `served.refused` and closed.
 */
export function createHttp1Server(options: ServerWireOptions): ServerWire {
  return new Http1Server(options)
}

class Http1Server implements ServerWire, ConnectionOwner {
  readonly options: ServerWireOptions
  readonly heads: AnswerHeads
  isDraining = false
  active = 0
  readonly #open = new Set<ServerConnection>()
  #head: RequestHead | undefined = undefined
  #whenEmpty: (() => void)[] = []

  constructor(options: ServerWireOptions) {
    this.options = options
    this.heads = new AnswerHeads(options.clock)
  }

  get connections(): number {
    return this.#open.size
  }

  accept(socket: Socket | TLSSocket, peer?: Peer): void {
    if (socket.destroyed) return
    const { limits, siblings } = this.options
    const excess = this.#open.size + (siblings?.() ?? 0) - limits.maxConnections
    const connection = new ServerConnection(this, socket, peer)
    this.#open.add(connection)
    this.options.sweeper.watch(connection.deadlines)
    if (excess >= 0 || this.isDraining) connection.turnAway(new Fault('overloaded'), excess < toldBeyondLimit)
  }

  drain(idleMs = 0): Promise<void> {
    this.isDraining = true
    for (const connection of this.#open) connection.drain(idleMs)
    return new Promise((resolve) => {
      this.#whenEmpty.push(resolve)
      this.#checkEmpty()
    })
  }

  close(): void {
    this.isDraining = true
    for (const connection of this.#open) connection.socket.destroy()
  }

  lendHead(): RequestHead {
    const head = (this.#head ??= new RequestHead(this.options.limits))
    head.begin()
    return head
  }

  keepHead(): void {
    this.#head = undefined
  }

  turnBegan(): void {
    this.active++
  }

  turnEnded(): void {
    this.active--
    this.#checkEmpty()
  }

  connectionClosed(connection: ServerConnection): void {
    this.#open.delete(connection)
    this.options.sweeper.unwatch(connection.deadlines)
    this.#checkEmpty()
  }

  #checkEmpty(): void {
    if (this.#whenEmpty.length === 0 || this.#open.size > 0 || this.active > 0) return
    const waiting = this.#whenEmpty
    this.#whenEmpty = []
    for (const resolve of waiting) resolve()
  }
}
