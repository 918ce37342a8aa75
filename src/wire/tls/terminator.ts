import { constants, createHash } from 'node:crypto'
import type { Socket } from 'node:net'
import { createSecureContext, createServer } from 'node:tls'
import type { SecureContext, SecureContextOptions, TLSSocket } from 'node:tls'
import type { Clock } from '../../core/clock.ts'
import type { Count, Meter } from '../../core/meter.ts'
import type { Due, Sweeper } from '../../core/sweeper.ts'
import { stableJson } from '../../lib/stable-json.ts'
import type { Peer } from '../connection-facts.ts'
import { HelloDoor } from './hello-door.ts'
import { ServerNames, hostOf } from './server-names.ts'
import { isRevokedBy } from './revocation-list.ts'
import type { ClientsMaterial, RevokedCertificates, TlsMaterial } from './tls-spec.ts'

// AEAD with forward secrecy only; 128-bit AES first, since it is the cheapest on every server of today.
const ciphers = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
].join(':')

/** Why a handshake failed; the values of the metric's label `reason`. */
export const handshakeFailures = ['timeout', 'left', 'not-tls', 'no-agreement', 'other'] as const
export type HandshakeFailure = (typeof handshakeFailures)[number]

export interface TlsTerminatorOptions {
  /** The listener's name; connections of one listener resume on every worker and node that shares the ticket keys. */
  readonly listener: string
  readonly material: TlsMaterial
  /** 48 bytes that main distributes and rotates; see `createTicketKeys`. */
  readonly ticketKeys: Uint8Array
  /** What is offered by ALPN, the best first. */
  readonly protocols: readonly ('h2' | 'http/1.1')[]
  /** From the accepted connection to the end of the handshake. */
  readonly handshakeMs: number
  readonly clock: Clock
  readonly sweeper: Sweeper
  readonly meter: Meter
  /** Takes a handshaken socket over, with what was said of its peer; errors and its end are the taker's business from here. */
  secured(socket: TLSSocket, peer: Peer | undefined): void
}

/**
 * Turns accepted connections into handshaken ones. Nothing of TLS is made before a whole ClientHello has come, and only a few
 * handshakes begin in each turn of the event loop. A failed one is counted and never an error of ours.
 */
export interface TlsTerminator {
  /** Takes a connection over of which nothing was read; `peer` as in `ServerWire.accept`. */
  accept(socket: Socket, peer?: Peer): void
  /** New handshakes get these certificates; open connections keep theirs. Throws, changing nothing, when one is unusable. */
  update(material: TlsMaterial): void
  /** Tickets are made and read with these from now on; what was made with earlier ones means a full handshake. */
  setTicketKeys(keys: Uint8Array): void
  /**
   * Whether a request for `authority` belongs on a connection whose handshake asked for `serverName`. False only when
   * another certificate of this listener is the one for that host: then 421 (RFC 9110 §15.5.20).
   */
  serves(serverName: string | undefined, authority: string): boolean
  /** Takes over the watch of connections that an earlier terminator let in; ends those that are revoked by now. */
  inherit(before: TlsTerminator): void
  /** Handshakes under way. */
  readonly pending: number
  /** Ends what is waited for, and what still becomes handshaken; connections already handed over are not touched. */
  close(): void
}

/** See `TlsTerminator`. Throws when a certificate of the material is unusable. */
export function createTlsTerminator(options: TlsTerminatorOptions): TlsTerminator {
  return new Terminator(options)
}

/** A handshake under way, until it is done, has failed or its time is up. */
interface Handshake extends Due {
  readonly peer: Peer | undefined
  /** Ends this one's deadline, and nobody else's: its place may be another's by now. */
  over(): void
}

interface Chosen {
  readonly names: ServerNames
  readonly contexts: readonly SecureContext[]
}

class Terminator implements TlsTerminator {
  readonly #server: ReturnType<typeof createServer>
  readonly #listener: string
  readonly #failures: Readonly<Record<HandshakeFailure, Count>>
  /** By the ends of their connections: all that a TLS socket has in common with the one below. */
  readonly #handshakes = new Map<string, Handshake>()
  readonly #door: HelloDoor
  readonly #clock: Clock
  readonly #sweeper: Sweeper
  readonly #handshakeMs: number
  /** Those that were ended because their time was up, and whose end has not been reported yet. */
  #overdue = 0
  #isClosed = false
  #ticketKeys: Buffer
  #chosen: Chosen
  /** Open connections of clients with a certificate. */
  readonly #certified = new Set<TLSSocket>()
  #revoked: readonly RevokedCertificates[]

  constructor(options: TlsTerminatorOptions) {
    const { listener, meter, material, clock, sweeper, handshakeMs } = options
    const help = 'TLS handshakes'
    const full = meter.counter('velum_tls_handshakes_total', help, { listener, resumed: 'no' })
    const resumed = meter.counter('velum_tls_handshakes_total', help, { listener, resumed: 'yes' })
    this.#failures = failureCounts(meter, listener)
    this.#clock = clock
    this.#sweeper = sweeper
    this.#handshakeMs = handshakeMs
    this.#door = new HelloDoor({ clock, sweeper, failed: (reason) => this.#failures[reason].add() })
    this.#listener = listener
    this.#ticketKeys = Buffer.from(options.ticketKeys)
    this.#chosen = chosenOf(material)
    this.#revoked = material.clients?.revoked ?? []
    // Never listens: connections are accepted elsewhere, where rates and the PROXY protocol come before TLS costs anything.
    this.#server = createServer({
      ...contextOptions(material, 0),
      ticketKeys: this.#ticketKeys,
      sessionIdContext: sessionIdContext(listener, material),
      requestCert: material.clients !== undefined,
      // In TLS 1.3 a refused client learns of it only after its handshake; either way nobody gets past this.
      rejectUnauthorized: material.clients?.mode === 'required',
      ALPNProtocols: [...options.protocols],
      SNICallback: (name, found) => found(null, this.#contextFor(name)),
    })
    this.#server.on('secureConnection', (socket) => {
      const handshake = this.#handshakes.get(placeOf(socket))
      handshake?.over()
      // From here on a client may end its side and wait for its answer.
      socket.allowHalfOpen = true
      ;(socket.isSessionReused() ? resumed : full).add()
      // One that has lost its place was reset meanwhile: nobody could say any more for whom it stands.
      if (handshake === undefined || this.#isClosed || !isAcceptable(socket, material)) {
        socket.destroy()
        return
      }
      if (material.clients !== undefined && socket.authorized) this.#watch(socket)
      options.secured(socket, handshake.peer)
    })
    this.#server.on('tlsClientError', (error, socket) => {
      const failure = failureOf(error)
      const isOverdue = failure === 'left' && this.#overdue > 0
      if (isOverdue) this.#overdue--
      this.#failures[isOverdue ? 'timeout' : failure].add()
      socket.destroy()
    })
  }

  get pending(): number {
    return this.#door.pending + this.#handshakes.size
  }

  accept(socket: Socket, peer?: Peer): void {
    if (socket.destroyed) return
    // Nobody finishes a handshake after saying that nothing more will come: such a client has left, now and not later.
    socket.allowHalfOpen = false
    const dueAt = this.#clock.monotonic() + this.#handshakeMs
    this.#door.receive(socket, dueAt, () => this.#begin(socket, dueAt, peer))
  }

  update(material: TlsMaterial): void {
    const chosen = chosenOf(material)
    this.#server.setSecureContext({
      ...contextOptions(material, 0),
      ticketKeys: this.#ticketKeys,
      sessionIdContext: sessionIdContext(this.#listener, material),
    })
    this.#chosen = chosen
    this.#revoked = material.clients?.revoked ?? []
    for (const socket of this.#certified) endIfRevoked(socket, this.#revoked)
  }

  inherit(before: TlsTerminator): void {
    if (before === this || !(before instanceof Terminator)) return
    for (const socket of before.#certified) {
      this.#watch(socket)
      endIfRevoked(socket, this.#revoked)
    }
    before.#certified.clear()
  }

  setTicketKeys(keys: Uint8Array): void {
    this.#ticketKeys = Buffer.from(keys)
    this.#server.setTicketKeys(this.#ticketKeys)
  }

  serves(serverName: string | undefined, authority: string): boolean {
    const { names, contexts } = this.#chosen
    // Without SNI nothing was named, so nothing is contradicted.
    if (serverName === undefined || contexts.length <= 1) return true
    // The usual case: the same name, with or without a port.
    if (authority.startsWith(serverName)) {
      if (authority.length === serverName.length || authority.charCodeAt(serverName.length) === 58) return true
    }
    const host = hostOf(authority)
    const onThis = Math.max(0, names.find(serverName.toLowerCase()))
    return onThis === Math.max(0, names.find(host)) || names.covers(onThis, host)
  }

  close(): void {
    this.#isClosed = true
    this.#door.close()
  }

  #begin(socket: Socket, dueAt: number, peer: Peer | undefined): void {
    if (socket.remoteAddress === undefined) {
      // Reset meanwhile: it has no place that would tell it from others.
      this.#failures.left.add()
      socket.destroy()
      return
    }
    const place = placeOf(socket)
    const over = (): void => {
      this.#sweeper.unwatch(handshake)
      if (this.#handshakes.get(place) === handshake) this.#handshakes.delete(place)
    }
    const onDue = (): void => {
      over()
      this.#overdue++
      socket.destroy()
    }
    const handshake: Handshake = { peer, dueAt, onDue, over }
    this.#handshakes.set(place, handshake)
    this.#sweeper.watch(handshake)
    socket.once('close', over)
    this.#server.emit('connection', socket)
  }

  #watch(socket: TLSSocket): void {
    this.#certified.add(socket)
    socket.once('close', () => void this.#certified.delete(socket))
  }

  #contextFor(name: string): SecureContext | undefined {
    const { names, contexts } = this.#chosen
    const index = names.find(name.toLowerCase())
    return index === -1 ? undefined : contexts[index]
  }
}

/**
 * The same on all threads and nodes; Node's own default would differ with the command line. Who was let in under other
 * rules for client certificates does not resume.
 */
function sessionIdContext(listener: string, { clients }: TlsMaterial): string {
  const rules = clients === undefined ? '' : ` ${stableJson(clients)}`
  return createHash('sha256').update(`velum ${listener}${rules}`).digest('hex').slice(0, 32)
}

function placeOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`
}

/** Optional means that a client may have no certificate, not that it may have a bad one. */
function isAcceptable(socket: TLSSocket, { clients }: TlsMaterial): boolean {
  if (clients === undefined || socket.authorized) return true
  return clients.mode === 'optional' && Object.keys(socket.getPeerCertificate()).length === 0
}

/** What was given by a certificate ends with it, answers that go on included. */
function endIfRevoked(socket: TLSSocket, revoked: readonly RevokedCertificates[]): void {
  const certificate = revoked.length === 0 ? undefined : socket.getPeerX509Certificate()
  if (certificate !== undefined && isRevokedBy(revoked, certificate)) socket.destroy()
}

function chosenOf(material: TlsMaterial): Chosen {
  return {
    names: new ServerNames(material.certificates.map((certificate) => certificate.names)),
    contexts: material.certificates.map((_, index) => createSecureContext(contextOptions(material, index))),
  }
}

function contextOptions(material: TlsMaterial, index: number): SecureContextOptions {
  // With none at all the handshake finds nothing to agree on, and fails.
  const certificate = material.certificates.at(index)
  return {
    ...(certificate === undefined ? {} : { cert: certificate.cert, key: certificate.key }),
    ciphers,
    minVersion: material.minVersion,
    honorCipherOrder: true,
    ...(material.clients === undefined ? {} : { ca: material.clients.ca, ...crlOf(material.clients) }),
    // Renegotiation is a way to make a server work for nothing; a phone without AES hardware gets ChaCha20 first.
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION | constants.SSL_OP_PRIORITIZE_CHACHA,
  }
}

function crlOf({ crl = [] }: ClientsMaterial): { crl?: string[] } {
  return crl.length === 0 ? {} : { crl: [...crl] }
}

function failureCounts(meter: Meter, listener: string): Readonly<Record<HandshakeFailure, Count>> {
  const counts = {} as Record<HandshakeFailure, Count>
  for (const reason of handshakeFailures) {
    counts[reason] = meter.counter('velum_tls_handshake_failures_total', 'TLS handshakes that failed', { listener, reason })
  }
  return counts
}

const agreementErrors = /NO_SHARED|UNSUPPORTED_PROTOCOL|VERSION_TOO_LOW|NO_APPLICATION_PROTOCOL|NO_SUITABLE|UNKNOWN_PROTOCOL/

/** The kind of a handshake's failure; a client's alert after the certificate (it does not trust us) is `other`. */
export function failureOf(error: Error): HandshakeFailure {
  const code = (error as NodeJS.ErrnoException).code ?? ''
  if (code === 'ERR_TLS_HANDSHAKE_TIMEOUT') return 'timeout'
  if (code === 'ECONNRESET' || code === 'EPIPE' || code === 'ECONNABORTED') return 'left'
  if (code === 'ERR_SSL_HTTP_REQUEST' || code === 'ERR_SSL_WRONG_VERSION_NUMBER' || code === 'ERR_SSL_PACKET_LENGTH_TOO_LONG') {
    return 'not-tls'
  }
  return agreementErrors.test(code) ? 'no-agreement' : 'other'
}
