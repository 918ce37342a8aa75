import type { ProviderSpec } from '../identity-spec.ts'
import type { ProviderKeys } from './signed-token.ts'
import { TokenFault, verifySigned } from './signed-token.ts'
import { isObject } from '../../lib/is-object.ts'

const event = 'http://schemas.openid.net/event/backchannel-logout'
/** Providers older than the final specification say no more than JWT; the event and the missing nonce tell it from an ID token. */
const types = new Set(['logout+jwt', 'jwt', ''])
/** Longest age of a logout token, whatever its `exp` says: so long its id has to be remembered. */
const maxAgeMs = 600_000

/** What a provider says with a logout token: one of its sessions ended, or all of a subject's (`session` undefined). */
export interface LogoutOrder {
  readonly id: string
  readonly subject: string | undefined
  readonly session: string | undefined
  readonly issuedAt: number
  /** Until when the same token could be believed again. */
  readonly expiresAt: number
}

/** Judges a logout token (OpenID Connect Back-Channel Logout 1.0 §2.6), all but its replay. Throws as `verifySigned`. */
export async function readLogoutToken(text: string, provider: ProviderSpec, keys: ProviderKeys, now: number): Promise<LogoutOrder> {
  const { type, claims } = await verifySigned(text, keys)
  const { iss, aud, iat, exp, jti, events, sub, sid } = claims
  if (!types.has(type)) wrong('of another type')
  if (iss !== provider.issuer) wrong('of another issuer')
  if (aud !== provider.clientId && !(Array.isArray(aud) && aud.includes(provider.clientId))) wrong('for another audience')
  if (!isTime(iat) || !isTime(exp)) wrong('without iat or exp')
  const issuedAt = iat * 1000
  const expiresAt = exp * 1000
  if (issuedAt > now + provider.skewMs) wrong('issued in the future')
  if (expiresAt + provider.skewMs <= now || issuedAt + maxAgeMs + provider.skewMs <= now) wrong('expired')
  if (!isText(jti)) wrong('without jti')
  if (Object.hasOwn(claims, 'nonce')) wrong('with a nonce')
  const told = isObject(events) ? events[event] : undefined
  if (!isObject(told)) wrong('without the event of a logout')
  if ((sub !== undefined && !isText(sub)) || (sid !== undefined && !isText(sid)) || (sub ?? sid) === undefined)
    wrong('without sub and sid')
  return {
    id: jti,
    subject: sub,
    session: sid,
    issuedAt,
    expiresAt: Math.min(expiresAt, issuedAt + maxAgeMs) + provider.skewMs,
  }
}

function wrong(what: string): never {
  throw new TokenFault(what)
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= 255
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0
}
