import type { Socket } from 'node:net'
import type { Due } from '../../core/sweeper.ts'
import type { ServerWireOptions } from '../server-wire.ts'

/** Who is told that time is up. */
export interface DeadlineOwner {
  /** What was awaited from the client has not come. */
  readOverdue(): void
  /** The client takes nothing of its answer. */
  writeOverdue(): void
}

/** The two deadlines of a connection, for what it awaits from its client and for what it wants to be rid of. */
export class Deadlines implements Due {
  dueAt: number
  readonly #options: ServerWireOptions
  readonly #socket: Socket
  readonly #owner: DeadlineOwner
  #readBy: number
  #writeBy = Infinity
  #unsentBytes = 0

  /** Begins with the time that an idle connection has. */
  constructor(options: ServerWireOptions, socket: Socket, owner: DeadlineOwner) {
    this.#options = options
    this.#socket = socket
    this.#owner = owner
    this.#readBy = this.dueAt = options.clock.monotonic() + options.limits.idleMs
  }

  /** Awaits something from the client for so long; Infinity: nothing is awaited. */
  awaitInput(ms: number): void {
    this.#readBy = ms === Infinity ? Infinity : this.#options.clock.monotonic() + ms
    this.#setDue()
  }

  /** Awaits that the client takes what is unsent; each time it takes something the time starts anew. */
  awaitOutput(): void {
    this.#unsentBytes = this.#unsent()
    this.#writeBy = this.#options.clock.monotonic() + this.#options.limits.writeMs
    this.#setDue()
  }

  outputTaken(): void {
    this.#writeBy = Infinity
    this.#setDue()
  }

  onDue(now: number): void {
    if (now >= this.#writeBy) {
      const unsent = this.#unsent()
      if (unsent < this.#unsentBytes) {
        this.#unsentBytes = unsent
        this.#writeBy = now + this.#options.limits.writeMs
      } else {
        this.#writeBy = Infinity
        this.#owner.writeOverdue()
      }
    }
    if (now >= this.#readBy) {
      this.#readBy = Infinity
      this.#owner.readOverdue()
    }
    this.#setDue()
  }

  /** Bytes the client has not taken: what the kernel refused and what waits behind it. */
  #unsent(): number {
    const handle = (this.#socket as { _handle?: { writeQueueSize?: number } | null })._handle
    return this.#socket.writableLength + (handle?.writeQueueSize ?? 0)
  }

  #setDue(): void {
    this.dueAt = this.#readBy < this.#writeBy ? this.#readBy : this.#writeBy
  }
}
