import { randomBytes } from 'node:crypto'
import type { Clock } from '../../core/clock.ts'
import type { StoredRecord, Stores } from '../../core/stores.ts'
import type { UserValue } from '../store-accounts.ts'

const schema = 1
const listPage = 200
/** Somebody else changed the record each time: a bug, or somebody changes it in a loop. */
const maxTries = 20

/** What a record of the kind `user` holds of somebody who logs in by password; its id is the subject. */
export interface PasswordUserValue extends UserValue {
  readonly name: string
  /** PHC string. */
  readonly password: string
  readonly createdAt: number
  readonly passwordAt: number
}

/** A user as administrators see them. */
export interface UserRow {
  readonly name: string
  readonly subject: string
  readonly tenant: string | undefined
  readonly roles: readonly string[]
  readonly isEnabled: boolean
  readonly createdAt: number
  readonly passwordAt: number
}

/** A user with the hash of their password; it leaves main for nobody. */
export interface StoredUser extends UserRow {
  readonly password: string
}

/** Who is to be added; the name in its form (`parseUserName`), the password hashed. */
export interface NewUser {
  readonly name: string
  readonly subject: string | undefined
  readonly tenant: string | undefined
  readonly roles: readonly string[]
  readonly password: string
}

/** Names that may be subjects too: short and plain. A mail address may be given to somebody else one day. */
const plainName = /^[a-z0-9][a-z0-9._-]{0,63}$/

/**
 * Users who log in by password: a record of the kind `account` leads from a name to a subject, one of the kind `user`
 * holds the rest. Nobody is ever removed, so that no subject comes to mean somebody else. All throw `store-down`.
 */
export class Users {
  readonly #stores: Stores
  readonly #clock: Clock

  constructor(stores: Stores, clock: Clock) {
    this.#stores = stores
    this.#clock = clock
  }

  /** Undefined when the name or the subject is taken. */
  async add(user: NewUser): Promise<UserRow | undefined> {
    const { records } = this.#stores
    const id = accountId(user.name)
    const wanted = user.subject ?? (plainName.test(user.name) ? user.name : `u-${randomBytes(12).toString('base64url')}`)
    // Before the name is taken: it must not be lost to a subject that is somebody else.
    const holder = await records.get('user', wanted)
    if (holder !== undefined) return undefined
    await records.create({ kind: 'account', id, owner: wanted, value: {}, schema, expiresAt: Infinity })
    // Also where it was there already: a name whose user was never written is still to be had.
    const account = await records.get('account', id)
    if (account === undefined || (user.subject !== undefined && account.owner !== user.subject)) return undefined
    const now = this.#clock.now()
    const { name, tenant, roles, password } = user
    const value: PasswordUserValue = { name, tenant, roles, isEnabled: true, password, createdAt: now, passwordAt: now }
    const version = await records.create({
      kind: 'user',
      id: account.owner,
      owner: '',
      value: { ...value },
      schema,
      expiresAt: Infinity,
    })
    return version === undefined ? undefined : rowOf(account.owner, value)
  }

  /** Somebody for a login, with their generation as it was before; as many questions to the store for a stranger. */
  async findForLogin(name: string): Promise<{ readonly user: StoredUser | undefined; readonly generation: number }> {
    const { records, generations } = this.#stores
    // Where a name leads never changes. The generation comes before the record: what is changed later raises it.
    const subject = (await records.get('account', accountId(name)))?.owner ?? nobody
    const generation = await generations.of(subject)
    const record = await records.get('user', subject)
    return { user: record === undefined ? undefined : userOf(record, name), generation }
  }

  /** Everybody, by name. */
  async list(): Promise<UserRow[]> {
    const rows: UserRow[] = []
    let cursor = ''
    do {
      const page = await this.#stores.records.list('user', cursor, listPage)
      for (const record of page.records) {
        const user = userOf(record)
        if (user !== undefined) rows.push(rowOf(record.id, user))
      }
      cursor = page.next
    } while (cursor !== '')
    return rows.sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  /** Undefined when there is nobody of that name. */
  setEnabled(name: string, isEnabled: boolean): Promise<UserRow | undefined> {
    return this.#change(name, (value) => ({ ...value, isEnabled }))
  }

  /** Undefined when there is nobody of that name. */
  setPassword(name: string, password: string): Promise<UserRow | undefined> {
    return this.#change(name, (value) => ({ ...value, password, passwordAt: this.#clock.now() }))
  }

  /** Puts another hash of the same password in the place of exactly this one. */
  async rehash(name: string, before: string, password: string): Promise<void> {
    await this.#change(name, (value) => (value.password === before ? { ...value, password } : undefined))
  }

  /** `change` may give undefined: then everything stays. */
  async #change(name: string, change: (value: PasswordUserValue) => PasswordUserValue | undefined): Promise<UserRow | undefined> {
    for (let i = 0; i < maxTries; i++) {
      const record = await this.#record(name)
      const user = record === undefined ? undefined : userOf(record, name)
      if (record === undefined || user === undefined) return undefined
      const changed = change(record.value as unknown as PasswordUserValue)
      if (changed === undefined) return rowOf(record.id, user)
      const value = { ...changed }
      const version = await this.#stores.records.update('user', record, { value, schema, expiresAt: Infinity })
      if (version !== undefined) return rowOf(record.id, changed)
    }
    throw new Error(`the record of the user ${JSON.stringify(name)} changes all the time`)
  }

  async #record(name: string): Promise<StoredRecord | undefined> {
    const account = await this.#stores.records.get('account', accountId(name))
    return account === undefined ? undefined : this.#stores.records.get('user', account.owner)
  }
}

/** The subject of a stranger; no name of a user's, since it has a space. */
const nobody = 'no body'

function accountId(name: string): string {
  return `name:${name}`
}

/** Undefined for a user who cannot log in by password, or not under this name. */
function userOf({ id, value }: StoredRecord, name?: string): StoredUser | undefined {
  const user = value as unknown as Partial<PasswordUserValue>
  if (user.name === undefined || user.password === undefined || (name !== undefined && user.name !== name)) return undefined
  return { ...rowOf(id, user as PasswordUserValue), password: user.password }
}

function rowOf(
  subject: string,
  { name, tenant, roles, isEnabled, createdAt, passwordAt }: Omit<PasswordUserValue, 'password'>,
): UserRow {
  return { name, subject, tenant, roles, isEnabled, createdAt, passwordAt }
}
