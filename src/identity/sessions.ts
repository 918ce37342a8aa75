import type { Exchange } from '../core/exchange.ts'
import type { Identity } from '../core/identity.ts'
import type { Account } from './accounts.ts'

/** A proof of who somebody is, just given. */
export interface Login {
  readonly account: Account
  /** How it was proved (RFC 8176): `pwd`, `hwk`, `otp`, `fed` … */
  readonly methods: readonly string[]
  /**
   * The generation of the subject from before the proof was judged: what is ended meanwhile stays ended. Absent: as it is
   * when the session begins.
   */
  readonly generation?: number | undefined
  /** The provider that vouched, by its name in the configuration; absent: Velum itself judged. */
  readonly provider?: string | undefined
}

/** A session just begun. Whoever answers must send `setCookie`. */
export interface StartedSession {
  readonly id: string
  /** The value of a `Set-Cookie` line. */
  readonly setCookie: string
  readonly identity: Identity
}

/** A session as its owner may see it. Its id is no secret: the cookie has another half. */
export interface SessionRow {
  readonly id: string
  /** The login of a page's memory or of a program lives as a token family, everything else in a cookie. */
  readonly kind: 'session' | 'tokens'
  /** The User-Agent of the login, at most 256 characters. */
  readonly device: string
  readonly address: string
  readonly startedAt: number
  readonly lastSeenAt: number
  readonly expiresAt: number
}

/**
 * Sessions of people: an opaque cookie outside, a record in the store, a near copy on every worker. All throw the Fault
 * `store-down` when the store cannot answer; then nobody is logged out, and no cookie is touched.
 */
export interface Sessions {
  /**
   * Begins one with an id of its own, and ends the one whose cookie the request brings (no fixation). Also to be called
   * when what somebody may do has changed: the old cookie is void then.
   */
  start(login: Login, x: Exchange): Promise<StartedSession>
  /** One's sessions and token families, the latest used first; at most 100 of each. */
  list(subject: string): Promise<SessionRow[]>
  /** Ends one of somebody's sessions or families, everywhere; false when it is not theirs or not there. */
  end(subject: string, id: string, why: EndReason): Promise<boolean>
  /** Ends all of somebody's sessions, families and tokens, everywhere, also those that no list knows. */
  endAll(subject: string, why: EndReason): Promise<void>
}

/** Why something ended, for the audit log. */
export type EndReason =
  | 'logout'
  | 'provider-logout'
  | 'provider-refused'
  | 'claims-changed'
  | 'ended-by-owner'
  | 'ended-by-admin'
  | 'reuse'
  | 'password-changed'
  | 'disabled'
  | 'replaced'
