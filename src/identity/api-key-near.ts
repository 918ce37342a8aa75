import type { Clock } from '../core/clock.ts'
import type { Closable } from '../core/lasting.ts'
import type { StoredRecord, Stores } from '../core/stores.ts'
import { AddressSet } from '../lib/address.ts'
import type { ApiKeyValue } from './api-key-record.ts'
import { apiKeyChange, apiKeyIdentity, apiKeyValue } from './api-key-record.ts'
import type { KnownIdentity } from './known-identity.ts'
import type { Revocations } from './revocations.ts'

const defaultMaxKeys = 10_000
/** So many are looked at for each that is read, so that what has ended makes up no more than a third of what is kept. */
const sweptPerKey = 4
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
  readonly #maxKeys: number
  readonly #known = new Map<string, NearApiKey>()
  readonly #loading = new Map<string, Promise<NearApiKey | undefined>>()
  #hand: MapIterator<NearApiKey> | undefined
  #sweepHand: MapIterator<NearApiKey> | undefined

  constructor(stores: Stores, revocations: Revocations, clock: Clock, maxKeys = defaultMaxKeys) {
    this.#stores = stores
    this.#revocations = revocations
    this.#clock = clock
    this.#maxKeys = maxKeys
  }

  get size(): number {
    return this.#known.size
  }

  find(id: string): NearApiKey | undefined {
    const key = this.#known.get(id)
    if (key !== undefined) key.isUsed = true
    return key
  }

  forget(id: string): void {
    this.#known.delete(id)
  }

  /** Reads a key; undefined when there is none. Rejects with `store-down`. */
  load(id: string): Promise<NearApiKey | undefined> {
    let loading = this.#loading.get(id)
    if (loading === undefined) {
      loading = this.#load(id).finally(() => this.#loading.delete(id))
      this.#loading.set(id, loading)
    }
    return loading
  }

  /** Writes last used in the background, and a new MAC where one is given. A key changed meanwhile is read anew. */
  touch(key: NearApiKey, address: string, mac = key.value.mac): void {
    const now = this.#clock.now()
    key.touchAt = now + touchEveryMs
    void this.#write(key, { ...key.value, mac, usedAt: now, usedFrom: address })
  }

  close(): void {
    this.#known.clear()
  }

  async #write(key: NearApiKey, value: ApiKeyValue): Promise<void> {
    try {
      const change = apiKeyChange(value, key.record.value)
      const version = await this.#stores.records.update('api-key', key.record, change)
      if (version === undefined) this.#known.delete(key.id)
      else {
        key.record = { ...key.record, ...change, version }
        key.value = value
      }
    } catch {
      key.touchAt = Math.min(key.touchAt, this.#clock.now() + retryMs)
    }
  }

  async #load(id: string): Promise<NearApiKey | undefined> {
    const record = await this.#stores.records.get('api-key', id)
    if (record === undefined) return undefined
    const key = new NearApiKey(record)
    key.epoch = this.#revocations.epoch
    if (this.#revocations.isRevoked(key.identity, undefined)) return undefined
    this.#sweep()
    if (this.#known.size >= this.#maxKeys) this.#evict()
    this.#known.set(id, key)
    return key
  }

  /** Drops of the next few what has ended: nobody asks for it any more, and it would stay until there is no room. */
  #sweep(): void {
    const now = this.#clock.now()
    for (let looked = 0; looked < sweptPerKey; looked++) {
      this.#sweepHand ??= this.#known.values()
      const { value: key, done } = this.#sweepHand.next()
      if (done === true) return void (this.#sweepHand = undefined)
      if (now >= key.endsAt || this.#revocations.isRevoked(key.identity, undefined)) this.#known.delete(key.id)
    }
  }

  /** Drops the first key under the hand that was not used since it came by last. */
  #evict(): void {
    for (;;) {
      this.#hand ??= this.#known.values()
      const { value: key, done } = this.#hand.next()
      if (done === true) {
        this.#hand = undefined
        continue
      }
      if (!key.isUsed) return void this.#known.delete(key.id)
      key.isUsed = false
    }
  }
}
