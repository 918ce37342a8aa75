import type { Exchange } from '../../core/exchange.ts'
import type { Identity } from '../../core/identity.ts'
import type { IdentityParts } from '../identity-parts.ts'
import { isRecentLogin } from '../recent-login.ts'
import type { PasskeyRemoval } from './passkey-store.ts'
import { PasskeyStore } from './passkey-store.ts'

/** The passkeys as endpoints see them. */
export function passkeyStoreOf({ stores, env, spec }: Pick<IdentityParts, 'stores' | 'env' | 'spec'>): PasskeyStore {
  const issuers = (spec.providers ?? []).map(({ issuer }) => issuer)
  return new PasskeyStore(stores, env.clock, issuers)
}

/** Removes one of the caller's own passkeys, on a recent login, unless it is their only way in. */
export async function removePasskey(
  x: Exchange,
  identity: Identity,
  id: string,
  parts: IdentityParts,
): Promise<PasskeyRemoval | 'not-recent'> {
  if (!isRecentLogin(identity, x)) return 'not-recent'
  const { subject, session } = identity
  const removal = await passkeyStoreOf(parts).remove(subject, id)
  if (removal === 'removed') parts.audit.write('passkey-removed', { subject, session, passkey: id }, x)
  return removal
}
