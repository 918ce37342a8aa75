import type { MaybePromise } from '../core/handler.ts'
import type { Identity } from '../core/identity.ts'
import { rejections, revocationsUnknown } from './rejection.ts'
import type { Rejection } from './rejection.ts'
import type { Revocations } from './revocations.ts'

/**
 * Whether somebody whom the configuration knows may still be believed: `velum token revoke --client` reaches them too.
 * Waits for one turn of the event loop where what is revoked is not known freshly enough (`staleMs`).
 */
export function standing(identity: Identity, revocations: Revocations, staleMs: number): MaybePromise<Identity | Rejection> {
  if (revocations.isRevoked(identity, undefined)) return rejections.revoked
  if (revocations.isKnown(staleMs)) return identity
  return revocations.heard().then(() => {
    if (revocations.isRevoked(identity, undefined)) return rejections.revoked
    return revocations.isKnown(staleMs) ? identity : revocationsUnknown
  })
}
