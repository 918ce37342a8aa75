import type { Clock } from '../core/clock.ts'
import type { Closable } from '../core/lasting.ts'
import type { StoredRecord, Stores } from '../core/stores.ts'
import { AddressSet } from '../lib/address.ts'
import type { ApiKeyValue } from './api-key-record.ts'
import { apiKeyChange, apiKeyIdentity, apiKeyValue } from './api-key-record.ts'
import type { KnownIdentity } from './known-identity.ts'
import { NearMemory } from './near-memory.ts'
import type { Revocations } from './revocations.ts'

const defaultMaxKeys = 10_000
/** Last used is written at most so often, by each worker. */
const touchEveryMs = 300_000
const retryMs = 30_000

/** A stored API key that a worker knows. */
export class NearApiKey {
  readonly id: string
  readonly identity: KnownIdentity
  readonly addresses: AddressSet | undefined
  readonly endsAt: number
  record: StoredRecord
  value: ApiKeyValue
  /** SHA-256 of the text that was found right; undefined until one was. */
  digest: Buffer | undefined = undefined
  /** The state of revocations at which it was looked at. */
  epoch = 0
  touchAt: number
  /** Looked up since the hand last passed. */
  isUsed = true

  constructor(record: StoredRecord) {
    const value = apiKeyValue(record)
    this.id = record.id
    this.record = record
    this.value = value
    this.identity = apiKeyIdentity(record, value)
    this.addresses = value.addresses.length === 0 ? undefined : new AddressSet(value.addresses)
    this.endsAt = value.endsAt ?? Infinity
    this.touchAt = (value.usedAt ?? -Infinity) + touchEveryMs
  }
}

/**
 * A worker's near copy of stored API keys: the usual request asks nobody. A key that is not here is read once, however
 * many requests wait for it; one that was revoked while it was being read does not get in.
 */
export class NearApiKeys implements Closable {
  readonly #stores: Stores
  readonly #revocations: Revocations
  readonly #clock: Clock
  readonly #near: NearMemory<NearApiKey, StoredRecord>

  constructor(stores: Stores, revocations: Revocations, clock: Clock, maxKeys = defaultMaxKeys) {
    this.#stores = stores
    this.#revocations = revocations
    this.#clock = clock
    this.#near = new NearMemory({
      most: maxKeys,
      clock,
      read: (id) => stores.records.get('api-key', id),
      admit: (record) => this.#admit(record),
      hasEnded: ({ endsAt, identity }, now) => now >= endsAt || revocations.isRevoked(identity, undefined),
    })
  }

  get size(): number {
    return this.#near.size
  }

  find(id: string): NearApiKey | undefined {
    return this.#near.find(id)
  }

  forget(id: string): void {
    this.#near.forget(id)
  }

  /** Reads a key; undefined when there is none. Rejects with `store-down`. */
  load(id: string): Promise<NearApiKey | undefined> {
    return this.#near.load(id)
  }

  /** Writes last used in the background, and a new MAC where one is given. A key changed meanwhile is read anew. */
  touch(key: NearApiKey, address: string, mac = key.value.mac): void {
    const now = this.#clock.now()
    key.touchAt = now + touchEveryMs
    void this.#write(key, { ...key.value, mac, usedAt: now, usedFrom: address })
  }

  close(): void {
    this.#near.clear()
  }

  async #write(key: NearApiKey, value: ApiKeyValue): Promise<void> {
    try {
      const change = apiKeyChange(value, key.record.value)
      const version = await this.#stores.records.update('api-key', key.record, change)
      if (version === undefined) this.#near.forget(key.id)
      else {
        key.record = { ...key.record, ...change, version }
        key.value = value
      }
    } catch {
      key.touchAt = Math.min(key.touchAt, this.#clock.now() + retryMs)
    }
  }

  #admit(record: StoredRecord): NearApiKey | undefined {
    const key = new NearApiKey(record)
    key.epoch = this.#revocations.epoch
    return this.#revocations.isRevoked(key.identity, undefined) ? undefined : key
  }
}
