import type { Clock } from '../../core/clock.ts'
import type { Log } from '../../core/log.ts'
import type { Count, Meter } from '../../core/meter.ts'
import type { Stores } from '../../core/stores.ts'
import { addressKey } from '../../lib/address.ts'
import type { Audit } from '../audit.ts'
import type { DerivedKeys } from '../sealing.ts'
import { isOtherCost } from './hash-cost.ts'
import { accountKey, knownDevice, newDeviceCookie } from './known-device.ts'
import { LoginGuard } from './login-guard.ts'
import type { LoginAttempt, LoginOutcome } from './login-messages.ts'
import { passwordForm } from './password-text.ts'
import { HashQueueFull } from './password-threads.ts'
import type { PasswordThreads } from './password-threads.ts'
import { userNameForm } from './user-name.ts'
import type { StoredUser } from './users.ts'
import { Users } from './users.ts'

export interface LoginDeskEnv {
  readonly stores: Stores
  readonly clock: Clock
  readonly log: Log
  readonly meter: Meter
  readonly audit: Audit
  readonly keys: DerivedKeys
  /** Asked each time: a reload may have changed what a hash costs. */
  readonly passwords: () => PasswordThreads
}

/**
 * Judges passwords for a whole node. What is cheap and what keeps guessers away comes first, then the store, then the
 * hash, in the same way and at the same cost whether or not there is such a user.
 */
export class LoginDesk {
  readonly #env: LoginDeskEnv
  readonly #users: Users
  readonly #guard: LoginGuard
  /** Attempts under way, bounded as the hashes are: a flood of logins must not become one of questions to the store. */
  #judging = 0
  readonly #counts: Readonly<Record<LoginOutcome['kind'], Count>>

  constructor(env: LoginDeskEnv) {
    this.#env = env
    this.#users = new Users(env.stores, env.clock)
    this.#guard = new LoginGuard(env.stores.records, env.clock)
    const counted = (result: string): Count =>
      env.meter.counter('velum_logins_total', 'Logins by password, by what came of them.', { result })
    this.#counts = { proved: counted('proved'), refused: counted('refused'), locked: counted('locked'), full: counted('full') }
  }

  /** Rejects with `store-down` when nobody can tell; then no attempt is counted. */
  async judge(attempt: LoginAttempt): Promise<LoginOutcome> {
    const passwords = this.#env.passwords()
    const isFull = this.#judging >= passwords.capacity
    const outcome = isFull ? { kind: 'full' as const, retryAfterMs: passwords.waitMs } : await this.#judgeOne(attempt)
    this.#counts[outcome.kind].add()
    return outcome
  }

  async #judgeOne(attempt: LoginAttempt): Promise<LoginOutcome> {
    this.#judging++
    try {
      return await this.#judge(attempt)
    } finally {
      this.#judging--
    }
  }

  async #judge({ name: typed, password: typedPassword, address, device: cookie, request }: LoginAttempt): Promise<LoginOutcome> {
    const { clock, audit, keys } = this.#env
    // What can be nobody's name has a count of its own, like that of any other unknown user.
    const name = userNameForm(typed) ?? `? ${typed.slice(0, 256)}`
    const device = cookie === undefined ? undefined : knownDevice(cookie, name, clock.now(), keys)
    const begun = await this.#guard.begin({ address: addressKey(address), account: accountKey(name), device })
    if (typeof begun === 'number') return { kind: 'locked', retryAfterMs: begun }
    try {
      const { user, generation, isProved } = await this.#look(name, passwordForm(typedPassword))
      if (user !== undefined && isProved && user.isEnabled) {
        await begun.succeeded()
        const { subject, tenant, roles, isEnabled } = user
        const account = { subject, tenant, roles, isEnabled }
        return { kind: 'proved', account, generation, device: newDeviceCookie(name, clock.now(), keys) }
      }
      const why = user === undefined ? 'unknown-user' : isProved ? 'disabled' : 'wrong-password'
      // A name that is nobody's may be a password in the wrong field: it is not written down.
      const facts = { subject: user?.subject, account: accountKey(name).slice(0, 8), why, address, request }
      const lockMs = begun.failed()
      audit.write('login-failed', facts)
      if (lockMs > 0) audit.write('login-locked', { ...facts, forMs: Math.ceil(lockMs) })
      return { kind: 'refused' }
    } catch (thrown) {
      await begun.undecided()
      return undecided(thrown)
    }
  }

  async #look(
    name: string,
    password: string | undefined,
  ): Promise<{ user: StoredUser | undefined; generation: number; isProved: boolean }> {
    const passwords = this.#env.passwords()
    const { user, generation } = await this.#users.findForLogin(name)
    const isProved = await passwords.verify(password ?? '', user?.password)
    if (user !== undefined && isProved && isOtherCost(user.password, passwords.cost)) this.#rehash(user, password!, passwords)
    return { user, generation, isProved: isProved && password !== undefined }
  }

  /** In the background: who logs in does not wait for it, and the next login tries again. */
  #rehash({ name, password: before }: StoredUser, password: string, passwords: PasswordThreads): void {
    passwords
      .hash(password)
      .then((phc) => this.#users.rehash(name, before, phc))
      .catch((error: unknown) => this.#env.log.warn('a password could not be hashed anew at the present cost', { error }))
  }
}

function undecided(thrown: unknown): LoginOutcome {
  if (thrown instanceof HashQueueFull) return { kind: 'full', retryAfterMs: thrown.retryAfterMs }
  throw thrown
}
