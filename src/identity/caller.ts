import type { Exchange } from '../core/exchange.ts'
import type { MaybePromise } from '../core/handler.ts'
import type { Identity } from '../core/identity.ts'
import type { Authenticators } from './authenticators.ts'
import { Rejection } from './rejection.ts'

const repeated = new Rejection('duplicate-credential', 'The credential is there more than once.')

/**
 * Who calls an identity endpoint: by the first credential presented of bearer and session, as on routes; undefined when
 * there is none. Endpoints never go by what might have been revoked (`staleMs` 0).
 */
export function createCaller(authenticators: Authenticators): (x: Exchange) => MaybePromise<Identity | Rejection | undefined> {
  const kinds = [authenticators.bearer, authenticators.session]
  return (x) => {
    for (const authenticator of kinds) {
      const credential = authenticator?.presented(x)
      if (credential === undefined) continue
      return credential === null ? repeated : authenticator!.verify(credential, x, 0)
    }
    return undefined
  }
}
