import type { Answer } from '../../core/answer.ts'
import { emptyAnswer } from '../../core/answer.ts'
import type { Exchange } from '../../core/exchange.ts'
import { Fault } from '../../core/fault.ts'
import { noStore, oauthError } from '../answers.ts'
import type { Endpoint } from '../endpoint.ts'
import type { IdentityParts } from '../identity-parts.ts'
import type { ProviderSpec } from '../identity-spec.ts'
import { browserOf, browserSecret } from '../login/browser-secret.ts'
import { shown } from '../login/later-page.ts'
import { loginFailure, retryLater } from '../login/login-endpoints.ts'
import { passingAnswer } from '../login/page-shell.ts'
import { parseReturnTo } from '../login/return-to.ts'
import { areFields, readFields } from '../read-fields.ts'
import { askOidc } from './ask-oidc.ts'
import type { OidcAnswer } from './oidc-messages.ts'
import { ProviderLogins } from './provider-logins.ts'

/** Longest wait for main: discovery, the exchange and keys, each five seconds at most. */
const answerWithinMs = 16_000

type Proved = Extract<OidcAnswer, { kind: 'proved' }>

/** Logins at OpenID providers: the way there, the way back, and the provider's word that somebody is logged out. */
export function oidcEndpoints(parts: IdentityParts): Endpoint[] {
  return (parts.spec.providers ?? []).flatMap((provider): Endpoint[] => {
    const path = `${parts.path}/oidc/${provider.name}`
    return [
      { method: 'GET', path, isSameSiteOnly: false, handle: (x) => shown(x, parts, begin(x, provider, parts)) },
      // Sent here by the provider, so from another site; the state and the cookie say that it belongs to a login begun here.
      {
        method: 'GET',
        path: `${path}/callback`,
        isSameSiteOnly: false,
        handle: (x) => shown(x, parts, finish(x, provider, parts)),
      },
      // By the provider's server, without cookies.
      { method: 'POST', path: `${path}/backchannel-logout`, isSameSiteOnly: false, handle: (x) => logout(x, provider, parts) },
    ]
  })
}

async function begin(x: Exchange, provider: ProviderSpec, parts: IdentityParts): Promise<Answer> {
  const secret = browserSecret(x)
  const wanted = parseReturnTo(new URLSearchParams(x.query ?? '').get('return_to'), `${parts.path}/login`)
  // Back into a login it would go round for ever where the provider asks no question.
  const returnTo = wanted?.startsWith(`${parts.path}/oidc/`) === true ? undefined : wanted
  const question = {
    kind: 'begin',
    provider: provider.name,
    returnTo,
    browser: secret.hash,
    address: x.clientAddress,
  } as const
  const answer = await askOidc(parts.env, question, answerWithinMs)
  if (answer.kind !== 'go') return notNow(x, provider, parts, answer)
  const sent = emptyAnswer(302)
  sent.headers.put(noStore)
  sent.headers.set('location', answer.url)
  secret.keep(sent)
  return sent
}

async function finish(x: Exchange, provider: ProviderSpec, parts: IdentityParts): Promise<Answer> {
  const browser = browserOf(x)
  const about = { provider: provider.name, address: x.clientAddress, request: x.id }
  const answer = await askOidc(parts.env, { kind: 'finish', query: x.query ?? '', browser, ...about }, answerWithinMs)
  return answer.kind === 'proved' ? enter(x, answer, provider, parts) : notNow(x, provider, parts, answer)
}

async function enter(x: Exchange, proved: Proved, provider: ProviderSpec, parts: IdentityParts): Promise<Answer> {
  const { account, methods, generation, ticket, returnTo = '/' } = proved
  const { sessions, stores, spec } = parts
  const started = await sessions.start({ account, methods, generation, provider: provider.name }, x)
  const isGood = await new ProviderLogins(stores).add(started.id, ticket, started.identity.expiresAt)
  if (!isGood) {
    await sessions.end(account.subject, started.id, 'provider-logout')
    return loginFailure(x, parts, 401, `You were logged out at ${provider.label} meanwhile. Please log in again.`, returnTo)
  }
  // A strict cookie is not sent along a chain of redirects that began at another site.
  const answer = spec.sessions.sameSite === 'strict' ? passingAnswer(returnTo) : emptyAnswer(303)
  answer.headers.put(noStore)
  if (answer.status === 303) answer.headers.set('location', returnTo)
  answer.headers.append('set-cookie', started.setCookie)
  return answer
}

function notNow(x: Exchange, { label }: ProviderSpec, parts: IdentityParts, answer: OidcAnswer): Answer {
  const returnTo = answer.kind === 'refused' || answer.kind === 'unavailable' ? answer.returnTo : undefined
  if (answer.kind !== 'unavailable')
    return loginFailure(x, parts, 401, `The login at ${label} was not completed. Please try again.`, returnTo)
  return retryLater(loginFailure(x, parts, 503, `${label} cannot be reached at the moment. Please try again shortly.`, returnTo), 5)
}

async function logout(x: Exchange, provider: ProviderSpec, parts: IdentityParts): Promise<Answer> {
  const fields = await readFields(x)
  if (!areFields(fields)) return oauthError(400, 'invalid_request')
  const token = fields.get('logout_token')
  if (token === undefined) return oauthError(400, 'invalid_request', 'logout_token is missing')
  const about = { provider: provider.name, address: x.clientAddress, request: x.id }
  const answer = await askOidc(parts.env, { kind: 'logout', token, ...about }, answerWithinMs)
  if (answer.kind === 'unavailable') throw new Fault('store-down', 'the keys of the provider cannot be had')
  if (answer.kind !== 'done') return oauthError(400, 'invalid_request')
  const done = emptyAnswer(200)
  done.headers.put(noStore)
  return done
}
