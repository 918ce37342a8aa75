import type { Socket } from 'node:net'
import type { Clock } from '../core/clock.ts'
import type { Log } from '../core/log.ts'
import type { Count, Meter } from '../core/meter.ts'
import type { Due, Sweeper } from '../core/sweeper.ts'
import { canonicalAddress } from '../lib/address.ts'
import type { Peer } from './connection-facts.ts'
import { readProxyHeader } from './proxy-protocol.ts'

/** Why a connection was closed instead of being passed on; the values of the metric's label `reason`. */
const failures = ['malformed', 'timeout', 'left', 'untrusted', 'overloaded'] as const
type Failure = (typeof failures)[number]

export interface ProxyDoorOptions {
  readonly listener: string
  /** Whether a proxy of this address may say who its clients are. */
  readonly isTrusted: (address: string) => boolean
  /** From the accepted connection to the end of the header. */
  readonly headerMs: number
  /** Headers that are waited for at a time. */
  readonly maxPending: number
  readonly clock: Clock
  readonly sweeper: Sweeper
  readonly meter: Meter
  readonly log: Log
}

/**
 * Takes accepted connections that begin with the header of the PROXY protocol, and hands them on as if the header had
 * never been there. One without a whole and valid header is closed without a word.
 */
export class ProxyDoor {
  readonly #options: ProxyDoorOptions
  readonly #failures: Readonly<Record<Failure, Count>>
  readonly #pending = new Set<PendingHeader>()
  #hasTold = false

  constructor(options: ProxyDoorOptions) {
    const { listener, meter } = options
    this.#options = options
    this.#failures = Object.fromEntries(
      failures.map((reason) => [
        reason,
        meter.counter('velum_proxy_protocol_failures_total', 'Connections closed for want of a header of the PROXY protocol.', {
          listener,
          reason,
        }),
      ]),
    ) as Record<Failure, Count>
  }

  get pending(): number {
    return this.#pending.size
  }

  /** `passed` gets the peer that the header names; undefined where it names none, so that it is the proxy itself. */
  receive(socket: Socket, passed: (peer: Peer | undefined) => void): void {
    const { listener, isTrusted, maxPending, headerMs, clock, sweeper, log } = this.#options
    const fail = (reason: Failure): void => {
      this.#failures[reason].add()
      socket.destroy()
    }
    socket.on('error', ignore) // 'close' follows
    if (socket.destroyed) return fail('left')
    const address = canonicalAddress(socket.remoteAddress ?? '') ?? ''
    if (!isTrusted(address)) {
      if (!this.#hasTold)
        log.warn('a connection was closed that came from none of trustedProxies; further ones are only counted', {
          listener,
          address,
        })
      this.#hasTold = true
      return fail('untrusted')
    }
    if (this.#pending.size >= maxPending) return fail('overloaded')
    const pending = new PendingHeader(socket, clock.monotonic() + headerMs, (failure, peer) => {
      this.#pending.delete(pending)
      sweeper.unwatch(pending)
      if (failure === undefined) passed(peer)
      else fail(failure)
    })
    this.#pending.add(pending)
    sweeper.watch(pending)
    return undefined
  }

  /** Closes the connections whose header is still waited for. */
  close(): void {
    for (const pending of this.#pending) pending.socket.destroy()
  }
}

type Ended = (failure: Failure | undefined, peer: Peer | undefined) => void

class PendingHeader implements Due {
  readonly socket: Socket
  readonly dueAt: number
  readonly #ended: Ended
  #bytes: Buffer | undefined
  readonly #onData = (chunk: Buffer): void => this.#received(chunk)
  readonly #onEnd = (): void => this.#end('left', undefined)

  constructor(socket: Socket, dueAt: number, ended: Ended) {
    this.socket = socket
    this.dueAt = dueAt
    this.#ended = ended
    socket.on('data', this.#onData)
    socket.on('end', this.#onEnd)
    socket.on('close', this.#onEnd)
  }

  onDue(): void {
    this.#end('timeout', undefined)
  }

  #received(chunk: Buffer): void {
    this.#bytes = this.#bytes === undefined ? chunk : Buffer.concat([this.#bytes, chunk])
    const header = readProxyHeader(this.#bytes)
    if (header === 'more') return
    if (header === 'malformed') return this.#end('malformed', undefined)
    const { length, source } = header
    const rest = this.#bytes.subarray(length)
    this.#leave()
    // As a new socket, whose first bytes may have come already: its next reader finds them.
    this.socket.pause()
    ;(this.socket as { readableFlowing: boolean | null }).readableFlowing = null
    if (rest.length > 0) this.socket.unshift(rest)
    return this.#ended(undefined, source === undefined ? undefined : { remoteAddress: source.address, remotePort: source.port })
  }

  #end(failure: Failure, peer: undefined): void {
    this.#leave()
    this.#ended(failure, peer)
  }

  #leave(): void {
    this.socket.off('data', this.#onData)
    this.socket.off('end', this.#onEnd)
    this.socket.off('close', this.#onEnd)
  }
}

function ignore(): void {}
