import type { Clock } from '../core/clock.ts'
import type { Closable } from '../core/lasting.ts'
import type { Records } from '../core/stores.ts'
import { addressKey } from '../lib/address.ts'
import { secretHash } from './credential-text.ts'
import { LoginTallies } from './login/login-tallies.ts'
import type { Growth } from './login/login-tallies.ts'

/** As for logins. A client is counted together with the address: nobody elsewhere can lock a program out. */
const ofAddress: Growth = { free: 20, forgetMs: 60_000 }
const ofClient: Growth = { free: 5, forgetMs: 900_000 }

/**
 * Slows the guessing of client secrets down, by the locks that passwords have. Failures are counted in the store, by all
 * nodes together; a lock is known where it was met. Who proves itself costs no question to the store.
 */
export class ClientGuard implements Closable {
  readonly #tallies: LoginTallies

  constructor(records: Records, clock: Clock) {
    this.#tallies = new LoginTallies(records, clock)
  }

  /** The milliseconds for which no secret of this client is judged from there; 0: it is judged. */
  waitMs(client: string, address: string): number {
    return Math.max(...keysOf(client, address).map((key) => this.#tallies.seenLockMs(key)))
  }

  /** Counts a failure; gives the milliseconds until another attempt would be judged, if this one should not have been. */
  async failed(client: string, address: string): Promise<number> {
    const [byAddress, byClient] = keysOf(client, address)
    const charged = await this.#tallies.charge([
      [byAddress, ofAddress],
      [byClient, ofClient],
    ])
    return typeof charged === 'number' ? charged : 0
  }

  close(): void {}
}

function keysOf(client: string, address: string): readonly [string, string] {
  const from = addressKey(address)
  return [`client-address ${from}`, `client ${secretHash(client).slice(0, 22)} ${from}`]
}
