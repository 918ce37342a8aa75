import type { Answer } from '../../core/answer.ts'
import type { Exchange } from '../../core/exchange.ts'
import type { Identity } from '../../core/identity.ts'
import { privateRedirect } from '../answers.ts'
import type { Endpoint } from '../endpoint.ts'
import type { IdentityParts } from '../identity-parts.ts'
import { shown } from '../login/later-page.ts'
import { busyWords, loginFailure, retryLater } from '../login/login-endpoints.ts'
import { passkeyStoreOf, removePasskey } from '../passkeys/passkey-care.ts'
import { passkeyName } from '../passkeys/passkey-store.ts'
import { areFields, readFields } from '../read-fields.ts'
import type { PostedFields } from '../read-fields.ts'
import { Rejection } from '../rejection.ts'
import { withoutCookies } from '../session-endpoints.ts'
import type { Sessions } from '../sessions.ts'
import { accountPageAnswer } from './account-page.ts'
import type { AccountNote } from './account-page.ts'
import { accountView } from './account-view.ts'

/** What was done, by the word in the address that the page is reached by afterwards. */
const doneWords: ReadonlyMap<string, string> = new Map([
  ['ended', 'That device is logged out.'],
  ['others-ended', 'All other devices are logged out.'],
  ['passkey-added', 'The passkey is there. From now on you can log in with it.'],
  ['passkey-renamed', 'The passkey has its new name.'],
  ['passkey-removed', 'The passkey is removed. You may want to delete it on your device, too.'],
])

/** Why something was not done, with the status of the page that says so. */
const failures = {
  unknown: [404, 'That is not there any more.'],
  last: [403, 'Without this passkey you could not log in any more. Add another one first.'],
  'not-recent': [403, 'For this you have to log in again first.'],
  nameless: [422, 'A passkey needs a name.'],
} as const satisfies Record<string, readonly [number, string]>

type Outcome = { readonly goTo: string } | { readonly failure: keyof typeof failures } | { readonly answer: Answer }

/** Rounds of ending what else is logged in; more than that are begun as fast as they are ended. */
const maxRounds = 20

/** The account page, and what its forms do. */
export function accountEndpoints(parts: IdentityParts): Endpoint[] {
  const path = `${parts.path}/account`
  return [
    { method: 'GET', path, isSameSiteOnly: false, handle: (x) => shown(x, parts, forPerson(x, parts, showAccount)) },
    { method: 'POST', path, isSameSiteOnly: true, handle: (x) => shown(x, parts, forPerson(x, parts, changeAccount)) },
  ]
}

/** Leads whoever has no session to the login page, and back. */
async function forPerson(
  x: Exchange,
  parts: IdentityParts,
  handle: (x: Exchange, identity: Identity, parts: IdentityParts) => Promise<Answer>,
): Promise<Answer> {
  const found = await parts.caller(x)
  if (found instanceof Rejection && found.isUndecided) return retryLater(loginFailure(x, parts, 503, busyWords, undefined), 1)
  if (found === undefined || found instanceof Rejection || found.kind !== 'session')
    return privateRedirect(`${parts.path}/login?return_to=${encodeURIComponent(`${parts.path}/account`)}`)
  x.identity = found
  return handle(x, found, parts)
}

async function showAccount(x: Exchange, identity: Identity, parts: IdentityParts): Promise<Answer> {
  const text = doneWords.get(new URLSearchParams(x.query ?? '').get('done') ?? '')
  return show(200, text === undefined ? undefined : { kind: 'done', text }, x, identity, parts)
}

async function show(
  status: number,
  note: AccountNote | undefined,
  x: Exchange,
  identity: Identity,
  parts: IdentityParts,
): Promise<Answer> {
  return accountPageAnswer(status, await accountView(x, identity, parts), note)
}

async function changeAccount(x: Exchange, identity: Identity, parts: IdentityParts): Promise<Answer> {
  const fields = await readFields(x)
  if (!areFields(fields)) return x.renderProblem(fields, x)
  const outcome = await change(fields, x, identity, parts)
  if (outcome === undefined) return x.renderProblem({ name: 'malformed', detail: 'Nothing of the kind can be done here.' }, x)
  if ('answer' in outcome) return outcome.answer
  if ('goTo' in outcome) return privateRedirect(`${parts.path}/account?done=${outcome.goTo}`)
  const [status, text] = failures[outcome.failure]
  return show(status, { kind: 'failed', text }, x, identity, parts)
}

/** Does what a form asks for; undefined for what no form of ours does. */
async function change(fields: PostedFields, x: Exchange, identity: Identity, parts: IdentityParts): Promise<Outcome | undefined> {
  const { sessions, path } = parts
  const { subject, session } = identity
  const id = fields.get('id') ?? ''
  switch (fields.get('do')) {
    case 'end':
      return (await sessions.end(subject, id, 'ended-by-owner')) ? { goTo: 'ended' } : { failure: 'unknown' }
    case 'end-others':
      await endOthers(subject, session, sessions)
      return { goTo: 'others-ended' }
    case 'end-all':
      await sessions.endAll(subject, 'ended-by-owner')
      return { answer: withoutCookies(privateRedirect(`${path}/login`), x, parts) }
    case 'rename-passkey': {
      const name = passkeyName(fields.get('name') ?? '')
      if (name === undefined) return { failure: 'nameless' }
      return (await passkeyStoreOf(parts).rename(subject, id, name)) ? { goTo: 'passkey-renamed' } : { failure: 'unknown' }
    }
    case 'remove-passkey': {
      const removal = await removePasskey(x, identity, id, parts)
      return removal === 'removed' ? { goTo: 'passkey-removed' } : { failure: removal }
    }
    default:
      return undefined
  }
}

/** Ends everything of somebody but one session, also what a list is too short for. */
async function endOthers(subject: string, kept: string | undefined, sessions: Sessions): Promise<void> {
  for (let round = 0; round < maxRounds; round++) {
    const others = (await sessions.list(subject)).filter(({ id }) => id !== kept)
    if (others.length === 0) return
    await Promise.all(others.map(({ id }) => sessions.end(subject, id, 'ended-by-owner')))
  }
}
