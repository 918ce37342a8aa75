import type { Clock } from '../core/clock.ts'
import type { Exchange } from '../core/exchange.ts'
import type { Log } from '../core/log.ts'
import type { Meter } from '../core/meter.ts'
import type { AuditLog } from '../core/stores.ts'

/** What the audit log tells of. A closed set, so that it can be counted and searched. */
export type AuditEvent =
  | 'login'
  | 'login-failed'
  | 'login-locked'
  | 'session-ended'
  | 'sessions-ended'
  | 'tokens-started'
  | 'tokens-refreshed'
  | 'tokens-refused'
  | 'refresh-reused'
  | 'tokens-ended'
  | 'client-token'
  | 'client-failed'
  | 'revoked'
  | 'key-made'
  | 'key-removed'
  | 'api-key-made'
  | 'api-key-revoked'
  | 'account-changed'
  | 'account-linked'
  | 'passkey-added'
  | 'passkey-removed'
  | 'passkey-blocked'
  | 'provider-logout'
  | 'provider-refreshed'
  | 'password-changed'

/** Ids and reasons. Never a secret, a token, or anything that somebody typed into a password field. */
export type AuditFacts = Readonly<Record<string, string | number | boolean | undefined>>

/** The audit log as identity writes it: nothing waits for it, and what cannot be stored is logged instead. */
export interface Audit {
  /** `x` gives the request's id and address; absent for what happens by itself. */
  write(event: AuditEvent, facts: AuditFacts, x?: Exchange): void
}

/** Writes to the store's audit log. */
export function createAudit(store: AuditLog, clock: Clock, log: Log, meter: Meter): Audit {
  const lost = meter.counter(
    'velum_audit_lost_total',
    'Entries that the audit log could not take; they are in the operational log.',
  )
  return {
    write(event, facts, x) {
      const whole = x === undefined ? facts : { ...facts, address: x.clientAddress, request: x.id }
      const failed = (thrown: unknown): void => {
        lost.add()
        log.warn('an entry of the audit log could not be stored', { event, ...whole, why: String(thrown) })
      }
      try {
        const done = store.append({ at: clock.now(), event, facts: whole })
        if (done instanceof Promise) done.catch(failed)
      } catch (thrown) {
        failed(thrown)
      }
    },
  }
}
