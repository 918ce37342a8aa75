import type { Socket } from 'node:net'
import type { Due, Sweeper } from '../core/sweeper.ts'

/** Why first bytes never came: the time was up, or the client has ended its side or is gone. */
export type Absence = 'timeout' | 'left'

export interface FirstBytesOptions<T> {
  readonly socket: Socket
  readonly sweeper: Sweeper
  /** Monotonic milliseconds by which `read` must have come to something. */
  readonly dueAt: number
  /** Told all bytes that have come so far; undefined as long as more are needed. */
  readonly read: (bytes: Buffer) => T | undefined
  /** Called once, when nothing of this hangs on the socket any more. What came is the caller's to pass on, see `giveBack`. */
  readonly ended: (outcome: T | Absence, bytes: Buffer) => void
}

const noBytes = Buffer.alloc(0)

/**
 * Reads the first bytes of an accepted connection, before anything dear is made for it. The socket's errors are the caller's
 * business; 'close' follows them.
 */
export function awaitFirstBytes<T>(options: FirstBytesOptions<T>): void {
  options.sweeper.watch(new FirstBytes(options))
}

class FirstBytes<T> implements Due {
  readonly dueAt: number
  readonly #options: FirstBytesOptions<T>
  #bytes: Buffer = noBytes
  readonly #onData = (chunk: Buffer): void => this.#received(chunk)
  readonly #onEnd = (): void => this.#end('left')

  constructor(options: FirstBytesOptions<T>) {
    const { socket, dueAt } = options
    this.#options = options
    this.dueAt = dueAt
    socket.on('data', this.#onData)
    socket.on('end', this.#onEnd)
    socket.on('close', this.#onEnd)
  }

  onDue(): void {
    this.#end('timeout')
  }

  #received(chunk: Buffer): void {
    this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk])
    const outcome = this.#options.read(this.#bytes)
    if (outcome !== undefined) this.#end(outcome)
  }

  #end(outcome: T | Absence): void {
    const { socket, sweeper, ended } = this.#options
    sweeper.unwatch(this)
    socket.off('data', this.#onData)
    socket.off('end', this.#onEnd)
    socket.off('close', this.#onEnd)
    ended(outcome, this.#bytes)
  }
}

/** Makes `socket` as a new one whose first bytes, `rest`, may have come already: its next reader finds them. */
export function giveBack(socket: Socket, rest: Buffer): void {
  socket.pause()
  ;(socket as { readableFlowing: boolean | null }).readableFlowing = null
  if (rest.length > 0) socket.unshift(rest)
}
