import { emptyAnswer, jsonAnswer } from '../core/answer.ts'
import { readAll } from '../core/body.ts'
import type { Exchange } from '../core/exchange.ts'
import { H } from '../core/header-names.ts'
import { httpProblem } from '../core/problem.ts'
import type { Problem } from '../core/problem.ts'
import { parseStrictJson } from '../lib/strict-json.ts'
import { mediaTypeOf } from '../lib/media-type.ts'
import type { AdminTokens } from './admin-tokens.ts'
import type { DashboardSessions } from './dashboard-sessions.ts'
import { dashboardSessionMs, originProblem } from './dashboard-sessions.ts'
import type { Endpoint } from './endpoint.ts'

const maxBodyBytes = 1024
const wrongForm: Problem = { name: 'invalid-content', detail: 'Send { "token": "…" } as application/json.' }
const wrongToken: Problem = { name: 'invalid-credential', detail: 'This is not the admin token.' }

/**
 * Sign-in of the dashboard: the admin token for a cookie that no script can read, and a proof that goes with it; and
 * sign-out.
 */
export function dashboardEndpoints(tokens: AdminTokens, sessions: DashboardSessions): readonly Endpoint[] {
  const path = '/api/dashboard/session'
  return [
    {
      method: 'POST',
      path,
      roles: 'anyone',
      async handle(x) {
        const problem = originProblem(x)
        if (problem !== undefined) return httpProblem(problem, x.id)
        const token = tokenOf(x, await readAll(x.body, maxBodyBytes))
        if (token === undefined) return httpProblem(wrongForm, x.id)
        if (tokens.roleOf(token) !== 'admin') return httpProblem(wrongToken, x.id)
        // Whoever was signed in here before is not any more: one browser, one session.
        sessions.end(x)
        const { id, proof, expiresAt } = sessions.start()
        const answer = jsonAnswer(200, { proof, expiresAt: new Date(expiresAt).toISOString() })
        answer.headers.append('set-cookie', cookieLine(x, sessions, id, dashboardSessionMs / 1000))
        return answer
      },
    },
    {
      method: 'DELETE',
      path,
      roles: ['admin'],
      handle(x) {
        sessions.end(x)
        const answer = emptyAnswer(204)
        answer.headers.append('set-cookie', cookieLine(x, sessions, '', 0))
        return answer
      },
    },
  ]
}

function tokenOf(x: Exchange, body: Buffer): string | undefined {
  // Forms of other sites cannot say this type without asking first.
  if (mediaTypeOf(x.headers.first(H.contentType) ?? '') !== 'application/json') return undefined
  const value = parseStrictJson(body)
  const token = typeof value === 'object' && value !== null ? (value as { token?: unknown }).token : undefined
  return typeof token === 'string' && token.length <= 512 ? token : undefined
}

function cookieLine(x: Exchange, sessions: DashboardSessions, value: string, maxAgeS: number): string {
  const isSecure = sessions.isSecure || x.headers.first(H.origin)?.startsWith('https:') === true
  // The prefix "__Host-" wants the whole host (RFC 6265bis §4.1.3.2).
  return `${sessions.cookie}=${value}; Path=${sessions.isSecure ? '/' : '/api'}; Max-Age=${maxAgeS}; HttpOnly; SameSite=Strict${isSecure ? '; Secure' : ''}`
}
