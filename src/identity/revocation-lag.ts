import type { Clock, Timer } from '../core/clock.ts'
import type { Closable } from '../core/lasting.ts'
import type { Level, Meter } from '../core/meter.ts'
import type { Bus, Following } from '../core/stores.ts'

const lookEveryMs = 250

/**
 * Main's gauge of how far a node lags behind the stream of revocations. Workers hear from main, and take themselves for cut
 * off when nothing was heard for a second: then callers with sessions and tokens are answered with 503.
 */
export class RevocationLag implements Closable {
  readonly #bus: Bus
  readonly #clock: Clock
  readonly #level: Level
  #shownS = 0
  #following: Following | undefined
  #isJoining = false
  #timer: Timer
  #isClosed = false

  constructor(bus: Bus, clock: Clock, meter: Meter) {
    this.#bus = bus
    this.#clock = clock
    this.#level = meter.gauge(
      'velum_revocation_lag_seconds',
      'How long ago the moment is up to which this node knows everything that was revoked.',
    )
    this.#timer = clock.after(0, this.#look)
  }

  close(): void {
    this.#isClosed = true
    this.#timer.cancel()
    this.#following?.stop()
    this.#show(0)
  }

  readonly #look = (): void => {
    if (this.#following !== undefined) this.#show(Math.max(0, this.#clock.monotonic() - this.#following.caughtUpAt) / 1000)
    else if (!this.#isJoining) void this.#join()
    this.#timer = this.#clock.after(lookEveryMs, this.#look)
  }

  async #join(): Promise<void> {
    this.#isJoining = true
    try {
      const following = await this.#bus.follow({ reload() {}, hear() {} })
      if (this.#isClosed) following.stop()
      else this.#following = following
    } catch {
      // The store is down, which others report; the next look tries again.
    } finally {
      this.#isJoining = false
    }
  }

  #show(seconds: number): void {
    this.#level.add(seconds - this.#shownS)
    this.#shownS = seconds
  }
}
