import type { Exchange } from '../core/exchange.ts'
import type { MaybePromise } from '../core/handler.ts'
import { credentialKinds } from '../core/identity.ts'
import type { CredentialKind, Identity } from '../core/identity.ts'
import type { DecideMode } from '../core/policy.ts'
import type { Rejection } from './rejection.ts'

/** Recognises callers by one kind of credential. Changes nothing that others see, so it may be asked in a peek too. */
export interface Authenticator {
  readonly kind: CredentialKind
  /**
   * The credential as the request presents it: undefined when there is none, null when there is more than one and
   * nobody can tell which was meant. An empty text is a credential too, though not a valid one.
   */
  presented(x: Exchange): string | null | undefined
  /**
   * Who the credential proves, or why it proves nobody. A promise only where something truly waits. `staleMs`: for how
   * long what is known of revocations may be old (a route's `onStoreFailure`). In a peek nobody was seen: nothing is noted.
   */
  verify(credential: string, x: Exchange, staleMs: number, mode?: DecideMode): MaybePromise<Identity | Rejection>
}

/** Kinds of credentials that this version can check. A configuration that names another one is refused. */
export const availableCredentials = credentialKinds
export type AvailableCredential = (typeof availableCredentials)[number]

/** The authenticators of a Generation, shared by its routes: one for each kind that can be checked. */
export type Authenticators = Readonly<Partial<Record<CredentialKind, Authenticator>>>
