import type { Exchange } from '../core/exchange.ts'
import { H } from '../core/header-names.ts'
import { trimSpace } from '../lib/trim-space.ts'

/**
 * Velum's own cookies. The prefix keeps sibling hosts and plain http from setting them (`__Host-`), and scripts too where
 * a browser knows `__Http-`; it also says which attributes they must have.
 */
export const cookieNames = {
  session: '__Host-Http-velum',
  refresh: '__Host-Http-velum-refresh',
  login: '__Host-Http-velum-login',
  /** Tells that somebody has logged in with this browser before; proves nobody. */
  device: '__Host-Http-velum-device',
} as const
export type OwnCookie = (typeof cookieNames)[keyof typeof cookieNames]

/**
 * The value of a cookie; undefined when there is none, null when there are several. Of two nobody can tell which
 * the browser meant and which somebody planted, so the caller has to refuse.
 */
export function readCookie(x: Exchange, name: string): string | null | undefined {
  const line = x.headers.single(H.cookie)
  if (line === undefined) return undefined
  if (line !== null) return valueIn(line, name)
  // HTTP/2 may split the field (RFC 9113 §8.2.3).
  return valueIn(x.headers.all('cookie').join('; '), name)
}

function valueIn(line: string, name: string): string | null | undefined {
  let found: string | undefined
  for (let at = line.indexOf(name); at !== -1; at = line.indexOf(name, at + name.length)) {
    let end = at + name.length
    if (line.charCodeAt(end) !== equals || !isAtStart(line, at)) continue
    if (found !== undefined) return null
    end = line.indexOf(';', end)
    found = trimSpace(line.slice(at, end === -1 ? undefined : end)).slice(name.length + 1)
  }
  return found
}

const equals = 61
const semicolon = 59
const space = 32
const tab = 9

/** Whether a name at `at` begins a pair: nothing but whitespace between it and a `;` or the start. */
function isAtStart(line: string, at: number): boolean {
  for (let i = at - 1; i >= 0; i--) {
    const code = line.charCodeAt(i)
    if (code === semicolon) return true
    if (code !== space && code !== tab) return false
  }
  return true
}

/** The value of a `Set-Cookie` line that sets a cookie of ours; `maxAgeS` undefined: until the browser is closed. */
export function setCookie(name: OwnCookie, value: string, sameSite: 'lax' | 'strict', maxAgeS?: number): string {
  const age = maxAgeS === undefined ? '' : `; Max-Age=${maxAgeS}`
  return `${name}=${value}; Path=/; Secure; HttpOnly; SameSite=${sameSite === 'lax' ? 'Lax' : 'Strict'}${age}`
}

/** The value of a `Set-Cookie` line that removes one; with the attributes it was set with, else browsers keep it. */
export function clearCookie(name: OwnCookie, sameSite: 'lax' | 'strict'): string {
  return setCookie(name, '', sameSite, 0)
}
