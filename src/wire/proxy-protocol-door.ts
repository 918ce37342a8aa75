import type { Socket } from 'node:net'
import type { Clock } from '../core/clock.ts'
import type { Log } from '../core/log.ts'
import type { Count, Meter } from '../core/meter.ts'
import type { Sweeper } from '../core/sweeper.ts'
import { canonicalAddress } from '../lib/address.ts'
import type { Peer } from './connection-facts.ts'
import { awaitFirstBytes, giveBack } from './first-bytes.ts'
import { readProxyHeader } from './proxy-protocol.ts'
import type { ProxyHeader } from './proxy-protocol.ts'

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
  readonly #pending = new Set<Socket>()
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
    this.#pending.add(socket)
    awaitFirstBytes<ProxyHeader | 'malformed'>({
      socket,
      sweeper,
      dueAt: clock.monotonic() + headerMs,
      read: headerIn,
      ended: (header, bytes) => {
        this.#pending.delete(socket)
        if (typeof header === 'string') return fail(header)
        const { length, source } = header
        giveBack(socket, bytes.subarray(length))
        return passed(source === undefined ? undefined : { remoteAddress: source.address, remotePort: source.port })
      },
    })
    return undefined
  }

  /** Closes the connections whose header is still waited for. */
  close(): void {
    for (const socket of this.#pending) socket.destroy()
  }
}

function headerIn(bytes: Buffer): ProxyHeader | 'malformed' | undefined {
  const header = readProxyHeader(bytes)
  return header === 'more' ? undefined : header
}

function ignore(): void {}
