import type { NewRecord, RecordChange, StoredRecord } from '../core/stores.ts'
import type { OwnIssuerSpec, SessionSpec } from './identity-spec.ts'
import { KnownIdentity } from './known-identity.ts'

const schema = 1
/** Last seen is written at most so often. */
const touchEveryMs = 60_000

/** What the store keeps of a session. The cookie's secret is there as a hash only. */
export interface SessionValue {
  readonly secret: string
  readonly subject: string
  readonly tenant?: string | undefined
  readonly roles: readonly string[]
  readonly methods: readonly string[]
  /** The generation of the subject when it began. */
  readonly generation: number
  readonly device: string
  readonly address: string
  readonly startedAt: number
  readonly seenAt: number
  readonly endsAt: number
  /** Name of the provider that vouched; absent: Velum itself judged. */
  readonly provider?: string | undefined
}

/** How long after the last writing of `seenAt` it is written anew: often enough for the idle time. */
export function touchMs(spec: SessionSpec): number {
  return Math.min(touchEveryMs, spec.idleMs / 4)
}

/** A record to be created. */
export function sessionRecord(id: string, value: SessionValue, spec: SessionSpec): NewRecord {
  const change = sessionChange(value, {}, spec)
  return { kind: 'session', id, owner: value.subject, ...change }
}

/** A record to put in the place of another; what a later version keeps in it stays (`before`). */
export function sessionChange(value: SessionValue, before: Readonly<Record<string, unknown>>, spec: SessionSpec): RecordChange {
  // Later than the idle end by as much as `seenAt` may lag behind.
  const expiresAt = Math.min(value.endsAt, value.seenAt + spec.idleMs + touchMs(spec))
  return { value: { ...before, ...value }, schema, expiresAt }
}

/** A session as it was stored. */
export function sessionValue(record: StoredRecord): SessionValue {
  return record.value as unknown as SessionValue
}

/** Who a session stands for. Scopes come from the roles, as the configuration has them now. */
export function sessionIdentity(id: string, value: SessionValue, spec: OwnIssuerSpec): KnownIdentity {
  const claims = Object.create(null) as Record<string, unknown>
  claims['gen'] = value.generation
  claims['amr'] = value.methods
  claims['auth_time'] = Math.floor(value.startedAt / 1000)
  return new KnownIdentity({
    kind: 'session',
    issuer: spec.issuer,
    subject: value.subject,
    tenant: value.tenant,
    client: undefined,
    scopes: scopesOfRoles(value.roles, spec),
    roles: value.roles,
    claims,
    expiresAt: value.endsAt,
    session: id,
    credentialId: undefined,
  })
}

/** The scopes that roles grant by the configuration, each once. */
export function scopesOfRoles(roles: readonly string[], spec: OwnIssuerSpec): readonly string[] {
  const scopes = new Set<string>()
  for (const [role, granted] of spec.roles) if (roles.includes(role)) for (const scope of granted) scopes.add(scope)
  return [...scopes]
}
