import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { Clock } from '../core/clock.ts'
import type { Exchange } from '../core/exchange.ts'
import type { Problem } from '../core/problem.ts'
import { readCookie } from '../identity/cookies.ts'

/** The cookie of a signed-in browser; behind TLS of our own nobody else of this host name can set it. */
const cookieNames = { plain: 'velum-admin', secure: '__Host-velum-admin' } as const
/**
 * The field that carries the second half of a session. Cookies know no ports: what else runs under this host name gets the
 * cookie too, and can do nothing with it alone.
 */
export const proofHeader = 'x-velum-proof'
/** How long a browser stays signed in. */
export const dashboardSessionMs = 12 * 60 * 60 * 1000
const mostSessions = 100

/** A new session: `id` goes into the cookie, `proof` to the page's script. */
export interface DashboardSession {
  readonly id: string
  readonly proof: string
  readonly expiresAt: number
}

/** Browsers that are signed in to the dashboard, in the memory of main: a restart signs all of them out. */
export interface DashboardSessions {
  /** Whether the admin server itself speaks TLS. */
  readonly isSecure: boolean
  /** The name of the cookie that carries a session. */
  readonly cookie: string
  start(): DashboardSession
  /** Whether the request is of a page of ours in a signed-in browser; else why not. */
  judge(x: Exchange): 'none' | 'signed-in' | Problem
  /** Signs the browser of this request out. */
  end(x: Exchange): void
}

const ended: Problem = { name: 'invalid-credential', detail: 'This browser is not signed in any more.' }

/** Sessions of browsers, of which the oldest goes when there are too many. */
export function createDashboardSessions(clock: Clock, isSecure = false): DashboardSessions {
  const cookie = isSecure ? cookieNames.secure : cookieNames.plain
  const sessions = new Map<string, { readonly proof: Buffer; readonly expiresAt: number }>()
  return {
    isSecure,
    cookie,
    start() {
      const now = clock.now()
      for (const [key, { expiresAt }] of sessions) if (expiresAt <= now || sessions.size >= mostSessions) sessions.delete(key)
      const id = randomBytes(32).toString('base64url')
      const proof = randomBytes(32).toString('base64url')
      const expiresAt = now + dashboardSessionMs
      sessions.set(keyOf(id), { proof: hashOf(proof), expiresAt })
      return { id, proof, expiresAt }
    },
    judge(x) {
      const id = readCookie(x, cookie)
      const proof = x.headers.all(proofHeader)
      if (id === undefined || proof.length === 0) return 'none'
      const session = id === null ? undefined : sessions.get(keyOf(id))
      if (session === undefined || session.expiresAt <= clock.now()) return ended
      if (proof.length !== 1 || !timingSafeEqual(hashOf(proof[0]), session.proof)) return ended
      return originProblem(x) ?? 'signed-in'
    },
    end(x) {
      const id = readCookie(x, cookie)
      if (typeof id === 'string') sessions.delete(keyOf(id))
    },
  }
}

const foreign: Problem = { name: 'cross-site', detail: 'Only pages of this address may do that.' }
const safe = new Set(['GET', 'HEAD'])

/**
 * What speaks against a browser's request being from a page of ours: another site by `Sec-Fetch-Site`, or, for what
 * changes something, no `Origin` or another host's.
 */
export function originProblem(x: Exchange): Problem | undefined {
  const sites = x.headers.all('sec-fetch-site')
  if (sites.some((site) => site !== 'same-origin')) return foreign
  if (safe.has(x.method)) return undefined
  const origins = x.headers.all('origin')
  if (origins.length !== 1) return foreign
  const [origin] = origins
  // A proxy in front may speak TLS, so the scheme is not ours to know unless it is.
  const isPlain = origin === `http://${x.authority}` && x.connection.tls === undefined
  return isPlain || origin === `https://${x.authority}` ? undefined : foreign
}

function hashOf(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

/** Sessions lie under the hash of their id, so that a look-up's time says nothing of it. */
function keyOf(id: string): string {
  return hashOf(id).toString('base64url')
}
