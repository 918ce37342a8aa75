import type { Account } from '../accounts.ts'

/** The topic on which workers ask main whether a password is somebody's (`LoginAttempt` → `LoginOutcome`). */
export const loginTopic = 'identity.login'

/** Somebody says who they are. The message stays inside the process. */
export interface LoginAttempt {
  readonly name: string
  readonly password: string
  readonly address: string
  /** The device cookie, as it came. */
  readonly device: string | undefined
  /** Of the request, for the audit log. */
  readonly request: string
}

/**
 * What became of it. `refused` does not say why: an unknown user, a wrong password and a disabled user are the same.
 * `locked`: too many failures; `full`: too many logins at once. Either passes when its time is over.
 */
export type LoginOutcome =
  | {
      readonly kind: 'proved'
      readonly account: Account
      /** The subject's generation, read before the password was judged: what is revoked meanwhile stays revoked. */
      readonly generation: number
      /** A new device cookie. */
      readonly device: string
    }
  | { readonly kind: 'refused' }
  | { readonly kind: 'locked'; readonly retryAfterMs: number }
  | { readonly kind: 'full'; readonly retryAfterMs: number }
