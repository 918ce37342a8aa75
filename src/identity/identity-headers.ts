import type { RequestEdit } from '../core/request-edits.ts'
import { identityBlock } from './identity-block.ts'
import { KnownIdentity } from './known-identity.ts'

/**
 * Tells a service who is calling, in `x-auth-*`; nothing is added for an anonymous caller. What clients sent under
 * these names must have been dropped before (`protectedHeaderIds`).
 */
export const identityHeaders: RequestEdit = (headers, x) => {
  const identity = x.identity
  if (identity === undefined) return
  headers.put(identity instanceof KnownIdentity ? identity.headers : identityBlock(identity))
}
