import type { Answer } from '../../core/answer.ts'
import type { Exchange } from '../../core/exchange.ts'
import { Fault } from '../../core/fault.ts'
import type { Call } from '../../core/service.ts'
import type { ClientWire, ClientWireOptions } from '../client-wire.ts'
import type { TlsSession } from '../http1/dial.ts'
import type { CallOwner } from './client-call.ts'
import { ClientCall } from './client-call.ts'
import type { SessionOwner } from './client-session.ts'
import { ClientSession } from './client-session.ts'

/**
 * Connections of HTTP/2 to one address, by ALPN over TLS or by prior knowledge. One connection carries many calls; the
 * next one is opened when all are full. `open` counts connections, `busy` calls. Ending a call ends its stream only. A
 * stream that the service says it never looked at (GOAWAY, REFUSED_STREAM) is a Fault `service-reset` that is `unsent`.
 */
export function createHttp2Client(options: ClientWireOptions): ClientWire {
  return new Http2Client(options)
}

class Http2Client implements ClientWire, SessionOwner, CallOwner {
  readonly options: ClientWireOptions
  readonly authority: string
  readonly session: TlsSession = { ticket: undefined }
  readonly #connections: ClientSession[] = []
  /** In the order in which they came. */
  readonly #waiting = new Set<ClientCall>()
  #isClosing = false

  constructor(options: ClientWireOptions) {
    this.options = options
    const { host, name: named = host, port, tls } = options
    const name = named.includes(':') ? `[${named}]` : named
    this.authority = port === (tls === undefined ? 80 : 443) ? name : `${name}:${port}`
  }

  get open(): number {
    return this.#connections.length
  }

  get busy(): number {
    let busy = 0
    for (const { active } of this.#connections) busy += active
    return busy
  }

  get queued(): number {
    return this.#waiting.size
  }

  send(call: Call, x: Exchange): Promise<Answer> {
    return new Promise((resolve, reject) => {
      if (this.#isClosing) throw new Fault('service-refused', 'the pool is closed', { unsent: true })
      if (x.left !== undefined) throw x.left
      const connection = this.#withRoom()
      if (connection === undefined && this.#waiting.size >= this.options.maxQueued) {
        throw new Fault('overloaded', 'too many calls wait for a connection', { unsent: true })
      }
      const sending = new ClientCall(this, call, x, resolve, reject)
      if (connection === undefined) {
        this.#waiting.add(sending)
        this.#dialForWaiting()
      } else connection.start(sending)
      x.whenLeft((why) => sending.fail(why))
    })
  }

  close(): void {
    if (this.#isClosing) return
    this.#isClosing = true
    if (this.#waiting.size > 0) return // those who wait are still served; the last one closes
    for (const connection of this.#connections.slice()) connection.leave()
  }

  gaveUp(call: ClientCall): void {
    this.#waiting.delete(call)
  }

  ready(connection: ClientSession): void {
    this.freed(connection)
  }

  freed(connection: ClientSession): void {
    for (const call of this.#waiting) {
      if (!connection.hasRoom) break
      this.#waiting.delete(call)
      connection.start(call)
    }
    if (this.#waiting.size > 0) this.#dialForWaiting()
    else if (this.#isClosing) for (const each of this.#connections.slice()) each.leave()
  }

  lost(connection: ClientSession, why: Fault | undefined): void {
    const at = this.#connections.indexOf(connection)
    if (at !== -1) {
      this.#connections.splice(at, 1)
      this.options.connections?.add(-1)
    }
    // No connection came about, and there is none to wait for: all who waited for it learn so.
    if (why !== undefined && this.#connections.length === 0) {
      for (const call of this.#waiting) call.fail(why)
      return
    }
    this.#dialForWaiting()
  }

  /** The fullest that has room, so that the others grow idle and close. */
  #withRoom(): ClientSession | undefined {
    let best: ClientSession | undefined
    for (const connection of this.#connections) {
      if (connection.hasRoom && (best === undefined || connection.active > best.active)) best = connection
    }
    return best
  }

  #dialForWaiting(): void {
    let coming = 0
    for (const { isConnecting } of this.#connections) if (isConnecting) coming++
    // One that is being opened will carry many.
    if (this.#waiting.size <= coming * callsPerDial || this.#connections.length >= this.options.maxConnections) return
    this.options.connections?.add(1)
    this.#connections.push(new ClientSession(this, this.options.clock.monotonic()))
  }
}

/** Calls for which one connection that is being opened is enough. */
const callsPerDial = 100
