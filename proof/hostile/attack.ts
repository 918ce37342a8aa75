import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { ConnectionOptions, TLSSocket } from 'node:tls'
import type { Target } from './target.ts'
import { attackingAddress } from './target.ts'

/** One way to harm a gateway. */
export interface Attack {
  readonly name: string
  /** What it does, for the table. */
  readonly does: string
  /** The unit of its count. */
  readonly unit: string
  /** MiB that the gateway's memory may have grown by when it is over; default: 48. */
  readonly maxGrowthMib?: number
  /** Programs it needs; without them it is left out, which is said. */
  readonly needs?: string
  /** Once, before anything is measured. */
  prepare?(field: Field): unknown
  /** Begins the attack; it goes on until the field is cleared. Called anew for each window. */
  begin(field: Field): unknown
}

/** What may wait in a connection that the gateway does not read. */
const mostUnsentBytes = 1_000_000

/** The side of the attackers: sockets, paces, counts. Cleared after each window. */
export class Field {
  readonly target: Target
  /** Units of the attack done so far. */
  count = 0
  /** Connections that the gateway ended. */
  cutOff = 0
  isOver = false
  readonly #sockets = new Set<Socket>()
  #steps: (() => void)[] = []
  #from = 0

  constructor(target: Target) {
    this.target = target
  }

  /** A plain connection, from the attacker's usual address or another. Its errors are of no interest. */
  open(from = 0, port = this.target.plainPort): Socket {
    return this.#keep(connect({ port, host: '127.0.0.1', localAddress: attackingAddress(from), noDelay: true }))
  }

  /** The same with TLS; resumes nothing. */
  openTls(from = 0, options: ConnectionOptions = {}): TLSSocket {
    const common = { servername: 'localhost', rejectUnauthorized: false, ...options }
    const socket = this.open(from, this.target.tlsPort)
    const secured = connectTls({ socket, ...common })
    secured.on('error', ignore)
    secured.once('close', () => socket.destroy())
    return secured
  }

  /** The next of `many` addresses. */
  nextAddress(many: number): number {
    return 1 + (this.#from++ % many)
  }

  /** Does `step` so often a second, evenly, until the field is cleared. */
  every(perSecond: number, step: () => void): void {
    const began = performance.now()
    let done = 0
    const timer = setInterval(() => {
      // What a busy machine kept it from doing is not made up for beyond a tenth of a second.
      const due = ((performance.now() - began) / 1000) * perSecond
      done = Math.max(done, due - perSecond / 10)
      for (; done < due && !this.isOver; done++) step()
    }, 5)
    this.#steps.push(() => clearInterval(timer))
  }

  /** Keeps `many` of what `make` opens, and opens another for each that ends. */
  hold(many: number, make: (index: number) => Socket, perSecond = 400): void {
    const missing: number[] = Array.from({ length: many }, (_, i) => i)
    this.every(perSecond, () => {
      const index = missing.pop()
      if (index === undefined) return
      make(index).once('close', () => {
        if (!this.isOver) missing.push(index)
      })
    })
  }

  /**
   * Keeps `many` connections and gives them in turn, as far as they are ready and take more. `make` calls `ready` when
   * its connection is; by default they are plain ones from 50 addresses whose answers are passed over.
   */
  rotation(many: number, make = (ready: () => void): Socket => this.#reading(ready)): () => Socket | undefined {
    const open: Socket[] = []
    this.hold(many, () => {
      const socket: Socket = make(() => void open.push(socket))
      socket.once('close', () => {
        const at = open.indexOf(socket)
        if (at !== -1) open.splice(at, 1)
      })
      return socket
    })
    let turn = 0
    return () => {
      const socket = open[turn++ % Math.max(1, open.length)] as Socket | undefined
      return socket === undefined || socket.destroyed || socket.writableLength > mostUnsentBytes ? undefined : socket
    }
  }

  /** Writes what `text` gives (latin1) to connections of a rotation in turn, so often a second; each counts as one. */
  writeInTurn(perSecond: number, connections: number, text: (socket: Socket) => string): void {
    const next = this.rotation(connections)
    this.every(perSecond, () => {
      const socket = next()
      if (socket === undefined) return
      socket.write(text(socket), 'latin1')
      this.count++
    })
  }

  /** Calls `step` when the field is cleared. */
  whenCleared(step: () => void): void {
    this.#steps.push(step)
  }

  clear(): void {
    this.isOver = true
    for (const step of this.#steps) step()
    for (const socket of this.#sockets) socket.destroy()
  }

  #reading(ready: () => void): Socket {
    const socket = this.open(this.nextAddress(50))
    socket.once('connect', ready)
    socket.resume()
    return socket
  }

  #keep(socket: Socket): Socket {
    this.#sockets.add(socket)
    socket.on('error', ignore)
    socket.once('close', () => {
      this.#sockets.delete(socket)
      if (!this.isOver) this.cutOff++
    })
    return socket
  }
}

function ignore(): void {}
