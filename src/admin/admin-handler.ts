import type { Answer } from '../core/answer.ts'
import type { Exchange } from '../core/exchange.ts'
import type { Handler, MaybePromise } from '../core/handler.ts'
import type { HeaderBlock } from '../core/headers.ts'
import { headerBlock } from '../core/headers.ts'
import type { Problem } from '../core/problem.ts'
import { httpProblem } from '../core/problem.ts'
import { trimSpace } from '../lib/trim-space.ts'
import type { AdminTokens } from './admin-tokens.ts'
import type { DashboardSessions } from './dashboard-sessions.ts'
import type { Endpoint } from './endpoint.ts'
import { pathOf } from './endpoint.ts'

export interface AdminHandlerOptions {
  readonly endpoints: readonly Endpoint[]
  readonly tokens: AdminTokens
  /** Browsers signed in to the dashboard; absent: none can be. */
  readonly sessions?: Pick<DashboardSessions, 'judge'> | undefined
  /** Whether the `Host` is one of ours. */
  readonly isOwnHost: (authority: string) => boolean
}

const noStore = headerBlock([['cache-control', 'no-store']])
const noSniff = headerBlock([['x-content-type-options', 'nosniff']])
const challenge = headerBlock([['www-authenticate', 'Bearer realm="velum admin"']])
const wrongToken: Problem = { name: 'invalid-credential', detail: 'This is not the admin token.', headers: challenge }
const noToken: Problem = {
  name: 'unauthenticated',
  detail: 'Send the admin token as "Authorization: Bearer …".',
  headers: challenge,
}

/** The admin surface as one Handler: Host, then the address, then the token, then the endpoint. */
export function createAdminHandler(options: AdminHandlerOptions): Handler {
  const { endpoints, tokens, sessions, isOwnHost } = options
  const byPath = new Map<string, Endpoint[]>()
  for (const endpoint of endpoints) {
    byPath.set(endpoint.path, [...(byPath.get(endpoint.path) ?? []), endpoint])
  }
  const patterns = [...byPath].flatMap(([path, listed]) =>
    path.includes('{') ? [{ segments: path.split('/'), endpoints: listed }] : [],
  )

  const answer = (x: Exchange): MaybePromise<Answer> => {
    if (!isOwnHost(x.authority)) return httpProblem({ name: 'misdirected' }, x.id)
    const path = pathOf(x)
    const found = byPath.get(path) ?? patterns.find(({ segments }) => fits(segments, path))?.endpoints
    const endpoint = found?.find(({ method }) => method === x.method || (method === 'GET' && x.method === 'HEAD'))
    // Without a token nobody learns which addresses there are.
    if (endpoint?.roles !== 'anyone') {
      const refusal = authorise(x, endpoint)
      if (refusal !== undefined) return httpProblem(refusal, x.id)
    }
    if (found === undefined) return httpProblem({ name: 'no-route' }, x.id)
    if (endpoint === undefined) return httpProblem({ name: 'method-not-allowed', headers: allowBlock(found) }, x.id)
    return endpoint.handle(x)
  }
  const authorise = (x: Exchange, endpoint: Endpoint | undefined): Problem | undefined => {
    const given = x.headers.all('authorization')
    if (given.length === 0) {
      const verdict = sessions?.judge(x) ?? 'none'
      if (verdict === 'signed-in') return undefined
      return verdict === 'none' ? noToken : verdict
    }
    const token = given.length === 1 ? bearerToken(given[0]) : undefined
    const role = token === undefined ? undefined : tokens.roleOf(token)
    if (role === undefined) return wrongToken
    if (role !== 'admin' && (endpoint === undefined || endpoint.roles === 'anyone' || !endpoint.roles.includes(role))) {
      return { name: 'forbidden', detail: 'This token reads metrics only.' }
    }
    return undefined
  }
  return async (x) => {
    const given = await answer(x)
    // Files of the dashboard say themselves how long they may be kept.
    if (!given.headers.has('cache-control')) given.headers.put(noStore)
    given.headers.put(noSniff)
    return given
  }
}

/** Whether a path has these segments, of which those in braces stand for anything but nothing. */
function fits(segments: readonly string[], path: string): boolean {
  const given = path.split('/')
  return (
    given.length === segments.length &&
    segments.every((segment, i) => (segment.startsWith('{') ? given[i] !== '' : segment === given[i]))
  )
}

function bearerToken(value: string): string | undefined {
  return value.slice(0, 7).toLowerCase() === 'bearer ' ? trimSpace(value.slice(7)) : undefined
}

function allowBlock(endpoints: readonly Endpoint[]): HeaderBlock {
  const methods = endpoints.flatMap(({ method }) => (method === 'GET' ? ['GET', 'HEAD'] : [method]))
  return headerBlock([['allow', methods.join(', ')]])
}
