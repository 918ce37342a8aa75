import { hash, timingSafeEqual } from 'node:crypto'
import type { Exchange } from '../core/exchange.ts'
import { H } from '../core/header-names.ts'
import type { Identity } from '../core/identity.ts'
import { AddressSet } from '../lib/address.ts'
import type { Authenticator } from './authenticators.ts'
import type { ApiKeySpec } from './identity-spec.ts'
import { KnownIdentity } from './known-identity.ts'
import { rejections } from './rejection.ts'
import type { Rejection } from './rejection.ts'

/** The `issuer` of identities that an API key of the configuration stands for. */
export const apiKeyIssuer = 'api-keys'

/** Longer texts are no keys, and are not hashed. */
const maxKeyLength = 512

interface ApiKey {
  readonly digest: Buffer
  readonly expiresAt: number
  readonly addresses: AddressSet | undefined
  readonly identity: Identity
}

/**
 * Callers with a key in `x-api-key`. Only hashes of keys are known here, and a key is found by its hash: what an index
 * over hashes gives away by its timing is of no use to somebody who cannot choose the hash.
 */
export class ApiKeyAuthenticator implements Authenticator {
  readonly kind = 'api-key'
  /** By the first half of the hash; the whole is compared in constant time. */
  readonly #keys = new Map<string, ApiKey>()

  constructor(keys: readonly ApiKeySpec[]) {
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

  verify(text: string, x: Exchange): Identity | Rejection {
    if (text === '') return rejections.empty
    if (text.length > maxKeyLength) return rejections['unknown-api-key']
    const digest = hash('sha256', Buffer.from(text, 'latin1'), 'buffer')
    const key = this.#keys.get(digest.toString('hex', 0, 16))
    if (key === undefined || !timingSafeEqual(key.digest, digest)) return rejections['unknown-api-key']
    if (key.expiresAt <= x.startedAt) return rejections['api-key-expired']
    if (key.addresses !== undefined && !key.addresses.has(x.clientAddress)) return rejections['api-key-address']
    return key.identity
  }
}
