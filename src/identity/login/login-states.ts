import { randomBytes } from 'node:crypto'
import type { Clock } from '../../core/clock.ts'
import { Fault } from '../../core/fault.ts'
import type { Stores } from '../../core/stores.ts'
import { addressKey } from '../../lib/address.ts'

const schema = 1
/** How long somebody may take at a provider, or with an authenticator. */
export const loginStateMs = 600_000
/** Begun within that time and not finished: a person with several tabs, or an office behind one address. */
const maxOfAddress = 300
const maxOfNode = 100_000

/** What a login under way needs to remember; plain data. */
export type LoginState = Readonly<Record<string, unknown>>

/**
 * Logins under way: records that are taken out once, so that nothing of a login can be used twice, on whatever node it
 * ends. Who begins many and ends none is told to wait (`overloaded`), so that this cannot fill a store.
 */
export class LoginStates {
  readonly #stores: Stores
  readonly #clock: Clock
  readonly #begun = new Map<string, number>()
  #all = 0
  #countedAt = -Infinity

  constructor(stores: Stores, clock: Clock) {
    this.#stores = stores
    this.#clock = clock
  }

  /** Keeps a state under a new id of 128 bits of chance. Throws `overloaded` and `store-down`. */
  async begin(kind: string, state: LoginState, address: string): Promise<string> {
    this.#count(addressKey(address))
    const id = randomBytes(16).toString('base64url')
    const value = { ...state, kind }
    const expiresAt = this.#clock.now() + loginStateMs
    const version = await this.#stores.records.create({ kind: 'login', id, owner: '', value, schema, expiresAt })
    if (version === undefined) throw new Error('the id of a login was not unique')
    return id
  }

  /** Takes a state out: of several callers one gets it. Undefined for what was never begun, used before, too old or of another kind. */
  async take(kind: string, id: string): Promise<LoginState | undefined> {
    if (!/^[\w-]{22}$/.test(id)) return undefined
    const record = await this.#stores.records.remove('login', id)
    return record === undefined || record.value['kind'] !== kind ? undefined : record.value
  }

  #count(address: string): void {
    const now = this.#clock.monotonic()
    if (now - this.#countedAt >= loginStateMs) {
      this.#begun.clear()
      this.#all = 0
      this.#countedAt = now
    }
    const begun = this.#begun.get(address) ?? 0
    if (begun >= maxOfAddress || this.#all >= maxOfNode)
      throw new Fault('overloaded', 'too many logins were begun', { retryAfterMs: this.#countedAt + loginStateMs - now })
    this.#begun.set(address, begun + 1)
    this.#all++
  }
}
