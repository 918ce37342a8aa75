import type { GatewayModel } from '../config/model.ts'
import type { Exchange } from '../core/exchange.ts'
import { Slot } from '../core/exchange.ts'
import type { CredentialKind } from '../core/identity.ts'
import type { AssumedCaller } from '../gateway/explanation.ts'
import { assumedIdentity } from '../gateway/explain.ts'
import type { Authenticator, Authenticators } from '../identity/authenticators.ts'

const assumed = new Slot<AssumedCaller>()

/** Has an exchange be that of a caller who is taken for granted. */
export function assume(x: Exchange, caller: AssumedCaller): void {
  assumed.set(x, caller)
}

/**
 * The same authenticators, which besides believe whom a test assumes: of the kind that it names, or of the first kind that
 * the route takes.
 */
export function believingTests(authenticators: Authenticators, model: GatewayModel): Authenticators {
  return Object.fromEntries(
    Object.values(authenticators).map((authenticator) => [authenticator.kind, believing(authenticator, model)]),
  )
}

function believing(authenticator: Authenticator, model: GatewayModel): Authenticator {
  const kind: CredentialKind = authenticator.kind
  return {
    kind,
    presented(x) {
      const caller = assumed.get(x)
      if (caller === undefined) return authenticator.presented(x)
      return caller.kind === undefined || caller.kind === kind ? caller.subject : undefined
    },
    verify(credential, x, staleMs, mode) {
      const caller = assumed.get(x)
      if (caller === undefined) return authenticator.verify(credential, x, staleMs, mode)
      return assumedIdentity(caller, [kind], model)
    },
  }
}
