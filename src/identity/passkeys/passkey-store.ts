import { hash } from 'node:crypto'
import type { Clock } from '../../core/clock.ts'
import type { StoredRecord, Stores } from '../../core/stores.ts'
import type { PasskeyRow } from './passkey-messages.ts'

const schema = 1
/** More than anybody has devices. */
export const maxPasskeys = 20
const maxLinks = 20
const maxTries = 10
const maxNameLength = 64

/** What a record of the kind `passkey` holds; its owner is the subject, its id the hash of the credential's. */
export interface PasskeyValue {
  /** Base64url, as authenticators give it. */
  readonly credential: string
  /** COSE key, base64url. */
  readonly publicKey: string
  readonly counter: number
  /** What stands for the person in authenticators: chance, the same in all passkeys of one. */
  readonly handle: string
  readonly transports: readonly string[]
  readonly name: string
  readonly createdAt: number
  readonly usedAt?: number | undefined
  readonly isSynced: boolean
  readonly isBlocked?: boolean | undefined
}

/** `last`: without it the person could not log in any more. */
export type PasskeyRemoval = 'removed' | 'unknown' | 'last'

/** Passkeys in the store. All throw `store-down`. */
export class PasskeyStore {
  readonly #stores: Stores
  readonly #clock: Clock
  readonly #issuers: readonly string[]

  /** `issuers`: those of the providers at which people can log in. */
  constructor(stores: Stores, clock: Clock, issuers: readonly string[]) {
    this.#stores = stores
    this.#clock = clock
    this.#issuers = issuers
  }

  /** The record of a credential. */
  async find(credential: string): Promise<StoredRecord | undefined> {
    const record = await this.#stores.records.get('passkey', passkeyId(credential))
    return record !== undefined && passkeyValue(record).credential === credential ? record : undefined
  }

  /** Somebody's, at most `maxPasskeys` and a few that were added at the same moment. */
  async owned(subject: string): Promise<readonly StoredRecord[]> {
    return this.#stores.records.owned('passkey', subject, maxPasskeys * 2)
  }

  /** Somebody's, the oldest first. */
  async list(subject: string): Promise<PasskeyRow[]> {
    return (await this.owned(subject)).map(passkeyRow).sort((a, b) => a.createdAt - b.createdAt)
  }

  /** Undefined when the credential is registered already, whoever's it is. */
  async add(subject: string, value: PasskeyValue): Promise<PasskeyRow | undefined> {
    const id = passkeyId(value.credential)
    const record = { kind: 'passkey', id, owner: subject, value: { ...value }, schema, expiresAt: Infinity } as const
    const version = await this.#stores.records.create(record)
    return version === undefined ? undefined : rowOf(id, value)
  }

  /**
   * Notes a use that was proved. A counter that did not grow blocks the passkey for good, unless it has none (both 0). Gives
   * `gone` when the passkey was removed meanwhile.
   */
  async used(record: StoredRecord, counter: number): Promise<'fine' | 'blocked' | 'gone'> {
    const { records } = this.#stores
    let read: StoredRecord | undefined = record
    for (let i = 0; i < maxTries && read !== undefined; i++) {
      const value = passkeyValue(read)
      if (value.isBlocked === true) return 'blocked'
      const isFine = counter > value.counter || (counter === 0 && value.counter === 0)
      const next = isFine ? { ...value, counter, usedAt: this.#clock.now() } : { ...value, isBlocked: true }
      const version = await records.update('passkey', read, { value: next, schema, expiresAt: Infinity })
      if (version !== undefined) return isFine ? 'fine' : 'blocked'
      read = await records.get('passkey', record.id)
    }
    if (read === undefined) return 'gone'
    throw new Error('a passkey changes all the time')
  }

  /** `name` in its form (`passkeyName`). False when it is not theirs or not there. */
  async rename(subject: string, id: string, name: string): Promise<boolean> {
    const { records } = this.#stores
    for (let i = 0; i < maxTries; i++) {
      const record = await records.get('passkey', id)
      if (record === undefined || record.owner !== subject) return false
      const value = { ...record.value, name }
      if ((await records.update('passkey', record, { value, schema, expiresAt: Infinity })) !== undefined) return true
    }
    throw new Error('a passkey changes all the time')
  }

  /** Removes one of somebody's, unless it is their only way in. */
  async remove(subject: string, id: string): Promise<PasskeyRemoval> {
    const { records } = this.#stores
    const record = await records.get('passkey', id)
    if (record === undefined || record.owner !== subject) return 'unknown'
    if (!(await this.#hasWayIn(subject, id))) return 'last'
    const removed = await records.remove('passkey', id)
    if (removed === undefined) return 'unknown'
    // Two may be removed at the same moment, each because of the other.
    if (await this.#hasWayIn(subject, id)) return 'removed'
    await records.create({ kind: 'passkey', id, owner: subject, value: removed.value, schema, expiresAt: Infinity })
    return 'last'
  }

  /** Removes all of somebody's, whatever else they have; gives the ids. */
  async removeAll(subject: string): Promise<readonly string[]> {
    const owned = await this.owned(subject)
    const removed = await Promise.all(owned.map(async ({ id }) => this.#stores.records.remove('passkey', id)))
    return removed.flatMap((record) => (record === undefined ? [] : [record.id]))
  }

  /** The issuers of the providers that somebody's account is linked to. */
  async linkedIssuers(subject: string): Promise<readonly string[]> {
    const links = await this.#stores.records.owned('account', subject, maxLinks)
    return links.flatMap(({ id, value }) => (id.startsWith('oidc:') ? [String(value['issuer'])] : []))
  }

  /** Whether somebody can log in without this passkey. */
  async #hasWayIn(subject: string, without: string): Promise<boolean> {
    const passkeys = await this.owned(subject)
    if (passkeys.some((record) => record.id !== without && passkeyValue(record).isBlocked !== true)) return true
    const user = await this.#stores.records.get('user', subject)
    if (typeof user?.value['password'] === 'string') return true
    return (await this.linkedIssuers(subject)).some((issuer) => this.#issuers.includes(issuer))
  }
}

/** A passkey as it was stored. */
export function passkeyValue(record: StoredRecord): PasskeyValue {
  return record.value as unknown as PasskeyValue
}

/** A name as it may be kept: no line breaks, at most 64 characters; undefined for nothing. */
export function passkeyName(text: string): string | undefined {
  const name = text
    .toWellFormed()
    .replace(/[\p{C}\p{Z}]+/gu, ' ')
    .trim()
  return name === '' ? undefined : name.slice(0, maxNameLength).replace(/[\ud800-\udbff]$/, '')
}

/** Ids of credentials may have a thousand bytes. */
function passkeyId(credential: string): string {
  return hash('sha256', `passkey ${credential}`, 'base64url')
}

function passkeyRow(record: StoredRecord): PasskeyRow {
  return rowOf(record.id, passkeyValue(record))
}

function rowOf(id: string, { name, createdAt, usedAt, isSynced, isBlocked = false }: PasskeyValue): PasskeyRow {
  return { id, name, createdAt, usedAt, isSynced, isBlocked }
}
