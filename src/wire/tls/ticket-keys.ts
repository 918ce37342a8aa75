import { hkdfSync } from 'node:crypto'
import type { Clock, Timer } from '../../core/clock.ts'

const hourMs = 3_600_000

export interface TicketKeysOptions {
  /** At least 32 secret bytes. A fleet that shares them resumes each other's sessions; a single node makes its own at start. */
  readonly secret: Uint8Array
  readonly clock: Clock
  /** How long one key is used; the same on all nodes. */
  readonly periodMs?: number
  /** Called with the new keys at each change, for the workers. */
  changed(keys: Uint8Array): void
}

/** The current session ticket keys. An old key is forgotten at its period's end: what it sealed costs a full handshake. */
export interface TicketKeys {
  readonly current: Uint8Array
  close(): void
}

/**
 * Session ticket keys derived from a secret and the time, so that nodes agree without talking. Rotation bounds what a
 * stolen key reads; it is checked hourly at least, since the wall clock may jump.
 */
export function createTicketKeys(options: TicketKeysOptions): TicketKeys {
  const { secret, clock, periodMs = 12 * hourMs } = options
  let period = Math.floor(clock.now() / periodMs)
  let current = ticketKeysOf(secret, period)
  let timer: Timer
  const wait = (): void => {
    const now = clock.now()
    const nextAt = (Math.floor(now / periodMs) + 1) * periodMs
    timer = clock.after(Math.min(hourMs, nextAt - now), look)
  }
  const look = (): void => {
    const now = Math.floor(clock.now() / periodMs)
    if (now !== period) {
      period = now
      current = ticketKeysOf(secret, period)
      options.changed(current)
    }
    wait()
  }
  wait()
  return {
    get current() {
      return current
    },
    close: () => timer.cancel(),
  }
}

/** 48 bytes: name, HMAC key and AES key of a ticket, as OpenSSL takes them. */
function ticketKeysOf(secret: Uint8Array, period: number): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', secret, '', `velum tls ticket keys ${period}`, 48))
}
