import type { Duplex } from 'node:stream'
import type { TunnelEnd } from '../../core/answer.ts'

/** The connection's side of a tunnel. */
export interface TunnelOwner {
  /** Bytes moved, or a direction ended: the time for the next starts anew, `tunnelWaitMs` of it. */
  tunnelMoved(isHalfOpen: boolean): void
  /** Reads on from the service. */
  tunnelReads(): void
  /** Both sides are closed. */
  tunnelOver(): void
}

/**
 * What the other side of a half-open tunnel still gets between bytes. A client that left looks like one that has only
 * nothing more to say, and many services never end their side of a WebSocket.
 */
const halfOpenMs = 1000

/** How long a tunnel may wait for its next bytes. */
export function tunnelWaitMs(idleMs: number, isHalfOpen: boolean): number {
  return isHalfOpen ? Math.min(idleMs, halfOpenMs) : idleMs
}

/**
 * Raw bytes both ways after a switch of protocols, each direction as fast as its reader. The end of one direction is
 * passed on and leaves the other open for as long as it moves; a side that breaks takes the other one with it.
 */
export class ServiceTunnel {
  readonly #service: Duplex
  readonly #owner: TunnelOwner
  #client: Duplex | undefined = undefined
  /** What the service sent before the client's side was there. */
  #early: Buffer[] = []
  #sentBytes = 0
  #receivedBytes = 0
  #serviceEnded = false
  #clientEnded = false
  #serviceGone = false
  #clientGone = false
  #resolve: ((end: TunnelEnd) => void) | undefined = undefined

  constructor(service: Duplex, owner: TunnelOwner) {
    this.#service = service
    this.#owner = owner
  }

  /** Takes the client's side over; see `Tunnel` in core/answer. */
  run(client: Duplex, early: Buffer): Promise<TunnelEnd> {
    this.#client = client
    return new Promise((resolve) => {
      this.#resolve = resolve
      client.on('error', () => {}) // 'close' follows
      client.on('close', () => this.#clientClosed())
      if (client.destroyed || this.#serviceGone) {
        client.destroy()
        this.#clientClosed()
        return
      }
      client.on('drain', () => this.#owner.tunnelReads())
      client.on('end', () => this.#clientSaidAll())
      if (early.length > 0) this.#fromClient(early)
      client.on('data', (chunk: Buffer) => this.#fromClient(chunk))
      let hasRoom = true
      for (const chunk of this.#early) hasRoom = this.#toClient(chunk)
      this.#early = []
      if (this.#serviceEnded) client.end()
      else if (hasRoom) this.#owner.tunnelReads()
      this.#moved()
    })
  }

  /** Bytes of the service, owned by the tunnel from here. False when the client lags and reading should stop. */
  offer(chunk: Buffer): boolean {
    this.#moved()
    if (this.#client !== undefined) return this.#toClient(chunk)
    this.#early.push(chunk)
    return false
  }

  /** The service has sent its last byte. */
  serviceEnded(): void {
    this.#serviceEnded = true
    this.#moved()
    this.#client?.end()
  }

  /** The socket of the service has drained. */
  drained(): void {
    this.#client?.resume()
  }

  /** The connection to the service is closed; `isClean` when both its directions had ended before. */
  serviceClosed(isClean: boolean): void {
    if (this.#serviceGone) return
    this.#serviceGone = true
    // After a clean end the client still reads what is on its way, and closes by itself.
    if (!isClean) this.#client?.destroy()
    if (this.#client === undefined || this.#clientGone) this.#over()
  }

  /** Nobody will run the tunnel, unless somebody does already. */
  giveUp(): void {
    if (this.#client === undefined) this.abort()
  }

  /** Ends both sides at once. */
  abort(): void {
    this.#service.destroy()
    this.#client?.destroy()
  }

  #moved(): void {
    this.#owner.tunnelMoved(this.#clientEnded || this.#serviceEnded)
  }

  #clientSaidAll(): void {
    this.#clientEnded = true
    this.#service.end()
    this.#moved()
  }

  #toClient(chunk: Buffer): boolean {
    this.#sentBytes += chunk.length
    return this.#client!.write(chunk)
  }

  #fromClient(chunk: Buffer): void {
    this.#receivedBytes += chunk.length
    this.#moved()
    if (!this.#service.write(chunk)) this.#client!.pause()
  }

  #clientClosed(): void {
    if (this.#clientGone) return
    this.#clientGone = true
    const client = this.#client!
    const isClean = client.readableEnded && client.writableFinished && !client.errored
    // After a clean end the service still reads what is on its way, for a time.
    if (!isClean) this.#service.destroy()
    if (this.#serviceGone) this.#over()
  }

  #over(): void {
    this.#resolve?.({ sentBytes: this.#sentBytes, receivedBytes: this.#receivedBytes })
    this.#owner.tunnelOver()
  }
}
