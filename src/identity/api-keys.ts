import { hash, timingSafeEqual } from 'node:crypto'
import type { Exchange } from '../core/exchange.ts'
import type { MaybePromise } from '../core/handler.ts'
import { H } from '../core/header-names.ts'
import type { Identity } from '../core/identity.ts'
import type { DecideMode } from '../core/policy.ts'
import { AddressSet } from '../lib/address.ts'
import { apiKeyIssuer } from './api-key-record.ts'
import type { StoredApiKeys } from './api-key-store.ts'
import { looksLikeApiKey } from './api-key-text.ts'
import type { Authenticator } from './authenticators.ts'
import type { ApiKeySpec } from './identity-spec.ts'
import { KnownIdentity } from './known-identity.ts'
import { rejections } from './rejection.ts'
import type { Rejection } from './rejection.ts'
import type { Revocations } from './revocations.ts'
import { standing } from './standing.ts'

/** Longer texts are no keys, and are not hashed. */
const maxKeyLength = 512

interface ApiKey {
  readonly digest: Buffer
  readonly expiresAt: number
  readonly addresses: AddressSet | undefined
  readonly identity: Identity
}

/**
 * Callers with a key in `x-api-key`. Only hashes of keys are known here. A key of the configuration is found by its hash:
 * what an index over hashes gives away by its timing is of no use to somebody who cannot choose the hash. Keys that Velum
 * made tell by their form that they are such.
 */
export class ApiKeyAuthenticator implements Authenticator {
  readonly kind = 'api-key'
  /** By the first half of the hash; the whole is compared in constant time. */
  readonly #keys = new Map<string, ApiKey>()
  readonly #stored: StoredApiKeys | undefined
  readonly #revocations: Revocations | undefined

  /** Without a store there are only the keys of the configuration, and nothing is ever revoked. */
  constructor(keys: readonly ApiKeySpec[], stored?: StoredApiKeys, revocations?: Revocations) {
    this.#stored = stored
    this.#revocations = revocations
    for (const spec of keys) {
      this.#keys.set(spec.sha256.slice(0, 32), {
        digest: Buffer.from(spec.sha256, 'hex'),
        expiresAt: spec.expiresAt,
        addresses: spec.addresses.length === 0 ? undefined : new AddressSet(spec.addresses),
        identity: new KnownIdentity({
          kind: 'api-key',
          issuer: apiKeyIssuer,
          subject: spec.subject,
          tenant: spec.tenant,
          client: spec.id,
          scopes: spec.scopes,
          roles: spec.roles,
          expiresAt: spec.expiresAt,
          session: undefined,
          credentialId: spec.id,
        }),
      })
    }
  }

  presented(x: Exchange): string | null | undefined {
    return x.headers.single(H.apiKey)
  }

  verify(text: string, x: Exchange, staleMs = 0, mode: DecideMode = 'charge'): MaybePromise<Identity | Rejection> {
    if (text === '') return rejections.empty
    if (text.length > maxKeyLength) return rejections['unknown-api-key']
    const key = this.#keys.size === 0 ? undefined : this.#configured(text)
    if (key === undefined) {
      if (this.#stored !== undefined && looksLikeApiKey(text)) return this.#stored.verify(text, x, staleMs, mode)
      return rejections['unknown-api-key']
    }
    if (key.expiresAt <= x.startedAt) return rejections['api-key-expired']
    if (key.addresses !== undefined && !key.addresses.has(x.clientAddress)) return rejections['api-key-address']
    return this.#revocations === undefined ? key.identity : standing(key.identity, this.#revocations, staleMs)
  }

  #configured(text: string): ApiKey | undefined {
    const digest = hash('sha256', Buffer.from(text, 'latin1'), 'buffer')
    const key = this.#keys.get(digest.toString('hex', 0, 16))
    return key !== undefined && timingSafeEqual(key.digest, digest) ? key : undefined
  }
}
