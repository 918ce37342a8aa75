import type { Clock } from '../../core/clock.ts'
import type { Stores } from '../../core/stores.ts'
import type { Audit } from '../audit.ts'
import type { OwnIssuerSpec } from '../identity-spec.ts'
import { PasskeyStore } from '../passkeys/passkey-store.ts'
import type { EndReason } from '../sessions.ts'
import { StoreSessions } from '../store-sessions.ts'
import { parseNewPassword } from './password-text.ts'
import type { PasswordThreads } from './password-threads.ts'
import { parseUserName } from './user-name.ts'
import type { UserRow } from './users.ts'
import { Users } from './users.ts'

/** A user that cannot be changed or made so; the message says why. */
export class UserFault extends Error {
  readonly kind: 'unknown' | 'taken' | 'invalid'

  constructor(kind: UserFault['kind'], message: string) {
    super(message)
    this.name = 'UserFault'
    this.kind = kind
  }
}

/** Who is to be added, as an operator says it. */
export interface UserOrder {
  readonly name: string
  readonly password: string
  readonly roles: readonly string[]
  readonly tenant: string | undefined
  /** Default: the name where it is short and plain, else a text of chance. */
  readonly subject: string | undefined
}

export interface UserAdminEnv {
  readonly spec: OwnIssuerSpec
  readonly stores: Stores
  readonly clock: Clock
  readonly audit: Audit
  readonly passwords: () => PasswordThreads
}

const word = /^[\x21-\x7e]{1,128}$/
const maxRoles = 64

/**
 * Users for operators, on the main thread. All throw a `UserFault` for what cannot be, and `store-down`. What ends
 * somebody's access ends their sessions and tokens everywhere before it resolves.
 */
export class UserAdmin {
  readonly #env: UserAdminEnv
  readonly #users: Users
  readonly #sessions: StoreSessions
  readonly #passkeys: PasskeyStore

  constructor(env: UserAdminEnv) {
    this.#env = env
    this.#users = new Users(env.stores, env.clock)
    this.#passkeys = new PasskeyStore(env.stores, env.clock, [])
    // Main accepts nobody, so nothing has to be known here at once; workers hear it from the store.
    this.#sessions = new StoreSessions({ ...env, revocations: { learnEnd() {}, generationOf: () => 0 } })
  }

  list(): Promise<UserRow[]> {
    return this.#users.list()
  }

  async add({ name: typed, password, roles, tenant, subject }: UserOrder): Promise<UserRow> {
    const name = valid(() => parseUserName(typed))
    const form = valid(() => parseNewPassword(password, name))
    if (roles.length > maxRoles || !roles.every((role) => word.test(role)))
      throw new UserFault('invalid', `roles are words without spaces, at most ${maxRoles}`)
    if (tenant !== undefined && !word.test(tenant)) throw new UserFault('invalid', 'a tenant is one word')
    if (subject !== undefined && !word.test(subject)) throw new UserFault('invalid', 'a subject is one word')
    // A program's tokens have its client id for a subject: no user may pass for it (RFC 9068 §5).
    if (this.#env.spec.clients.some(({ id }) => id === (subject ?? name)))
      throw new UserFault('taken', `${JSON.stringify(subject ?? name)} is the id of a client in the configuration`)
    const user = { name, subject, tenant, roles, password: await this.#env.passwords().hash(form) }
    const added = await this.#users.add(user)
    if (added === undefined)
      throw new UserFault('taken', `there is a user ${JSON.stringify(name)} already, or the subject is taken`)
    this.#env.audit.write('account-changed', { subject: added.subject, change: 'added', roles: roles.join(' '), tenant })
    return added
  }

  /** Their passkeys go with the old password: whoever took over an account may have added one. */
  async setPassword(typed: string, password: string): Promise<UserRow> {
    const name = valid(() => parseUserName(typed))
    const form = valid(() => parseNewPassword(password, name))
    const user = known(await this.#users.setPassword(name, await this.#env.passwords().hash(form)), name)
    this.#env.audit.write('password-changed', { subject: user.subject, by: 'admin' })
    await this.#endAll(user, 'password-changed')
    // After the end, so that none is added by what has ended; and what a passkey has begun meanwhile ends, too.
    if (await this.#removePasskeys(user)) await this.#endAll(user, 'password-changed')
    return user
  }

  /** Doing it again ends what is left over from a time when it failed in the middle. */
  async disable(typed: string): Promise<UserRow> {
    const name = valid(() => parseUserName(typed))
    const user = known(await this.#users.setEnabled(name, false), name)
    this.#env.audit.write('account-changed', { subject: user.subject, change: 'disabled' })
    await this.#endAll(user, 'disabled')
    return user
  }

  async enable(typed: string): Promise<UserRow> {
    const name = valid(() => parseUserName(typed))
    const user = known(await this.#users.setEnabled(name, true), name)
    this.#env.audit.write('account-changed', { subject: user.subject, change: 'enabled' })
    return user
  }

  async #removePasskeys({ subject }: UserRow): Promise<boolean> {
    const removed = await this.#passkeys.removeAll(subject)
    for (const passkey of removed) this.#env.audit.write('passkey-removed', { subject, passkey, by: 'admin' })
    return removed.length > 0
  }

  #endAll({ subject }: UserRow, why: EndReason): Promise<void> {
    return this.#sessions.endAll(subject, why)
  }
}

function known(user: UserRow | undefined, name: string): UserRow {
  if (user === undefined) throw new UserFault('unknown', `there is no user ${JSON.stringify(name)}`)
  return user
}

/** What parsers say of a name or a password, as a fault of the order. */
function valid<T>(parse: () => T): T {
  try {
    return parse()
  } catch (thrown) {
    throw new UserFault('invalid', (thrown as Error).message)
  }
}
