import type { Answer } from '../core/answer.ts'
import { emptyAnswer, jsonAnswer } from '../core/answer.ts'
import type { Exchange } from '../core/exchange.ts'
import { headerBlock } from '../core/headers.ts'
import type { Identity } from '../core/identity.ts'
import type { Rejection } from './rejection.ts'

/** Nothing of what identity says may be kept by anybody on the way. */
export const noStore = headerBlock([['cache-control', 'no-store']])

const retrySoon = headerBlock([['retry-after', '1']])
const challenge = headerBlock([['www-authenticate', 'Bearer realm="api"']])
const invalidToken = headerBlock([['www-authenticate', 'Bearer realm="api", error="invalid_token"']])

/** JSON that nobody keeps. */
export function privateJson(status: number, value: unknown): Answer {
  const answer = jsonAnswer(status, value)
  answer.headers.put(noStore)
  return answer
}

/** 204, not to be kept. */
export function privateNothing(): Answer {
  const answer = emptyAnswer(204)
  answer.headers.put(noStore)
  return answer
}

/** 303, not to be kept: what follows is fetched by GET, and what was posted is not sent again. */
export function privateRedirect(path: string): Answer {
  const answer = emptyAnswer(303)
  answer.headers.put(noStore)
  answer.headers.set('location', path)
  return answer
}

/** What to answer to who is nobody: 401, or 503 when that could not be found out. */
export function refuseCaller(found: Rejection | undefined, x: Exchange): Answer {
  if (found?.isUndecided === true) return x.renderProblem({ name: 'unavailable', headers: retrySoon }, x)
  if (found === undefined) return x.renderProblem({ name: 'unauthenticated', headers: challenge }, x)
  if (found.reason === 'duplicate-credential') return x.renderProblem({ name: 'duplicate-credential' }, x)
  return x.renderProblem({ name: 'invalid-credential', headers: invalidToken }, x)
}

/** An error of an OAuth endpoint (RFC 6749 §5.2). */
export function oauthError(status: 400 | 401, error: string, description?: string): Answer {
  const answer = privateJson(status, { error, error_description: description })
  if (status === 401) answer.headers.set('www-authenticate', 'Basic realm="token"')
  return answer
}

/** Who somebody is, as `GET session` tells them. */
export function identityFacts(identity: Identity): Readonly<Record<string, unknown>> {
  const { issuer, subject, tenant, client, scopes, roles, session, expiresAt, kind } = identity
  const expires = Number.isFinite(expiresAt) ? new Date(expiresAt).toISOString() : undefined
  return { subject, issuer, tenant, client, scopes, roles, session, credential: kind, expires }
}
