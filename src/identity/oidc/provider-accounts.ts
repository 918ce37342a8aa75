import { hash } from 'node:crypto'
import type { Clock } from '../../core/clock.ts'
import type { Stores } from '../../core/stores.ts'
import type { Account } from '../accounts.ts'
import type { Audit } from '../audit.ts'
import type { ProviderSpec } from '../identity-spec.ts'
import type { Sessions } from '../sessions.ts'
import { accountOf } from '../store-accounts.ts'

const schema = 1
const maxTries = 10
const maxRoles = 64
const word = /^[\x21-\x7e]{1,128}$/

/** What a provider's claims stand for here. */
export interface MappedClaims {
  readonly tenant: string | undefined
  readonly roles: readonly string[]
}

export interface ProviderAccountsEnv {
  readonly stores: Stores
  readonly clock: Clock
  readonly audit: Audit
  readonly sessions: Pick<Sessions, 'endAll'>
}

/** Reads tenant and roles out of claims as the configuration says; what it does not name counts for nothing. */
export function mapClaims(claims: Readonly<Record<string, unknown>>, spec: ProviderSpec): MappedClaims {
  const roles = new Set(spec.roles)
  const held = spec.rolesClaim === undefined ? undefined : claimAt(claims, spec.rolesClaim)
  const values = typeof held === 'string' ? held.split(' ') : Array.isArray(held) ? (held as unknown[]) : []
  for (const [value, granted] of spec.roleMap) if (values.includes(value)) for (const role of granted) roles.add(role)
  const named = spec.tenants === undefined ? undefined : claimAt(claims, spec.tenantClaim)
  const tenant = typeof named === 'string' && spec.tenants?.includes(named) === true ? named : spec.tenant
  return { tenant, roles: [...roles].filter((role) => word.test(role)).slice(0, maxRoles) }
}

/**
 * Whether claims say everything that `mapClaims` looks for. A provider may leave claims out of the ID token of a refresh
 * (OpenID Connect Core 1.0 §12.2); then nothing follows from it.
 */
export function isTelling(claims: Readonly<Record<string, unknown>>, spec: ProviderSpec): boolean {
  const hasRoles = spec.rolesClaim === undefined || claimAt(claims, spec.rolesClaim) !== undefined
  return hasRoles && (spec.tenants === undefined || claimAt(claims, spec.tenantClaim) !== undefined)
}

/** A claim by its name, or by names with dots into objects (`realm_access.roles`). */
function claimAt(claims: Readonly<Record<string, unknown>>, name: string): unknown {
  if (Object.hasOwn(claims, name)) return claims[name]
  let value: unknown = claims
  for (const part of name.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined
    value = (value as Readonly<Record<string, unknown>>)[part]
  }
  return value
}

/**
 * Accounts of people who log in at providers. A link leads from (issuer, subject) to an account, and from nothing else: an
 * address of mail may be given to somebody else, or be claimed by anybody (no account is ever found by one).
 */
export class ProviderAccounts {
  readonly #env: ProviderAccountsEnv

  constructor(env: ProviderAccountsEnv) {
    this.#env = env
  }

  /**
   * The account, made at the first login, with tenant and roles as the provider says now; where they changed, everything that
   * was begun with the old ones ends. The generation is one from before the account was read.
   */
  async find(
    spec: ProviderSpec,
    subject: string,
    mapped: MappedClaims,
  ): Promise<{ readonly account: Account; readonly generation: number }> {
    const { records, generations } = this.#env.stores
    const own = await this.#linked(spec, subject)
    for (let i = 0; i < maxTries; i++) {
      const generation = await generations.of(own)
      const record = await records.get('user', own)
      const account = accountOf(record)
      if (record === undefined || account === undefined) {
        const value = { ...mapped, isEnabled: true, createdAt: this.#env.clock.now() }
        await records.create({ kind: 'user', id: own, owner: '', value, schema, expiresAt: Infinity })
        continue
      }
      if (isSame(account, mapped)) return { account, generation }
      const value = { ...record.value, ...mapped }
      if ((await records.update('user', record, { value, schema, expiresAt: Infinity })) === undefined) continue
      const { tenant, roles } = mapped
      this.#env.audit.write('account-changed', { subject: own, change: 'claims', roles: roles.join(' '), tenant })
      await this.#env.sessions.endAll(own, 'claims-changed')
    }
    throw new Error('the record of an account changes all the time')
  }

  /** Whether an account still is what the provider says. */
  async isCurrent(subject: string, mapped: MappedClaims): Promise<boolean> {
    const account = accountOf(await this.#env.stores.records.get('user', subject))
    return account !== undefined && isSame(account, mapped)
  }

  async #linked({ name, issuer }: ProviderSpec, subject: string): Promise<string> {
    const { stores, audit } = this.#env
    const key = hash('sha256', `${issuer.length}:${issuer}${subject}`, 'base64url')
    const id = `oidc:${key}`
    const owner = `p-${key.slice(0, 32)}`
    const value = { issuer, subject }
    const made = await stores.records.create({ kind: 'account', id, owner, value, schema, expiresAt: Infinity })
    if (made !== undefined) {
      audit.write('account-linked', { subject: owner, provider: name, issuer })
      return owner
    }
    return (await stores.records.get('account', id))?.owner ?? owner
  }
}

function isSame({ tenant, roles }: Account, mapped: MappedClaims): boolean {
  return tenant === mapped.tenant && roles.length === mapped.roles.length && roles.every((role) => mapped.roles.includes(role))
}
