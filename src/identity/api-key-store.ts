import { hash, timingSafeEqual } from 'node:crypto'
import type { Clock } from '../core/clock.ts'
import type { Exchange } from '../core/exchange.ts'
import { faultFrom } from '../core/fault.ts'
import type { MaybePromise } from '../core/handler.ts'
import type { Identity } from '../core/identity.ts'
import type { DecideMode } from '../core/policy.ts'
import type { NearApiKey, NearApiKeys } from './api-key-near.ts'
import type { ApiKeyText } from './api-key-text.ts'
import { apiKeyMac, parseApiKey, pepperOf } from './api-key-text.ts'
import { MissingKeys } from './missing-keys.ts'
import type { Rejection } from './rejection.ts'
import { rejections, revocationsUnknown, storeUnavailable } from './rejection.ts'
import type { Revocations } from './revocations.ts'
import type { DerivedKeys } from './sealing.ts'

export interface StoredApiKeysEnv {
  readonly near: NearApiKeys
  readonly revocations: Revocations
  readonly clock: Clock
  /** What holds the pepper; undefined until main has given it. */
  readonly secrets: () => DerivedKeys | undefined
}

/** Judges keys that `velum key create` made. The usual one costs a look-up and a hash; a mistyped one costs no look-up. */
export class StoredApiKeys {
  readonly #env: StoredApiKeysEnv
  /** Ids that were not there: who keeps sending a removed key shall not cost a question each time. */
  readonly #missing: MissingKeys

  constructor(env: StoredApiKeysEnv) {
    this.#env = env
    this.#missing = new MissingKeys(env.clock)
  }

  verify(text: string, x: Exchange, staleMs: number, mode: DecideMode): MaybePromise<Identity | Rejection> {
    const parsed = parseApiKey(text)
    if (parsed === undefined) return rejections['api-key-checksum']
    const key = this.#env.near.find(parsed.id)
    return key === undefined ? this.#load(parsed, x, staleMs, mode) : this.#judge(key, parsed, x, staleMs, mode, false)
  }

  #judge(
    key: NearApiKey,
    parsed: ApiKeyText,
    x: Exchange,
    staleMs: number,
    mode: DecideMode,
    isSecondLook: boolean,
  ): MaybePromise<Identity | Rejection> {
    const { near, revocations } = this.#env
    const isRight = this.#isRight(key, parsed)
    if (isRight !== true) return isRight === false ? rejections['unknown-api-key'] : storeUnavailable
    if (key.epoch !== revocations.epoch) {
      const { epoch } = revocations
      if (revocations.isRevoked(key.identity, undefined)) {
        near.forget(key.id)
        return rejections.revoked
      }
      key.epoch = epoch
    }
    if (!revocations.isKnown(staleMs)) {
      return isSecondLook ? revocationsUnknown : revocations.heard().then(() => this.#judge(key, parsed, x, staleMs, mode, true))
    }
    if (key.endsAt <= x.startedAt) return rejections['api-key-expired']
    if (key.addresses !== undefined && !key.addresses.has(x.clientAddress)) return rejections['api-key-address']
    if (mode === 'charge' && x.startedAt >= key.touchAt) near.touch(key, x.clientAddress, this.#freshMac(key, parsed))
    return key.identity
  }

  /** Whether the secret is the key's; undefined while there is no pepper to tell by. */
  #isRight(key: NearApiKey, { id, secret, text }: ApiKeyText): boolean | undefined {
    const digest = hash('sha256', text, 'buffer')
    // The MAC costs four times as much as this, and says nothing else of a text that it was computed for before.
    if (key.digest !== undefined && timingSafeEqual(key.digest, digest)) return true
    const secrets = this.#env.secrets()
    if (secrets === undefined) return undefined
    if (pepperOf(key.value.mac, id, secret, secrets) === -1) return false
    key.digest = digest
    return true
  }

  /** Made anew under the current secret, so that a key in use outlives the previous one. */
  #freshMac(key: NearApiKey, { id, secret }: ApiKeyText): string | undefined {
    const secrets = this.#env.secrets()
    return secrets === undefined || pepperOf(key.value.mac, id, secret, secrets) === 0 ? undefined : apiKeyMac(id, secret, secrets)
  }

  #load(parsed: ApiKeyText, x: Exchange, staleMs: number, mode: DecideMode): MaybePromise<Identity | Rejection> {
    if (this.#missing.has(parsed.id)) return rejections['unknown-api-key']
    return this.#env.near.load(parsed.id).then(
      (key) => {
        if (key !== undefined) return this.#judge(key, parsed, x, staleMs, mode, false)
        this.#missing.add(parsed.id)
        return rejections['unknown-api-key']
      },
      (thrown: unknown) => {
        const fault = faultFrom(thrown)
        if (fault.code === 'internal') throw fault
        return storeUnavailable
      },
    )
  }
}
