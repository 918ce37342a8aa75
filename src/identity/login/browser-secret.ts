import type { Answer } from '../../core/answer.ts'
import type { Exchange } from '../../core/exchange.ts'
import { cookieNames, readCookie, setCookie } from '../cookies.ts'
import { newCredential, secretHash } from '../credential-text.ts'
import { loginStateMs } from './login-states.ts'

const pattern = /^[\w-]{43}$/

/** The hash of the secret that this browser keeps for logins under way; undefined when it has none. */
export function browserOf(x: Exchange): string | undefined {
  const secret = readCookie(x, cookieNames.login)
  return typeof secret === 'string' && pattern.test(secret) ? secretHash(secret) : undefined
}

/** A secret that ties a login to the browser which begins it: the one it has, so that several tabs may log in, or a new one. */
export function browserSecret(x: Exchange): { readonly hash: string; keep(answer: Answer): void } {
  const presented = readCookie(x, cookieNames.login)
  const secret = typeof presented === 'string' && pattern.test(presented) ? presented : newCredential().secret
  return {
    hash: secretHash(secret),
    keep: (answer) => answer.headers.append('set-cookie', setCookie(cookieNames.login, secret, 'lax', loginStateMs / 1000)),
  }
}
