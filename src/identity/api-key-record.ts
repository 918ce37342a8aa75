import type { RecordChange, StoredRecord } from '../core/stores.ts'
import { KnownIdentity } from './known-identity.ts'

/** The `issuer` of identities that an API key stands for, whether it comes from the configuration or from the store. */
export const apiKeyIssuer = 'api-keys'

const schema = 1
/** How long a key that has ended is still listed, and refused by that name. */
const keptMs = 30 * 86_400_000

/** What the store keeps of an API key; its owner is the client. The secret is there as a MAC only. */
export interface ApiKeyValue {
  readonly mac: string
  readonly subject: string
  readonly tenant?: string | undefined
  readonly scopes: readonly string[]
  readonly roles: readonly string[]
  readonly addresses: readonly string[]
  readonly createdAt: number
  /** Milliseconds since 1970; absent: never. */
  readonly endsAt?: number | undefined
  /** Of some use not long before the latest one; absent: it was never used. */
  readonly usedAt?: number | undefined
  readonly usedFrom?: string | undefined
}

/** What to put in the place of a key's record; what a later version keeps in it stays (`before`). */
export function apiKeyChange(value: ApiKeyValue, before: Readonly<Record<string, unknown>> = {}): RecordChange {
  return { value: { ...before, ...value }, schema, expiresAt: value.endsAt === undefined ? Infinity : value.endsAt + keptMs }
}

/** A key as it was stored. */
export function apiKeyValue(record: StoredRecord): ApiKeyValue {
  return record.value as unknown as ApiKeyValue
}

/** Who calls with a stored key. */
export function apiKeyIdentity({ id, owner }: StoredRecord, value: ApiKeyValue): KnownIdentity {
  return new KnownIdentity({
    kind: 'api-key',
    issuer: apiKeyIssuer,
    subject: value.subject,
    tenant: value.tenant,
    client: owner,
    scopes: value.scopes,
    roles: value.roles,
    expiresAt: value.endsAt ?? Infinity,
    session: undefined,
    credentialId: id,
  })
}
