import type { Socket } from 'node:net'
import type { PeerCertificate } from 'node:tls'
import { TLSSocket } from 'node:tls'
import type { Connection, TlsFacts } from '../core/exchange.ts'

/** Who is at the other end, where something in front knows better than the socket (the PROXY protocol). */
export interface Peer {
  /** In canonical text. */
  readonly remoteAddress: string
  readonly remotePort: number
}

/** What the socket tells of its peer, taken while it is open. */
export function connectionFacts(socket: Socket, listener: string, peer?: Peer): Connection {
  return {
    listener,
    remoteAddress: peer?.remoteAddress ?? canonical(socket.remoteAddress ?? ''),
    remotePort: peer?.remotePort ?? socket.remotePort ?? 0,
    localPort: socket.localPort ?? 0,
    tls: socket instanceof TLSSocket ? new SocketTls(socket) : undefined,
  }
}

/** A dual-stack socket shows IPv4 peers as mapped IPv6 addresses; rules and logs know one spelling. */
function canonical(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address
}

class SocketTls implements TlsFacts {
  readonly #socket: TLSSocket
  // Both stand in lines and decisions of every request, and never change.
  #protocol: string | undefined
  #serverName: string | undefined | null = null
  /** Null until somebody asks: making the object costs more than the rest of a request. It never changes. */
  #certificate: PeerCertificate | undefined | null = null

  constructor(socket: TLSSocket) {
    this.#socket = socket
  }

  get protocol(): string {
    return (this.#protocol ??= this.#socket.getProtocol() ?? '')
  }

  get cipher(): string {
    return this.#socket.getCipher()?.name ?? ''
  }

  get serverName(): string | undefined {
    if (this.#serverName !== null) return this.#serverName
    const name: unknown = (this.#socket as { servername?: unknown }).servername
    return (this.#serverName = typeof name === 'string' && name !== '' ? name.toLowerCase() : undefined)
  }

  clientCertificate(): PeerCertificate | undefined {
    if (this.#certificate !== null) return this.#certificate
    const certificate = this.#socket.authorized ? this.#socket.getPeerCertificate() : undefined
    this.#certificate = certificate === undefined || Object.keys(certificate).length === 0 ? undefined : certificate
    return this.#certificate
  }
}
