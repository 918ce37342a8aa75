import type { Socket } from 'node:net'
import type { Clock } from '../../core/clock.ts'
import type { Sweeper } from '../../core/sweeper.ts'
import { awaitFirstBytes, giveBack } from '../first-bytes.ts'
import type { HelloReading } from './client-hello.ts'
import { readClientHello } from './client-hello.ts'
import { paceHandshake } from './handshake-pace.ts'

export interface HelloDoorOptions {
  readonly clock: Clock
  readonly sweeper: Sweeper
  /** A connection was closed for want of a ClientHello. */
  readonly failed: (reason: 'timeout' | 'left' | 'not-tls') => void
}

/** What a person sees who has typed http:// for https://; a client of anything else would not understand it. */
const problem = '{"title":"Bad Request","status":400,"detail":"This port speaks TLS: use https://"}'
const httpAnswer = [
  'HTTP/1.1 400 Bad Request',
  'Content-Type: application/problem+json',
  `Content-Length: ${problem.length}`,
  'Connection: close',
  '',
  problem,
].join('\r\n')

/**
 * Takes accepted connections until a whole ClientHello has come: one that begins a handshake and never goes on costs no more
 * than its socket, and less memory than OpenSSL's state of a handshake by a factor of a hundred.
 */
export class HelloDoor {
  readonly #options: HelloDoorOptions
  readonly #waiting = new Set<Socket>()
  /** Refused ones that may still read why. */
  readonly #told = new Set<Socket>()

  constructor(options: HelloDoorOptions) {
    this.#options = options
  }

  /** Connections whose hello has not come, or whose handshake waits for its turn. */
  get pending(): number {
    return this.#waiting.size
  }

  /** `begin` is called once, with the socket as a new one whose first bytes have come, unless it has died before. */
  receive(socket: Socket, dueAt: number, begin: () => void): void {
    const { sweeper, failed } = this.#options
    socket.on('error', ignore) // 'close' follows
    this.#waiting.add(socket)
    awaitFirstBytes<HelloReading>({
      socket,
      sweeper,
      dueAt,
      read: readClientHello,
      ended: (outcome, bytes) => {
        if (outcome === 'hello') {
          giveBack(socket, bytes)
          return paceHandshake(() => this.#go(socket, dueAt, begin))
        }
        this.#waiting.delete(socket)
        failed(outcome === 'http' ? 'not-tls' : outcome)
        if (outcome === 'http') this.#tell(socket, dueAt)
        else socket.destroy()
        return undefined
      },
    })
  }

  /** Closes what has not begun a handshake. */
  close(): void {
    for (const socket of [...this.#waiting, ...this.#told]) socket.destroy()
  }

  #go(socket: Socket, dueAt: number, begin: () => void): void {
    this.#waiting.delete(socket)
    if (!socket.destroyed && this.#options.clock.monotonic() < dueAt) return begin()
    this.#options.failed(socket.destroyed ? 'left' : 'timeout')
    socket.destroy()
    return undefined
  }

  /** The client reads the answer and ends its side, or does not until its time is up. */
  #tell(socket: Socket, dueAt: number): void {
    const { sweeper } = this.#options
    const overdue = { dueAt, onDue: () => void socket.destroy() }
    sweeper.watch(overdue)
    this.#told.add(socket)
    socket.once('close', () => {
      sweeper.unwatch(overdue)
      this.#told.delete(socket)
    })
    socket.end(httpAnswer)
  }
}

function ignore(): void {}
