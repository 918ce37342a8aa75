import type { MaybePromise } from '../core/handler.ts'

/** Somebody as Velum knows them at this moment. */
export interface Account {
  /** The `sub` of their sessions and tokens: stable, never given to somebody else, no e-mail address. At most 128 characters. */
  readonly subject: string
  readonly tenant: string | undefined
  readonly roles: readonly string[]
  /** A disabled account gets nothing new; what it had ends by its generation. */
  readonly isEnabled: boolean
}

/** Where accounts are looked up; asked at every refresh. Throws the Fault `store-down` when it cannot tell. */
export interface Accounts {
  find(subject: string): MaybePromise<Account | undefined>
}
