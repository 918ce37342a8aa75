import type { Clock } from '../core/clock.ts'
import type { Link } from '../core/link.ts'
import type { Log } from '../core/log.ts'
import { topics } from './link-messages.ts'
import type { Direct } from './link-messages.ts'
import type { RedisCalls } from './redis/redis-stores.ts'

/** A worker's own connection, once main says that there may be one and it is there. */
export class DirectCalls {
  /** What to call instead of main; undefined while there is nothing, or until the connection was up for the first time. */
  calls: RedisCalls | undefined
  readonly #link: Link
  readonly #clock: Clock
  readonly #log: Log
  #state: 'unknown' | 'asking' | 'known' = 'unknown'
  #opened: RedisCalls | undefined
  #isClosed = false

  constructor(link: Link, clock: Clock, log: Log) {
    this.#link = link
    this.#clock = clock
    this.#log = log
  }

  /** Asks main as long as it has not answered, and looks whether the connection is up. */
  look(): void {
    if (this.#opened?.isUp === true) this.calls = this.#opened
    if (this.#state === 'unknown' && !this.#isClosed) void this.#ask()
  }

  close(): void {
    this.#isClosed = true
    this.#opened?.close()
  }

  async #ask(): Promise<void> {
    this.#state = 'asking'
    try {
      const direct = (await this.#link.ask(topics.direct, undefined)) as Direct
      if (direct !== undefined) {
        const { createRedisCalls } = await import('./redis/redis-stores.ts')
        this.#opened = createRedisCalls(direct, this.#clock, this.#log)
        if (this.#isClosed) this.#opened.close()
      }
      this.#state = 'known'
    } catch {
      // Main has no store yet, or is gone: with its next pulse it is asked again.
      this.#state = 'unknown'
    }
  }
}
