import type { Answer } from '../core/answer.ts'
import type { Exchange } from '../core/exchange.ts'
import type { Handler } from '../core/handler.ts'
import { H } from '../core/header-names.ts'
import { identityFacts, privateJson, privateNothing, privateRedirect, refuseCaller } from './answers.ts'
import { clearCookie, cookieNames, readCookie } from './cookies.ts'
import { idOf, isCredential, secretHash, secretOf } from './credential-text.ts'
import { lastSegment } from './dispatch.ts'
import type { Endpoint } from './endpoint.ts'
import type { IdentityParts } from './identity-parts.ts'
import { passingAnswer } from './login/page-shell.ts'
import { parseReturnTo } from './login/return-to.ts'
import { providerLogoutAddress } from './oidc/ask-oidc.ts'
import { forOwnCallers } from './own-caller.ts'
import { areFields, readFields } from './read-fields.ts'
import { Rejection } from './rejection.ts'
import { sessionValue } from './session-record.ts'

/** Who am I, where am I logged in, and how to end that. */
export function sessionEndpoints(parts: IdentityParts): Endpoint[] {
  const { path, sessions } = parts
  const forOwn = (handle: Parameters<typeof forOwnCallers>[1]): Handler => forOwnCallers(parts, handle)
  return [
    {
      method: 'GET',
      path: `${path}/session`,
      isSameSiteOnly: false,
      handle: async (x) => {
        const found = await parts.caller(x)
        if (found === undefined || found instanceof Rejection) return refuseCaller(found, x)
        x.identity = found
        return privateJson(200, identityFacts(found))
      },
    },
    {
      method: 'GET',
      path: `${path}/sessions`,
      isSameSiteOnly: false,
      handle: forOwn(async (_x, { subject, session }) => {
        const rows = await sessions.list(subject)
        return privateJson(200, {
          sessions: rows.map(({ id, kind, device, address, startedAt, lastSeenAt, expiresAt }) => ({
            id,
            kind,
            current: id === session,
            device,
            address,
            started: new Date(startedAt).toISOString(),
            lastSeen: new Date(lastSeenAt).toISOString(),
            expires: new Date(expiresAt).toISOString(),
          })),
        })
      }),
    },
    {
      method: 'DELETE',
      path: `${path}/sessions`,
      isSameSiteOnly: true,
      handle: forOwn(async (x, { subject }) => {
        await sessions.endAll(subject, 'ended-by-owner')
        return withoutCookies(privateNothing(), x, parts)
      }),
    },
    {
      method: 'DELETE',
      path: `${path}/sessions/{id}`,
      isSameSiteOnly: true,
      handle: forOwn(async (x, { subject, session }) => {
        const id = lastSegment(x)
        if (!(await sessions.end(subject, id, 'ended-by-owner')))
          return x.renderProblem({ name: 'no-route', detail: 'You have no such session.' }, x)
        return id === session ? withoutCookies(privateNothing(), x, parts) : privateNothing()
      }),
    },
    { method: 'POST', path: `${path}/logout`, isSameSiteOnly: true, handle: (x) => logout(x, parts) },
  ]
}

/** Ends whatever the request proves to be logged in by: session, refresh cookie, access token. Doing it twice is harmless. */
async function logout(x: Exchange, parts: IdentityParts): Promise<Answer> {
  const { sessions, families, authenticators, stores, spec } = parts
  const cookie = readCookie(x, cookieNames.session)
  const refresh = readCookie(x, cookieNames.refresh)
  if (cookie === null || refresh === null) return x.renderProblem({ name: 'duplicate-credential' }, x)
  let elsewhere: string | undefined
  if (cookie !== undefined && isCredential(cookie)) {
    // Read from the store: whoever logs out must not be told "done" by a copy.
    const record = await stores.records.get('session', idOf(cookie))
    if (record !== undefined && sessionValue(record).secret === secretHash(secretOf(cookie))) {
      await sessions.end(record.owner, record.id, 'logout')
      if (sessionValue(record).provider !== undefined) elsewhere = await providerLogoutAddress(parts, record.id)
    }
  }
  if (refresh !== undefined) await families.end(refresh)
  const token = authenticators.bearer?.presented(x)
  if (typeof token === 'string') {
    const found = await authenticators.bearer!.verify(token, x, 0)
    if (found instanceof Rejection) {
      if (found.isUndecided) return refuseCaller(found, x)
    } else if (found.issuer === spec.issuer && found.session !== undefined)
      await sessions.end(found.subject, found.session, 'logout')
  }
  if (elsewhere !== undefined) return withoutCookies(leavingAnswer(x, elsewhere), x, parts)
  return withoutCookies((await onwards(x)) ?? privateNothing(), x, parts)
}

/** Where a form of a page wants to go on to (`return_to`); undefined for everything that is no such form. */
async function onwards(x: Exchange): Promise<Answer | undefined> {
  if (!wantsPage(x) || x.headers.single(H.contentType) !== 'application/x-www-form-urlencoded') return undefined
  const fields = await readFields(x)
  const path = areFields(fields) ? parseReturnTo(fields.get('return_to'), '') : undefined
  return path === undefined ? undefined : privateRedirect(path)
}

function wantsPage(x: Exchange): boolean {
  return x.headers.single(H.accept)?.includes('text/html') === true
}

/** Logged out here; a browser goes on to log out at the provider, and a program is told where that is. */
function leavingAnswer(x: Exchange, address: string): Answer {
  return wantsPage(x) ? passingAnswer(address) : privateJson(200, { provider_logout: address })
}

/** Takes the cookies of a login from the browser; only after it has ended in the store. */
export function withoutCookies(answer: Answer, x: Exchange, { spec }: IdentityParts): Answer {
  for (const name of [cookieNames.session, cookieNames.refresh]) {
    if (readCookie(x, name) !== undefined)
      answer.headers.append('set-cookie', clearCookie(name, name === cookieNames.refresh ? 'strict' : spec.sessions.sameSite))
  }
  return answer
}
