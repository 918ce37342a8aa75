import { WebSocket } from 'ws'
import type { Clock } from '../../core/clock.ts'
import type { Due, Sweeper } from '../../core/sweeper.ts'

/** How often a client is pinged, and how long it has to answer. */
export const heartbeatMs = 25_000

/**
 * Pings a client, which also keeps the boxes in between from taking a quiet connection for a dead one, and ends the
 * connection of one that said nothing until the next ping. While its socket is paused nobody can hear it.
 */
export class Heartbeat implements Due {
  dueAt: number
  readonly #socket: WebSocket
  readonly #clock: Clock
  readonly #sweeper: Sweeper
  #isAwaited = false

  constructor(socket: WebSocket, clock: Clock, sweeper: Sweeper) {
    this.#socket = socket
    this.#clock = clock
    this.#sweeper = sweeper
    this.dueAt = clock.monotonic() + heartbeatMs
    const heard = (): void => {
      this.#isAwaited = false
    }
    socket.on('pong', heard)
    socket.on('message', heard)
    sweeper.watch(this)
  }

  onDue(): void {
    this.dueAt = this.#clock.monotonic() + heartbeatMs
    const socket = this.#socket
    if (socket.isPaused) this.#isAwaited = false
    else if (this.#isAwaited) socket.terminate()
    else if (socket.readyState === WebSocket.OPEN) {
      this.#isAwaited = true
      socket.ping()
    }
  }

  close(): void {
    this.dueAt = Infinity
    this.#sweeper.unwatch(this)
  }
}
