import type { Clock } from '../../core/clock.ts'

/** Whose failures are counted together. Texts of any kind; nothing is read out of them. */
export interface GuardKeys {
  /** An IPv4 address, or the /64 of an IPv6 one. */
  readonly address: string
  /** The account by the name that was typed, whether or not there is one. */
  readonly account: string
  /** A device that this account has logged in from before: it has a count of its own, so that nobody else can lock it out. */
  readonly device: string | undefined
}

/** An attempt that may be judged now. Exactly one of the three is to be called, once. */
export interface GuardedAttempt {
  succeeded(): void
  /** Gives the milliseconds for which the next attempt has to wait; 0: none. */
  failed(): number
  /** It could not be judged. */
  undecided(): void
}

/** How fast a lock grows. */
interface Growth {
  /** Failures that cost nothing, and how many of them while somebody tries passwords on many accounts. */
  readonly free: number
  readonly freeUnderAttack: number
  /** One failure is forgotten in this time. */
  readonly forgetMs: number
}

const growths = {
  address: { free: 20, freeUnderAttack: 5, forgetMs: 60_000 },
  account: { free: 5, freeUnderAttack: 2, forgetMs: 900_000 },
  device: { free: 10, freeUnderAttack: 10, forgetMs: 900_000 },
} as const satisfies Record<string, Growth>
type KeyKind = keyof typeof growths

const firstLockMs = 1000
const longestLockMs = 900_000
const defaultMaxKeys = 50_000

/** Over the last minute or two: so many failures, and at least this share of all attempts, are an attack. */
const attackFailures = 100
const attackRatio = 0.5
const windowMs = 60_000

interface Tally {
  failures: number
  countedAt: number
  lockedUntil: number
}

/** What one attempt took, until it is known to be no failure. */
interface Charged {
  readonly key: string
  readonly tally: Tally
  readonly lockedUntil: number
}

/**
 * Slows the guessing of passwords down: by address, by account, and for all when most logins fail. Locks are soft and
 * grow from a second to a quarter of an hour; an attempt made while one holds is not judged and does not lengthen it, so
 * the wait that was told is true. An attempt counts as a failure from its begin, so that many at once gain nothing.
 */
export class LoginGuard {
  readonly #clock: Clock
  readonly #maxKeys: number
  /** The one touched last at the end. */
  readonly #tallies = new Map<string, Tally>()
  #windowAt = -Infinity
  #attempts = 0
  #failures = 0
  #attemptsBefore = 0
  #failuresBefore = 0

  constructor(clock: Clock, maxKeys = defaultMaxKeys) {
    this.#clock = clock
    this.#maxKeys = maxKeys
  }

  /** How many addresses, accounts and devices are counted; bounded. */
  get size(): number {
    return this.#tallies.size
  }

  /** Whether most logins of the last minute or two failed, and there were many. */
  get isUnderAttack(): boolean {
    this.#turn()
    const failures = this.#failures + this.#failuresBefore
    return failures >= attackFailures && failures >= attackRatio * (this.#attempts + this.#attemptsBefore)
  }

  /** An attempt, or the milliseconds after which one would be judged. */
  begin(keys: GuardKeys): GuardedAttempt | number {
    const now = this.#clock.monotonic()
    const kinds: readonly (readonly [KeyKind, string])[] = [
      ['address', keys.address],
      // A known device is judged by its own count instead of the account's.
      keys.device === undefined ? ['account', keys.account] : ['device', keys.device],
    ]
    let waitMs = 0
    for (const [kind, text] of kinds) {
      const tally = this.#tallies.get(`${kind} ${text}`)
      if (tally !== undefined) waitMs = Math.max(waitMs, tally.lockedUntil - now)
    }
    if (waitMs > 0) return waitMs
    const isUnderAttack = this.isUnderAttack
    this.#attempts++
    const charged = kinds.map(([kind, text]) => this.#charge(kind, text, isUnderAttack, now))
    const giveBack = (): void => {
      for (const { tally, lockedUntil } of charged) {
        tally.failures = Math.max(0, tally.failures - 1)
        // A lock that another attempt has caused meanwhile stays.
        if (tally.lockedUntil === lockedUntil) tally.lockedUntil = 0
      }
    }
    return {
      succeeded: () => {
        giveBack()
        // Who knows the password is no guesser of this account; about others from the same address it says nothing.
        this.#tallies.delete(charged[1].key)
      },
      failed: () => {
        this.#failures++
        return Math.max(0, ...charged.map(({ tally }) => tally.lockedUntil - this.#clock.monotonic()))
      },
      undecided: () => {
        this.#attempts--
        giveBack()
      },
    }
  }

  #charge(kind: KeyKind, text: string, isUnderAttack: boolean, now: number): Charged {
    const key = `${kind} ${text}`
    const { free, freeUnderAttack, forgetMs } = growths[kind]
    const before = this.#tallies.get(key)
    const kept = before === undefined ? 0 : Math.max(0, before.failures - (now - before.countedAt) / forgetMs)
    const tally = before ?? { failures: 0, countedAt: now, lockedUntil: 0 }
    tally.failures = kept + 1
    tally.countedAt = now
    const beyond = Math.round(tally.failures) - (isUnderAttack ? freeUnderAttack : free)
    tally.lockedUntil = beyond <= 0 ? 0 : now + Math.min(longestLockMs, firstLockMs * 2 ** (beyond - 1))
    this.#tallies.delete(key)
    this.#tallies.set(key, tally)
    if (this.#tallies.size > this.#maxKeys) this.#tallies.delete(this.#tallies.keys().next().value!)
    return { key, tally, lockedUntil: tally.lockedUntil }
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
