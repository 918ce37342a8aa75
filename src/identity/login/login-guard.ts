import type { Clock } from '../../core/clock.ts'
import type { Records } from '../../core/stores.ts'
import { LoginTallies } from './login-tallies.ts'
import type { Growth } from './login-tallies.ts'

/** Whose failures are counted together. Short texts; nothing is read out of them. */
export interface GuardKeys {
  /** An IPv4 address, or the /64 of an IPv6 one. */
  readonly address: string
  /** The account by the name that was typed, whether or not there is one; undefined where no name is said. */
  readonly account: string | undefined
  /** A device that this account has logged in from before: it has a count of its own, so that nobody else can lock it out. */
  readonly device: string | undefined
}

/**
 * An attempt that may be judged now. Exactly one of the three is to be called, once. What cannot be given back because the
 * store does not answer stays counted, and is forgotten in time.
 */
export interface GuardedAttempt {
  succeeded(): Promise<void>
  /** Gives the milliseconds for which the next attempt has to wait; 0: none. */
  failed(): number
  /** It could not be judged. */
  undecided(): Promise<void>
}

interface KindGrowth extends Growth {
  /** As `free`, while somebody tries passwords on many accounts. */
  readonly freeUnderAttack: number
}

const growths = {
  address: { free: 20, freeUnderAttack: 5, forgetMs: 60_000 },
  account: { free: 5, freeUnderAttack: 2, forgetMs: 900_000 },
  device: { free: 10, freeUnderAttack: 10, forgetMs: 900_000 },
} as const satisfies Record<string, KindGrowth>
type KeyKind = keyof typeof growths

/** Over the last minute or two: so many failures, and at least this share of all attempts, are an attack. */
const attackFailures = 100
const attackRatio = 0.5
const windowMs = 60_000

/**
 * Slows the guessing of passwords down: by address, by account, and for all when most logins fail. Locks are soft and
 * grow from a second to a quarter of an hour; an attempt made while one holds is not judged and does not lengthen it, so
 * the wait that was told is true. An attempt counts as a failure from its begin, so that many at once gain nothing.
 *
 * Addresses, accounts and devices are counted in the store, by all nodes together. Whether most logins fail is each node's
 * own impression.
 */
export class LoginGuard {
  readonly #clock: Clock
  readonly #tallies: LoginTallies
  #windowAt = -Infinity
  #attempts = 0
  #failures = 0
  #attemptsBefore = 0
  #failuresBefore = 0

  constructor(records: Records, clock: Clock) {
    this.#clock = clock
    this.#tallies = new LoginTallies(records, clock)
  }

  /** Whether most logins of the last minute or two failed, and there were many. */
  get isUnderAttack(): boolean {
    this.#turn()
    const failures = this.#failures + this.#failuresBefore
    return failures >= attackFailures && failures >= attackRatio * (this.#attempts + this.#attemptsBefore)
  }

  /** An attempt, or the milliseconds after which one would be judged. Rejects with `store-down`. */
  async begin(keys: GuardKeys): Promise<GuardedAttempt | number> {
    const tallies = this.#tallies
    const { isUnderAttack } = this
    // A known device is judged by its own count instead of the account's.
    const { account, device } = keys
    const named = account === undefined ? undefined : keyed('account', account, isUnderAttack)
    const own = device === undefined ? named : keyed('device', device, false)
    const address = keyed('address', keys.address, isUnderAttack)
    const charged = await tallies.charge(own === undefined ? [address] : [address, own])
    if (typeof charged === 'number') return charged
    this.#attempts++
    const giveBack = (charges: typeof charged): Promise<unknown> => Promise.all(charges.map((charge) => tallies.giveBack(charge)))
    return {
      succeeded: async () => {
        // Who knows the password is no guesser of this account; about others from the same address it says nothing.
        await settled([giveBack(charged.slice(0, 1)), own === undefined ? Promise.resolve() : tallies.forget(own[0])])
      },
      failed: () => {
        this.#failures++
        return Math.max(0, ...charged.map(({ lockedUntil }) => lockedUntil - this.#clock.now()))
      },
      undecided: async () => {
        this.#attempts--
        await settled([giveBack(charged)])
      },
    }
  }

  #turn(): void {
    const now = this.#clock.monotonic()
    if (now - this.#windowAt < windowMs) return
    const isNext = now - this.#windowAt < 2 * windowMs
    this.#attemptsBefore = isNext ? this.#attempts : 0
    this.#failuresBefore = isNext ? this.#failures : 0
    this.#attempts = 0
    this.#failures = 0
    this.#windowAt = now
  }
}

function keyed(kind: KeyKind, text: string, isUnderAttack: boolean): readonly [string, Growth] {
  const { free, freeUnderAttack, forgetMs } = growths[kind]
  return [`${kind} ${text}`, { free: isUnderAttack ? freeUnderAttack : free, forgetMs }]
}

async function settled(work: readonly Promise<unknown>[]): Promise<void> {
  await Promise.allSettled(work)
}
