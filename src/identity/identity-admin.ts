import type { Clock } from '../core/clock.ts'
import type { AuditEntry, Stores } from '../core/stores.ts'
import type { Audit } from './audit.ts'
import type { OwnIssuerSpec } from './identity-spec.ts'
import { revoke } from './revoked.ts'
import { sessionValue } from './session-record.ts'
import type { SessionRow } from './sessions.ts'
import { StoreSessions } from './store-sessions.ts'

/** What an operator wants revoked; how long it must be remembered follows from what could still be valid. */
export type RevocationOrder =
  | { readonly kind: 'token'; readonly issuer: string; readonly id: string }
  | { readonly kind: 'session'; readonly id: string }
  | { readonly kind: 'subject'; readonly subject: string }
  | { readonly kind: 'client'; readonly client: string }
  | { readonly kind: 'key'; readonly keyId: string }

/** A session of anybody. */
export interface AnySessionRow extends SessionRow {
  readonly subject: string
  readonly tenant: string | undefined
}

/** The longest that a foreign token is believed to live unless its issuer's entry says otherwise. */
const foreignLifetimeMs = 86_400_000

export interface IdentityAdminEnv {
  readonly spec: OwnIssuerSpec
  readonly stores: Stores
  readonly clock: Clock
  readonly audit: Audit
}

/** Identity for the operator, on the main thread. Throws the Fault `store-down`. */
export class IdentityAdmin {
  readonly #env: IdentityAdminEnv
  readonly #sessions: StoreSessions

  constructor(env: IdentityAdminEnv) {
    this.#env = env
    // Main accepts nobody, so nothing has to be known here at once; workers hear it from the store.
    this.#sessions = new StoreSessions({ ...env, revocations: { learnEnd() {}, generationOf: () => 0 } })
  }

  /** Sessions in cookies, page by page from cursor '', in no order. */
  async list(cursor: string, limit: number): Promise<{ sessions: AnySessionRow[]; next: string }> {
    const { records, next } = await this.#env.stores.records.list('session', cursor, limit)
    const sessions = records.map((record): AnySessionRow => {
      const { subject, tenant, device, address, startedAt, seenAt, endsAt } = sessionValue(record)
      return { id: record.id, kind: 'session', subject, tenant, device, address, startedAt, lastSeenAt: seenAt, expiresAt: endsAt }
    })
    return { sessions, next }
  }

  /** Everything that somebody is logged in by. */
  listOf(subject: string): Promise<SessionRow[]> {
    return this.#sessions.list(subject)
  }

  /** Ends a session or a token family of anybody, everywhere; false when there is none of that id. */
  async end(id: string): Promise<boolean> {
    const { stores } = this.#env
    const owner = (await stores.records.get('session', id))?.owner ?? (await stores.families.get(id))?.owner
    return owner !== undefined && this.#sessions.end(owner, id, 'ended-by-admin')
  }

  /** Revokes what is named, everywhere, whether or not it exists. */
  async revoke(order: RevocationOrder): Promise<void> {
    const { stores, audit } = this.#env
    if (order.kind === 'subject') return this.#sessions.endAll(order.subject, 'ended-by-admin')
    if (order.kind === 'session' && (await this.end(order.id))) return
    await revoke(stores, { ...order, keepUntil: this.#keepUntil() })
    audit.write('revoked', { ...order, by: 'admin' })
  }

  /** What happened, the newest first, page by page from cursor ''. */
  async auditLog(cursor: string, limit: number): Promise<{ readonly entries: readonly AuditEntry[]; readonly next: string }> {
    return this.#env.stores.audit.list(cursor, limit)
  }

  #keepUntil(): number {
    const { spec, clock } = this.#env
    return clock.now() + Math.max(foreignLifetimeMs, spec.sessions.absoluteMs, spec.tokens.accessMs)
  }
}
