import type { Answer } from '../../core/answer.ts'
import type { Exchange } from '../../core/exchange.ts'
import { headerBlock } from '../../core/headers.ts'
import type { Identity } from '../../core/identity.ts'
import type { Problem } from '../../core/problem.ts'
import { privateJson, privateNothing } from '../answers.ts'
import { askInTime } from '../ask-in-time.ts'
import { deviceName } from '../device-name.ts'
import { lastSegment } from '../dispatch.ts'
import type { Endpoint } from '../endpoint.ts'
import type { IdentityParts } from '../identity-parts.ts'
import type { Delivery } from '../identity-spec.ts'
import { browserOf, browserSecret } from '../login/browser-secret.ts'
import { deliverLogin, deliveryFault } from '../login/deliver-login.ts'
import { forOwnCallers } from '../own-caller.ts'
import { readJson } from '../read-fields.ts'
import { isRecentLogin, notRecent } from '../recent-login.ts'
import { deviceOf } from '../store-sessions.ts'
import { passkeyStoreOf, removePasskey } from './passkey-care.ts'
import { passkeyTopic } from './passkey-messages.ts'
import type { PasskeyAnswer, PasskeyAsker, PasskeyQuestion, PasskeyRow } from './passkey-messages.ts'
import { passkeyName } from './passkey-store.ts'

/** Longest wait for main: a signature and a few questions to the store. */
const answerWithinMs = 10_000

const challenge = headerBlock([['www-authenticate', 'Bearer realm="api"']])
const noPasskey: Problem = { name: 'no-route', detail: 'You have no such passkey.' }
const problemsOf: Readonly<Record<'refused' | 'full' | 'elsewhere' | 'taken' | 'off', Problem>> = {
  refused: { name: 'invalid-content', detail: 'The passkey could not be registered. Please begin again.' },
  full: { name: 'forbidden', detail: 'You have as many passkeys as one may have. Please remove one first.' },
  elsewhere: { name: 'forbidden', detail: 'You log in at a provider, so your passkeys belong there.' },
  taken: { name: 'invalid-content', detail: 'This passkey is registered already.' },
  off: { name: 'no-route' },
}

/**
 * Passkeys: `POST passkey/login/options`, then `POST passkey/login` to log in; `POST passkey/register/options`, then `POST
 * passkey/register` to add one; `GET passkeys`, `PATCH` and `DELETE passkeys/{id}` for one's own.
 */
export function passkeyEndpoints(parts: IdentityParts): Endpoint[] {
  if (parts.spec.passkeys === undefined) return []
  const { path } = parts
  const passkeys = passkeyStoreOf(parts)
  const own = (handle: (x: Exchange, identity: Identity) => Promise<Answer>): Endpoint['handle'] => forOwnCallers(parts, handle)
  const changing = { isSameSiteOnly: true } as const
  return [
    { method: 'POST', path: `${path}/passkey/login/options`, ...changing, handle: (x) => beginLogin(x, parts) },
    { method: 'POST', path: `${path}/passkey/login`, ...changing, handle: (x) => finishLogin(x, parts) },
    {
      method: 'POST',
      path: `${path}/passkey/register/options`,
      ...changing,
      handle: own((x, identity) => beginRegistration(x, identity, parts)),
    },
    {
      method: 'POST',
      path: `${path}/passkey/register`,
      ...changing,
      handle: own((x, identity) => finishRegistration(x, identity, parts)),
    },
    {
      method: 'GET',
      path: `${path}/passkeys`,
      isSameSiteOnly: false,
      handle: own(async (_x, { subject }) => privateJson(200, { passkeys: (await passkeys.list(subject)).map(shown) })),
    },
    {
      method: 'PATCH',
      path: `${path}/passkeys/{id}`,
      ...changing,
      handle: own(async (x, { subject }) => {
        const body = await readJson(x)
        if ('problem' in body) return x.renderProblem(body.problem, x)
        const name = nameIn(body.json['name'])
        if (name === undefined) return x.renderProblem({ name: 'malformed', detail: 'Send a name.' }, x)
        const isDone = await passkeys.rename(subject, lastSegment(x), name)
        return isDone ? privateNothing() : x.renderProblem(noPasskey, x)
      }),
    },
    {
      method: 'DELETE',
      path: `${path}/passkeys/{id}`,
      ...changing,
      handle: own(async (x, identity) => {
        const removal = await removePasskey(x, identity, lastSegment(x), parts)
        if (removal === 'removed') return privateNothing()
        if (removal === 'not-recent') return x.renderProblem(notRecent, x)
        if (removal === 'unknown') return x.renderProblem(noPasskey, x)
        return x.renderProblem({ name: 'forbidden', detail: 'Without this passkey you could not log in any more.' }, x)
      }),
    },
  ]
}

async function beginLogin(x: Exchange, parts: IdentityParts): Promise<Answer> {
  const secret = browserSecret(x)
  const found = await ask(parts, { kind: 'begin-login', ...asker(x), browser: secret.hash })
  return options(x, found, secret)
}

async function finishLogin(x: Exchange, parts: IdentityParts): Promise<Answer> {
  const body = await readJson(x)
  if ('problem' in body) return x.renderProblem(body.problem, x)
  const { credential, deliver = 'session' } = body.json
  const fault = deliveryFault(typeof deliver === 'string' ? deliver : '', parts.spec.tokens.deliver)
  if (fault !== undefined) return x.renderProblem(fault, x)
  const found = await ask(parts, { kind: 'finish-login', ...asker(x), credential })
  if (found.kind === 'proved') {
    const { account, generation, methods } = found
    return deliverLogin({ account, generation, methods }, deliver as Delivery, x, parts)
  }
  if (found.kind === 'locked') {
    const seconds = Math.max(1, Math.ceil(found.retryAfterMs / 1000))
    const headers = headerBlock([['retry-after', String(seconds)]])
    return x.renderProblem({ name: 'abnormal-usage', detail: 'There were too many failed logins.', headers }, x)
  }
  if (found.kind === 'off') return x.renderProblem(problemsOf.off, x)
  return x.renderProblem({ name: 'invalid-credential', detail: 'The passkey was not accepted.', headers: challenge }, x)
}

async function beginRegistration(x: Exchange, identity: Identity, parts: IdentityParts): Promise<Answer> {
  const { subject, session } = identity
  if (session === undefined || !isRecentLogin(identity, x)) return x.renderProblem(notRecent, x)
  const secret = browserSecret(x)
  const found = await ask(parts, { kind: 'begin-registration', ...asker(x), browser: secret.hash, subject, session })
  return options(x, found, secret)
}

async function finishRegistration(x: Exchange, { subject, session, claims }: Identity, parts: IdentityParts): Promise<Answer> {
  const body = await readJson(x)
  if ('problem' in body) return x.renderProblem(body.problem, x)
  const generation = claims['gen']
  if (session === undefined || typeof generation !== 'number') return x.renderProblem(notRecent, x)
  const { credential } = body.json
  const name = nameIn(body.json['name']) ?? deviceName(deviceOf(x))
  const found = await ask(parts, { kind: 'finish-registration', ...asker(x), subject, session, generation, credential, name })
  if (found.kind === 'registered') return privateJson(201, shown(found.passkey))
  return x.renderProblem(problemOf(found), x)
}

function options(x: Exchange, found: PasskeyAnswer, secret: ReturnType<typeof browserSecret>): Answer {
  if (found.kind !== 'options') return x.renderProblem(problemOf(found), x)
  const answer = privateJson(200, { publicKey: found.publicKey })
  secret.keep(answer)
  return answer
}

function problemOf({ kind }: PasskeyAnswer): Problem {
  return kind in problemsOf ? problemsOf[kind as keyof typeof problemsOf] : problemsOf.refused
}

async function ask({ env }: IdentityParts, question: PasskeyQuestion): Promise<PasskeyAnswer> {
  return (await askInTime(env, passkeyTopic, question, answerWithinMs)) as PasskeyAnswer
}

function asker(x: Exchange): PasskeyAsker {
  return { browser: browserOf(x), address: x.clientAddress, request: x.id }
}

function nameIn(value: unknown): string | undefined {
  return typeof value === 'string' ? passkeyName(value) : undefined
}

function shown({ id, name, createdAt, usedAt, isSynced, isBlocked }: PasskeyRow): Readonly<Record<string, unknown>> {
  const created = new Date(createdAt).toISOString()
  const lastUsed = usedAt === undefined ? undefined : new Date(usedAt).toISOString()
  return { id, name, created, last_used: lastUsed, synced: isSynced, blocked: isBlocked }
}
