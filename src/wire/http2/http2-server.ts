import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { Clock } from '../../core/clock.ts'
import { Fault } from '../../core/fault.ts'
import type { Peer } from '../connection-facts.ts'
import type { ServerWire, ServerWireOptions } from '../server-wire.ts'
import { RequestMessage } from './request-message.ts'
import type { SessionOwner } from './server-session.ts'
import { ServerSession } from './server-session.ts'

/**
 * HTTP/2 on accepted sockets, by nghttp2, with the rules of our HTTP/1.1 on top: the same limits, the same one reading
 * of a request, the same patience. A stream's fault ends the stream, a flood ends the connection. `random` spreads the
 * ages of connections.
 */
export function createHttp2Server(options: ServerWireOptions, random: () => number = Math.random): ServerWire {
  return new Http2Server(options, random)
}

class Http2Server implements ServerWire, SessionOwner {
  readonly options: ServerWireOptions
  readonly message: RequestMessage
  readonly random: () => number
  isDraining = false
  active = 0
  readonly #date: DateText
  readonly #open = new Set<ServerSession>()
  #whenEmpty: (() => void)[] = []

  constructor(options: ServerWireOptions, random: () => number) {
    this.options = options
    this.random = random
    this.message = new RequestMessage(options.limits)
    this.#date = new DateText(options.clock)
  }

  get connections(): number {
    return this.#open.size
  }

  accept(socket: Socket | TLSSocket, peer?: Peer): void {
    if (socket.destroyed) return
    const { limits, siblings } = this.options
    const isFull = this.#open.size + (siblings?.() ?? 0) >= limits.maxConnections || this.isDraining
    const session = new ServerSession(this, socket, peer)
    this.#open.add(session)
    this.options.sweeper.watch(session)
    if (isFull) session.turnAway(new Fault('overloaded'))
  }

  drain(idleMs = 0): Promise<void> {
    this.isDraining = true
    for (const session of this.#open) session.drain(idleMs)
    return new Promise((resolve) => {
      this.#whenEmpty.push(resolve)
      this.#checkEmpty()
    })
  }

  close(): void {
    this.isDraining = true
    for (const session of this.#open) session.destroy()
  }

  date(): string {
    return this.#date.value()
  }

  turnBegan(): void {
    this.active++
  }

  turnEnded(): void {
    this.active--
    this.#checkEmpty()
  }

  sessionClosed(session: ServerSession): void {
    this.#open.delete(session)
    this.options.sweeper.unwatch(session)
    this.#checkEmpty()
  }

  #checkEmpty(): void {
    if (this.#whenEmpty.length === 0 || this.#open.size > 0 || this.active > 0) return
    const waiting = this.#whenEmpty
    this.#whenEmpty = []
    for (const resolve of waiting) resolve()
  }
}

/** The date of the current second. */
class DateText {
  readonly #clock: Clock
  #second = NaN
  #text = ''

  constructor(clock: Clock) {
    this.#clock = clock
  }

  value(): string {
    const now = this.#clock.now()
    const second = Math.floor(now / 1000)
    if (second !== this.#second) {
      this.#second = second
      this.#text = new Date(now).toUTCString()
    }
    return this.#text
  }
}
