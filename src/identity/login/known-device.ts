import { randomBytes } from 'node:crypto'
import { secretHash } from '../credential-text.ts'
import type { DerivedKeys } from '../sealing.ts'
import { isMacOf, macOf } from '../sealing.ts'

/** How long a browser remembers that somebody logged in with it. */
export const deviceCookieMs = 180 * 86_400_000

const pattern = /^([A-Za-z0-9_-]{22})\.([0-9a-z]{1,11})\.([A-Za-z0-9_-]{22})$/

/** What stands for an account where its name should not be kept. */
export function accountKey(name: string): string {
  return secretHash(`account ${name}`).slice(0, 22)
}

/**
 * The value of a device cookie: an id, when it was made, and a MAC over both and the account. It proves nobody; it only
 * keeps a lock that others caused from an account's own browsers (OWASP's device cookies).
 */
export function newDeviceCookie(name: string, now: number, keys: DerivedKeys): string {
  const front = `${randomBytes(16).toString('base64url')}.${now.toString(36)}`
  return `${front}.${macOf(about(front, name), keys).toString('base64url')}`
}

/** The id of a device that this account logged in with; undefined for anything else. */
export function knownDevice(cookie: string, name: string, now: number, keys: DerivedKeys): string | undefined {
  const match = pattern.exec(cookie)
  if (match === null) return undefined
  const [, id, madeAt, mac] = match
  if (parseInt(madeAt, 36) + deviceCookieMs < now) return undefined
  return isMacOf(about(`${id}.${madeAt}`, name), Buffer.from(mac, 'base64url'), keys) ? id : undefined
}

/** The space keeps it apart from everything else that is authenticated by the same key. */
function about(front: string, name: string): string {
  return `device ${front} ${accountKey(name)}`
}
