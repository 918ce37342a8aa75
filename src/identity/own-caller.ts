import type { Answer } from '../core/answer.ts'
import type { Exchange } from '../core/exchange.ts'
import type { Handler } from '../core/handler.ts'
import type { Identity } from '../core/identity.ts'
import { refuseCaller } from './answers.ts'
import type { IdentityParts } from './identity-parts.ts'
import { Rejection } from './rejection.ts'

/** A Handler for callers known as subjects of this gateway's own; everybody else is refused. */
export function forOwnCallers(parts: IdentityParts, handle: (x: Exchange, identity: Identity) => Promise<Answer>): Handler {
  return async (x) => {
    const found = await parts.caller(x)
    if (found === undefined || found instanceof Rejection) return refuseCaller(found, x)
    if (found.issuer !== parts.spec.issuer)
      return x.renderProblem({ name: 'forbidden', detail: 'These are for accounts of this gateway.' }, x)
    x.identity = found
    return handle(x, found)
  }
}
