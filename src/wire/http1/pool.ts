import type { Answer } from '../../core/answer.ts'
import type { Exchange } from '../../core/exchange.ts'
import { Fault } from '../../core/fault.ts'
import type { Call } from '../../core/service.ts'
import type { Due } from '../../core/sweeper.ts'
import type { ClientWire, ClientWireOptions } from '../client-wire.ts'
import { ClientConnection } from './client-connection.ts'
import type { ConnectionOwner, ConnectionPhase } from './client-connection.ts'
import type { TlsSession } from './dial.ts'
import { Sending, WaitingCalls } from './sending.ts'

/** A pool of HTTP/1.1 connections to one address. See `ClientWire` for its promises. */
export function createHttp1Client(options: ClientWireOptions): ClientWire {
  return new Pool(options)
}

/**
 * The connection used last is used first, so that the others grow old and are closed. A call that finds none waits in
 * line and one more connection is opened, if the bound allows; whichever is ready first, the new one or one that has
 * become free, takes the first of the line.
 */
class Pool implements ClientWire, ConnectionOwner, Due {
  readonly options: ClientWireOptions
  readonly authority: string
  readonly session: TlsSession = { ticket: undefined }
  isClosing = false
  dueAt = Infinity
  open = 0
  readonly #idle: ClientConnection[] = []
  readonly #waiting = new WaitingCalls()
  /** Connections being opened for whoever is first in line. */
  #dialling = 0

  constructor(options: ClientWireOptions) {
    this.options = options
    this.authority = authorityOf(options)
    options.sweeper.watch(this)
  }

  get busy(): number {
    return this.open - this.#idle.length - this.#dialling
  }

  get queued(): number {
    return this.#waiting.length
  }

  send(call: Call, x: Exchange): Promise<Answer> {
    return new Promise((resolve, reject) => {
      if (this.isClosing) throw new Fault('service-refused', 'the pool is closed', { unsent: true })
      if (x.left !== undefined) throw x.left
      const now = this.options.clock.monotonic()
      const sending = new Sending(call, x, now, resolve, reject)
      const connection = this.#takeIdle(now)
      if (connection === undefined) this.#wait(sending, now)
      else connection.start(sending, now)
      x.whenLeft((why) => this.#leave(sending, why))
    })
  }

  close(): void {
    this.isClosing = true
    for (const connection of this.#idle.splice(0)) connection.close()
    this.#rest()
  }

  /** A call waited too long for a connection. */
  onDue(now: number): void {
    let next = Infinity
    for (let sending = this.#waiting.first; sending !== undefined;) {
      const { behind } = sending
      const waitBy = this.#waitBy(sending)
      if (waitBy > now) next = Math.min(next, waitBy)
      else {
        this.#waiting.remove(sending)
        sending.reject(
          new Fault(this.#dialling > 0 ? 'service-refused' : 'overloaded', 'no connection became free in time', { unsent: true }),
        )
      }
      sending = behind
    }
    this.dueAt = next
  }

  // What connections say.

  ready(connection: ClientConnection, before: ConnectionPhase, now: number): void {
    let next = before === 'connecting' ? connection.reserved : undefined
    if (before === 'connecting' && next === undefined) this.#dialling--
    // Only now is anything sent twice: that no connection came about burdens nobody.
    if (next !== undefined && !this.#mayRepeat(next)) next = undefined
    next ??= this.#waiting.shift()
    if (next !== undefined) connection.start(next, now)
    else if (this.isClosing) connection.close()
    else this.#idle.push(connection)
  }

  lost(connection: ClientConnection, before: ConnectionPhase, why: Fault | undefined): void {
    this.open--
    this.options.connections?.add(-1)
    if (before === 'idle') {
      const at = this.#idle.lastIndexOf(connection)
      if (at !== -1) this.#idle.splice(at, 1)
    } else if (before === 'connecting') {
      if (connection.reserved === undefined) this.#dialling--
      if (why !== undefined) this.#refuse(connection, why)
    }
    this.#dialForWaiting()
    this.#rest()
  }

  repeat(sending: Sending): void {
    if (sending.x.left !== undefined) {
      sending.reject(sending.x.left)
      return
    }
    sending.connection = this.#dial(this.options.clock.monotonic(), sending)
  }

  #mayRepeat(sending: Sending): boolean {
    if (this.options.mayRepeat?.() === false) {
      sending.reject(new Fault('service-reset', 'its connection ended before the head of the answer, and no further try is left'))
      return false
    }
    sending.x.attempts++
    return true
  }

  #takeIdle(now: number): ClientConnection | undefined {
    for (;;) {
      const connection = this.#idle.pop()
      if (connection === undefined || connection.dueAt > now) return connection
      connection.close()
    }
  }

  #wait(sending: Sending, now: number): void {
    const { maxConnections, maxQueued } = this.options
    if (this.open >= maxConnections && this.#waiting.length - this.#dialling >= maxQueued) {
      throw new Fault('overloaded', 'too many calls wait for a connection', { unsent: true })
    }
    this.#waiting.push(sending)
    this.dueAt = Math.min(this.dueAt, this.#waitBy(sending))
    this.#dialForWaiting(now)
  }

  #waitBy(sending: Sending): number {
    return Math.min(sending.since + this.options.headTimeoutMs, sending.call.headBy)
  }

  #dialForWaiting(now = this.options.clock.monotonic()): void {
    while (this.#dialling < this.#waiting.length && this.open < this.options.maxConnections) {
      this.#dialling++
      this.#dial(now, undefined)
    }
  }

  #dial(now: number, reserved: Sending | undefined): ClientConnection {
    this.open++
    this.options.connections?.add(1)
    return new ClientConnection(this, now, reserved)
  }

  /**
   * No connection came about. While others stand, that is the bad luck of the first in line; when there is none, nobody
   * who has waited as long as this attempt took has anything to wait for.
   */
  #refuse(connection: ClientConnection, why: Fault): void {
    if (connection.reserved !== undefined) {
      // This call was sent before, on a connection found stale: nobody can say that the service saw nothing of it.
      connection.reserved.reject(new Fault(why.code, why.message, { cause: why.cause }))
      return
    }
    if (this.open > this.#dialling) {
      this.#waiting.shift()?.reject(why)
      return
    }
    for (let sending = this.#waiting.first; sending !== undefined && sending.since <= connection.bornAt;) {
      const { behind } = sending
      this.#waiting.remove(sending)
      sending.reject(why)
      sending = behind
    }
  }

  #leave(sending: Sending, why: Fault): void {
    if (sending.isWaiting) {
      this.#waiting.remove(sending)
      sending.reject(why)
    } else sending.connection?.leave(sending, why)
  }

  /** Nothing is left to watch once a closed pool has no connections. */
  #rest(): void {
    if (this.isClosing && this.open === 0 && this.#waiting.length === 0) this.options.sweeper.unwatch(this)
  }
}

/** The Host of an address: without the port where it is the scheme's own (RFC 9110 §7.2). */
function authorityOf({ host, name: named = host, port, tls }: ClientWireOptions): string {
  const name = named.includes(':') ? `[${named}]` : named
  return port === (tls === undefined ? 80 : 443) ? name : `${name}:${port}`
}
