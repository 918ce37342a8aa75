import type { BuildEnv } from '../core/build-env.ts'
import type { Exchange } from '../core/exchange.ts'
import type { MaybePromise } from '../core/handler.ts'
import type { Identity } from '../core/identity.ts'
import type { Stores } from '../core/stores.ts'
import type { Accounts } from './accounts.ts'
import type { Audit } from './audit.ts'
import type { Authenticators } from './authenticators.ts'
import type { OwnIssuerSpec } from './identity-spec.ts'
import type { Rejection } from './rejection.ts'
import type { Revocations } from './revocations.ts'
import type { Sessions } from './sessions.ts'
import type { TokenFamilies } from './token-families.ts'
import type { TokenIssuer } from './token-issuer.ts'

/** Everything that identity endpoints are made of, one set for a Generation on each worker. */
export interface IdentityParts {
  /** Where the endpoints live: `/auth`. */
  readonly path: string
  readonly spec: OwnIssuerSpec
  readonly env: BuildEnv
  readonly stores: Stores
  readonly accounts: Accounts
  readonly sessions: Sessions
  readonly families: TokenFamilies
  readonly tokens: TokenIssuer
  readonly revocations: Revocations
  readonly audit: Audit
  readonly authenticators: Authenticators
  /** Who calls an endpoint, by a bearer token or a session; undefined when neither is presented. */
  readonly caller: (x: Exchange) => MaybePromise<Identity | Rejection | undefined>
}
