import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { Clock } from '../core/clock.ts'
import type { Charge } from '../core/counters.ts'
import type { Log } from '../core/log.ts'
import type { Count, Meter } from '../core/meter.ts'
import { addressKey, canonicalAddress } from '../lib/address.ts'
import type { EdgeBounds, EdgeReason } from '../limits/edge-limits.ts'
import { edgeLimits, edgeReasons } from '../limits/edge-limits.ts'
import type { LimitTable, LocalCounters } from '../limits/limit-table.ts'

export interface EdgeGateOptions {
  readonly listener: string
  readonly bounds: EdgeBounds
  /** Handshakes happen here. */
  readonly isTls: boolean
  /** Addresses that are not bounded: proxies, behind which many clients share one. */
  readonly isExempt: (address: string) => boolean
  readonly table: LimitTable
  readonly clock: Clock
  readonly meter: Meter
  readonly log: Log
}

/** The peer of a connection as it is counted: canonical, '' once the socket has died. */
export function peerAddress(socket: Socket): string {
  return canonicalAddress(socket.remoteAddress ?? '') ?? ''
}

/** How often closed connections are told in the log, and for how many addresses each time. */
const reportEveryMs = 10_000
const reportedAddresses = 16
/** How soon an end is counted again that could not be counted. */
const againMs = 100

interface Closed {
  readonly reason: EdgeReason
  connections: number
}

/**
 * Who may connect: decides when a connection comes, before TLS costs anything, exactly over all workers of the node. A
 * connection is counted until its socket closes, or its worker dies. What is refused takes nothing.
 */
export class EdgeGate {
  readonly #options: EdgeGateOptions
  readonly #counters: LocalCounters
  readonly #limits: readonly { readonly name: string; readonly reason: EdgeReason }[]
  /** The limit that is held while a connection is open, and the one that a resumed handshake gets back. */
  readonly #held: string | undefined
  readonly #handshakes: string | undefined
  readonly #closed: ReadonlyMap<EdgeReason, Count>
  readonly #uncounted: Count
  readonly #reports = new Map<string, Closed>()
  #others = 0

  constructor(options: EdgeGateOptions) {
    const { listener, bounds, table, meter, isTls } = options
    const limits = edgeLimits(listener, isTls ? bounds : { ...bounds, handshakeRate: undefined })
    const named = (wanted: EdgeReason): string | undefined => limits.find(({ reason }) => reason === wanted)?.spec.name
    this.#options = options
    this.#counters = table.open(limits.map(({ spec }) => spec))
    this.#limits = limits.map(({ reason, spec }) => ({ name: spec.name, reason }))
    this.#held = named(edgeReasons.connectionsPerAddress)
    this.#handshakes = named(edgeReasons.handshakeRate)
    const help = 'Connections closed at the edge, before TLS, by reason.'
    const count = (reason: EdgeReason): Count => meter.counter('velum_connections_refused_total', help, { listener, reason })
    this.#closed = new Map(limits.map(({ reason }) => [reason, count(reason)]))
    this.#uncounted = meter.counter(
      'velum_connections_uncounted_total',
      'Connections accepted although the table of addresses could not count them.',
      { listener },
    )
  }

  /**
   * Whether a connection of `address` may go on; if so it is counted until `socket` closes, which must not have happened
   * yet. The address is the one known before TLS: the peer's, or what a trusted proxy said of it.
   */
  admits(address: string, socket: Socket): boolean {
    if (this.#limits.length === 0 || this.#options.isExempt(address)) return true
    const key = addressKey(address)
    const charges = this.#limits.map(({ name }): Charge => ({ limit: name, key, cost: 1 }))
    let refusedBy: number
    try {
      ;({ refusedBy } = this.#counters.charge(charges))
    } catch {
      // More addresses at one time than there is room for: the listener's own bound on connections still holds.
      this.#uncounted.add()
      return true
    }
    if (refusedBy !== -1) {
      this.#note(key, this.#limits[refusedBy].reason)
      return false
    }
    const limit = this.#held
    if (limit !== undefined) socket.once('close', () => this.#giveBack({ limit, key, cost: 1 }))
    return true
  }

  /** A handshake is done: a resumed one costs little and does not count. */
  handshaken(address: string, socket: TLSSocket): void {
    const limit = this.#handshakes
    if (limit === undefined || !socket.isSessionReused() || this.#options.isExempt(address)) return
    this.#giveBack({ limit, key: addressKey(address), cost: 1 })
  }

  /** Never given up: a place that is not given back would be lost for as long as the worker lives. */
  #giveBack(charge: Charge): void {
    try {
      this.#counters.credit([charge])
    } catch {
      this.#options.clock.after(againMs, () => this.#giveBack(charge))
    }
  }

  #note(address: string, reason: EdgeReason): void {
    this.#closed.get(reason)!.add()
    if (this.#reports.size === 0 && this.#others === 0) this.#options.clock.after(reportEveryMs, () => this.#report())
    const known = this.#reports.get(address)
    if (known !== undefined) known.connections++
    else if (this.#reports.size < reportedAddresses) this.#reports.set(address, { reason, connections: 1 })
    else this.#others++
  }

  #report(): void {
    const { log, listener } = this.#options
    for (const [address, { reason, connections }] of this.#reports) {
      log.warn('connections were closed at the edge', { label: `edge:${reason}`, listener, address, connections })
    }
    if (this.#others > 0)
      log.warn('connections of further addresses were closed at the edge', { listener, connections: this.#others })
    this.#reports.clear()
    this.#others = 0
  }
}
