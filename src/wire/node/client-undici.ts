import { isIP } from 'node:net'
import { checkServerIdentity } from 'node:tls'
import { Pool, buildConnector } from 'undici'
import type { Answer } from '../../core/answer.ts'
import type { Exchange } from '../../core/exchange.ts'
import { Fault } from '../../core/fault.ts'
import type { Call } from '../../core/service.ts'
import type { ClientWire, ClientWireOptions } from '../client-wire.ts'
import { UndiciCall } from './client-call.ts'
import type { UndiciCallOwner } from './client-call.ts'

/**
 * The same promises as our own client, kept by undici: the differential oracle of the tests. It differs in these points:
 *
 * - Answers are read by llhttp, which takes some that we refuse (the tests list them), and refuses a `100 Continue`.
 * - A call on a connection found stale is not repeated; a 408 on one is an answer.
 * - After HEAD the connection is closed. Each request carries `Connection`.
 * - The target `*` cannot be sent, nor can trailers.
 * - `maxAgeMs` is counted by the machine's clock, and only when a connection is picked.
 */
export function createUndiciClient(options: ClientWireOptions): ClientWire {
  return new UndiciClient(options)
}

class UndiciClient implements ClientWire, UndiciCallOwner {
  readonly options: ClientWireOptions
  readonly pool: Pool
  busy = 0
  #connected = 0
  #tunnels = 0
  #isClosing = false
  /** In the order in which they came. */
  readonly #waiting = new Set<UndiciCall>()

  constructor(options: ClientWireOptions) {
    this.options = options
    const { host, port, tls } = options
    const name = host.includes(':') ? `[${host}]` : host
    this.pool = new Pool(`${tls === undefined ? 'http' : 'https'}://${name}:${port}`, {
      connections: options.maxConnections,
      pipelining: 1,
      allowH2: false,
      connect: connectorOf(options),
      keepAliveTimeout: options.keepAliveMs,
      keepAliveMaxTimeout: options.keepAliveMs,
      keepAliveTimeoutThreshold: 1000,
      maxRequestsPerClient: options.maxCalls,
      maxHeaderSize: options.maxHeadBytes,
      clientTtl: options.maxAgeMs,
      // Deadlines are the sweeper's business, on the clock that was given.
      headersTimeout: 0,
      bodyTimeout: 0,
    })
    this.pool.on('connect', () => this.#count(1))
    this.pool.on('disconnect', () => this.#count(-1))
  }

  get open(): number {
    return this.#connected + this.#tunnels
  }

  get queued(): number {
    return this.#waiting.size
  }

  send(call: Call, x: Exchange): Promise<Answer> {
    return new Promise((resolve, reject) => {
      if (this.#isClosing) throw new Fault('service-refused', 'the pool is closed', { unsent: true })
      if (x.left !== undefined) throw x.left
      const { maxConnections, maxQueued } = this.options
      const mustWait = this.busy >= maxConnections
      if (mustWait && this.#waiting.size >= maxQueued) {
        throw new Fault('overloaded', 'too many calls wait for a connection', { unsent: true })
      }
      const sending = new UndiciCall(this, call, x, resolve, reject)
      if (mustWait) this.#waiting.add(sending)
      else this.#start(sending)
      x.whenLeft((why) => sending.fail(why))
    })
  }

  close(): void {
    if (this.#isClosing) return
    this.#isClosing = true
    if (this.busy === 0) this.#closePool()
  }

  over(call: UndiciCall): void {
    if (this.#waiting.delete(call)) return
    this.busy--
    const [next] = this.#waiting
    if (next !== undefined) {
      this.#waiting.delete(next)
      this.#start(next)
    } else if (this.#isClosing && this.busy === 0) this.#closePool()
  }

  tunnelled(change: 1 | -1): void {
    this.#tunnels += change
    this.options.connections?.add(change)
  }

  #closePool(): void {
    // Destroyed, not closed: nothing is under way, and undici would wait for what was just given up.
    void this.pool.destroy()
  }

  #start(call: UndiciCall): void {
    this.busy++
    call.start()
  }

  #count(change: 1 | -1): void {
    this.#connected += change
    this.options.connections?.add(change)
  }
}

function connectorOf({ tls, connectTimeoutMs }: ClientWireOptions): buildConnector.connector {
  // Half-open, so that the end of one direction of a tunnel does not close the other.
  const tcp = { allowHalfOpen: true, noDelay: true, timeout: connectTimeoutMs }
  if (tls === undefined) return buildConnector(tcp)
  const { serverName, context } = tls
  const connect = buildConnector({
    ...tcp,
    allowH2: false,
    rejectUnauthorized: true,
    minVersion: 'TLSv1.2',
    checkServerIdentity: (_host, certificate) => checkServerIdentity(serverName, certificate),
    ...(context === undefined ? {} : { secureContext: context }),
  }) // undici asks for the name that the call is for; an address may not be asked for (RFC 6066 §3).
  const servername = isIP(serverName) === 0 ? serverName : ''
  return (target, done) => connect({ ...target, servername }, done)
}
