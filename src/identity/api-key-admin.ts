import type { Clock } from '../core/clock.ts'
import type { StoredRecord, Stores } from '../core/stores.ts'
import { AddressError, parseCidr } from '../lib/address.ts'
import type { Audit } from './audit.ts'
import type { ApiKeyValue } from './api-key-record.ts'
import { apiKeyChange, apiKeyValue } from './api-key-record.ts'
import { apiKeyMac, newApiKey } from './api-key-text.ts'
import { revokedTopics } from './revoked.ts'
import type { DerivedKeys } from './sealing.ts'

const maxPerClient = 2
const maxListed = 100
const maxItems = 64
const defaultLifetimeMs = 365 * 86_400_000
/** How long nodes remember that a key was revoked; by then no copy of it can be anywhere. */
const rememberedMs = 86_400_000
const word = /^[\x21-\x7e]{1,128}$/
const clientName = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/
/** RFC 6749 §3.3. */
const scopeWord = /^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/

/** A key as it is ordered. */
export interface ApiKeyOrder {
  /** Whose key it is: the `client` of its identity. */
  readonly client: string
  /** Default: the client. */
  readonly subject?: string | undefined
  readonly tenant?: string | undefined
  readonly scopes?: readonly string[] | undefined
  readonly roles?: readonly string[] | undefined
  readonly addresses?: readonly string[] | undefined
  /** Milliseconds since 1970; Infinity: never. Default: in a year. */
  readonly expiresAt?: number | undefined
}

/** A key as operators see it. Never its secret. */
export interface ApiKeyRow {
  readonly id: string
  readonly client: string
  readonly subject: string
  readonly tenant: string | undefined
  readonly scopes: readonly string[]
  readonly roles: readonly string[]
  readonly addresses: readonly string[]
  readonly createdAt: number
  readonly expiresAt: number
  readonly lastUsedAt: number | undefined
  readonly lastUsedFrom: string | undefined
}

/** A key that cannot be made so, or is not there; the message says why. */
export class ApiKeyFault extends Error {
  readonly kind: 'unknown' | 'taken' | 'invalid'

  constructor(kind: ApiKeyFault['kind'], message: string) {
    super(message)
    this.name = 'ApiKeyFault'
    this.kind = kind
  }
}

export interface ApiKeyAdminEnv {
  readonly stores: Stores
  readonly clock: Clock
  readonly audit: Audit
  readonly keys: DerivedKeys
  /** Names of the keys in the configuration: nobody else may pass for them. */
  readonly configured: readonly string[]
}

/** API keys for operators, on the main thread. All throw an `ApiKeyFault` for what cannot be, and `store-down`. */
export class ApiKeyAdmin {
  readonly #env: ApiKeyAdminEnv

  constructor(env: ApiKeyAdminEnv) {
    this.#env = env
  }

  async list(): Promise<ApiKeyRow[]> {
    const rows: ApiKeyRow[] = []
    let cursor = ''
    do {
      const page = await this.#env.stores.records.list('api-key', cursor, 200)
      rows.push(...page.records.map(rowOf))
      cursor = page.next
    } while (cursor !== '')
    return rows.sort((a, b) => (a.client === b.client ? a.createdAt - b.createdAt : a.client < b.client ? -1 : 1))
  }

  /** Makes a key; its text is given this once and kept nowhere. A client has at most two that live, to change them over. */
  async create(order: ApiKeyOrder): Promise<{ readonly key: string; readonly row: ApiKeyRow }> {
    const { stores, clock, audit, keys } = this.#env
    const now = clock.now()
    const checked = this.#checked(order, now)
    const { id, secret, text } = newApiKey()
    const value: ApiKeyValue = { mac: apiKeyMac(id, secret, keys), createdAt: now, ...checked }
    const { client } = order
    const change = apiKeyChange(value)
    const version = await stores.records.create({ kind: 'api-key', id, owner: client, ...change })
    if (version === undefined) throw new Error('the id of a key was not unique')
    // Counted once it is there: of several orders at one time some may be refused for nothing, but no third key stays.
    const live = (await stores.records.owned('api-key', client, maxListed)).filter(
      (record) => (apiKeyValue(record).endsAt ?? Infinity) > now,
    )
    if (live.length > maxPerClient) {
      await stores.records.remove('api-key', id, this.#notice())
      throw new ApiKeyFault('taken', `${JSON.stringify(client)} has two keys already: revoke one of them first`)
    }
    audit.write('api-key-made', { key: id, client, subject: value.subject, scopes: value.scopes.join(' ') })
    return { key: text, row: rowOf({ id, owner: client, version, ...change }) }
  }

  /** Ends a key everywhere, at once. */
  async revoke(id: string): Promise<ApiKeyRow> {
    const { stores, audit } = this.#env
    if (id.length === 0 || id.length > 256) throw unknown(id)
    const removed = await stores.records.remove('api-key', id, this.#notice())
    if (removed === undefined) throw unknown(id)
    audit.write('api-key-revoked', { key: id, client: removed.owner, by: 'admin' })
    return rowOf(removed)
  }

  #notice(): { topic: string; data: true; keepUntil: number } {
    return { topic: revokedTopics.apiKey, data: true, keepUntil: this.#env.clock.now() + rememberedMs }
  }

  #checked(order: ApiKeyOrder, now: number): Omit<ApiKeyValue, 'mac' | 'createdAt'> {
    const { client, subject = client, tenant, scopes = [], roles = [], addresses = [], expiresAt = now + defaultLifetimeMs } = order
    if (!clientName.test(client)) throw invalid('a client is one word of letters, digits and ._-')
    if (this.#env.configured.includes(client))
      throw new ApiKeyFault('taken', `${JSON.stringify(client)} is the name of a key in the configuration`)
    if (!word.test(subject)) throw invalid('a subject is one word')
    if (tenant !== undefined && !word.test(tenant)) throw invalid('a tenant is one word')
    if (scopes.length > maxItems || !scopes.every((scope) => scopeWord.test(scope)))
      throw invalid(`scopes are words without spaces and quotes, at most ${maxItems}`)
    if (roles.length > maxItems || !roles.every((role) => word.test(role)))
      throw invalid(`roles are words without spaces, at most ${maxItems}`)
    if (addresses.length > maxItems) throw invalid(`a key has at most ${maxItems} addresses`)
    if (!(expiresAt > now)) throw invalid('a key ends in the future, or never')
    return {
      subject,
      ...(tenant === undefined ? {} : { tenant }),
      scopes,
      roles,
      addresses: addresses.map(blockOf),
      ...(expiresAt === Infinity ? {} : { endsAt: expiresAt }),
    }
  }
}

function blockOf(text: string): string {
  try {
    return parseCidr(text)
  } catch (thrown) {
    if (thrown instanceof AddressError) throw invalid(thrown.message)
    throw thrown
  }
}

function rowOf(record: StoredRecord): ApiKeyRow {
  const { subject, tenant, scopes, roles, addresses, createdAt, endsAt, usedAt, usedFrom } = apiKeyValue(record)
  return {
    id: record.id,
    client: record.owner,
    subject,
    tenant,
    scopes,
    roles,
    addresses,
    createdAt,
    expiresAt: endsAt ?? Infinity,
    lastUsedAt: usedAt,
    lastUsedFrom: usedFrom,
  }
}

function invalid(message: string): ApiKeyFault {
  return new ApiKeyFault('invalid', message)
}

function unknown(id: string): ApiKeyFault {
  return new ApiKeyFault('unknown', `there is no key ${JSON.stringify(id.slice(0, 64))}`)
}
