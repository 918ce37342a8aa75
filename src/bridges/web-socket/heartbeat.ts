import { WebSocket } from 'ws'
import type { Clock } from '../../core/clock.ts'
import type { Due, Sweeper } from '../../core/sweeper.ts'

/** How often a client is pinged. */
export const heartbeatMs = 25_000

/** So many pings without an answer: a slow reader has much to read before it finds the first. */
const maxUnanswered = 2

/**
 * Pings a client, which also keeps the boxes in between from taking a quiet connection for a dead one, and ends the
 * connection of one that says nothing. While its socket is paused nobody can hear it; one that is gone answers the ping by
 * a reset all the same.
 */
export class Heartbeat implements Due {
  dueAt: number
  readonly #socket: WebSocket
  readonly #clock: Clock
  readonly #sweeper: Sweeper
  #unanswered = 0

  constructor(socket: WebSocket, clock: Clock, sweeper: Sweeper) {
    this.#socket = socket
    this.#clock = clock
    this.#sweeper = sweeper
    this.dueAt = clock.monotonic() + heartbeatMs
    const heard = (): void => {
      this.#unanswered = 0
    }
    socket.on('pong', heard)
    socket.on('message', heard)
    sweeper.watch(this)
  }

  onDue(): void {
    this.dueAt = this.#clock.monotonic() + heartbeatMs
    const socket = this.#socket
    if (this.#unanswered === maxUnanswered) socket.terminate()
    else if (socket.readyState === WebSocket.OPEN) {
      this.#unanswered = socket.isPaused ? 0 : this.#unanswered + 1
      socket.ping()
    }
  }

  close(): void {
    this.dueAt = Infinity
    this.#sweeper.unwatch(this)
  }
}
