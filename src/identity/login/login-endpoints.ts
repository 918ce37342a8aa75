import type { Answer } from '../../core/answer.ts'
import type { Exchange } from '../../core/exchange.ts'
import { Fault } from '../../core/fault.ts'
import { H } from '../../core/header-names.ts'
import { headerBlock } from '../../core/headers.ts'
import { privateRedirect } from '../answers.ts'
import { cookieNames, readCookie, setCookie } from '../cookies.ts'
import type { Endpoint } from '../endpoint.ts'
import type { IdentityParts } from '../identity-parts.ts'
import type { Delivery } from '../identity-spec.ts'
import { areFields, readFields, typeOf } from '../read-fields.ts'
import type { PostedFields } from '../read-fields.ts'
import type { Login } from '../sessions.ts'
import { createClientDesk } from '../client-desk.ts'
import type { ClientDesk } from '../client-desk.ts'
import { askLogin } from './ask-login.ts'
import { deliverLogin, deliveryFault } from './deliver-login.ts'
import { deviceCookieMs } from './known-device.ts'
import type { LoginAttempt, LoginOutcome } from './login-messages.ts'
import type { LoginPage, ProviderButton } from './login-page.ts'
import { loginPageAnswer } from './login-page.ts'
import { parseReturnTo } from './return-to.ts'

const challenge = headerBlock([['www-authenticate', 'Bearer realm="api"']])
const wrongWords = 'The user name or the password is wrong.'
/** What people are told while nobody can tell who they are. */
export const busyWords = 'Logins cannot be checked at the moment. Please try again shortly.'

/** Where people log in by password: `POST login` for programs, pages and forms, `GET login` for the page itself. */
export function loginEndpoints(parts: IdentityParts): Endpoint[] {
  const door = doorOf(parts)
  const desk = createClientDesk(parts)
  const { path } = door
  return [
    { method: 'GET', path, isSameSiteOnly: false, handle: (x) => showPage(x, door) },
    { method: 'POST', path, isSameSiteOnly: true, handle: (x) => login(x, door, desk) },
  ]
}

interface LoginDoor {
  readonly parts: IdentityParts
  readonly path: string
  readonly place: string
  readonly providers: readonly ProviderButton[]
  readonly passkeyPath: string | undefined
}

function doorOf(parts: IdentityParts): LoginDoor {
  const providers = (parts.spec.providers ?? []).map(({ name, label }) => ({ label, path: `${parts.path}/oidc/${name}` }))
  const passkeyPath = parts.spec.passkeys === undefined ? undefined : `${parts.path}/passkey/login`
  return { parts, path: `${parts.path}/login`, place: new URL(parts.spec.issuer).host, providers, passkeyPath }
}

/** A login that came to nothing: the login page with a word about it for browsers, a problem for whoever does not ask for a page. */
export function loginFailure(
  x: Exchange,
  parts: IdentityParts,
  status: 401 | 503,
  text: string,
  returnTo: string | undefined,
): Answer {
  const kind = status === 401 ? 'failed' : 'busy'
  const wanted = x.headers.single(H.accept) ?? ''
  if (wanted.includes('text/html')) return pageAnswer(status, doorOf(parts), x, { returnTo }, { kind, text })
  const [name, headers] = status === 401 ? (['invalid-credential', challenge] as const) : (['unavailable', undefined] as const)
  return x.renderProblem({ name, detail: text, headers }, x)
}

function showPage(x: Exchange, door: LoginDoor): Answer {
  const returnTo = parseReturnTo(new URLSearchParams(x.query ?? '').get('return_to'), door.path)
  return pageAnswer(200, door, x, { returnTo })
}

async function login(x: Exchange, door: LoginDoor, desk: ClientDesk): Promise<Answer> {
  const { parts, path } = door
  const fields = await readFields(x)
  if (!areFields(fields)) return x.renderProblem(fields, x)
  const isForm = isFormLogin(x)
  const deliver = fields.get('deliver') ?? 'session'
  // Before the password: what is asked for must not tell whether that was right.
  const fault = deliveryFault(deliver, parts.spec.tokens.deliver)
  if (fault !== undefined) return x.renderProblem(fault, x)
  const userName = fields.get('username') ?? ''
  const form: FormState | undefined = isForm ? { returnTo: parseReturnTo(fields.get('return_to'), path), userName } : undefined
  if (!isForm && (fields.get('username') === undefined || fields.get('password') === undefined))
    return x.renderProblem({ name: 'malformed', detail: 'Send username and password.' }, x)
  let client: string | undefined
  if (deliver === 'token' && isByClient(x, fields)) {
    // A program that proves itself gets tokens that nobody else can refresh.
    const proof = await desk(x, fields)
    if (!('kind' in proof)) return proof
    if (proof.kind === 'valid') client = proof.client.id
  }
  let outcome: LoginOutcome
  try {
    outcome = await judge(x, fields, door)
    if (outcome.kind === 'proved') return await enter(outcome, deliver as Delivery, x, door, form, client)
  } catch (thrown) {
    if (form === undefined || !(thrown instanceof Fault) || thrown.code !== 'store-down') throw thrown
    return retryLater(pageAnswer(503, door, x, form, { kind: 'busy', text: busyWords }), 1)
  }
  if (outcome.kind === 'refused') return refused(x, door, form)
  const seconds = Math.max(1, Math.ceil(outcome.retryAfterMs / 1000))
  return outcome.kind === 'locked' ? locked(x, door, form, seconds) : full(x, door, form, seconds)
}

function judge(x: Exchange, fields: PostedFields, { parts }: LoginDoor): Promise<LoginOutcome> {
  const device = readCookie(x, cookieNames.device)
  const attempt: LoginAttempt = {
    name: fields.get('username') ?? '',
    password: fields.get('password') ?? '',
    address: x.clientAddress,
    device: device ?? undefined,
    request: x.id,
  }
  return askLogin(attempt, parts.env)
}

/** Whether a program says who it is; a bearer token that it sends by habit says nothing here. */
function isByClient(x: Exchange, fields: PostedFields): boolean {
  return fields.has('client_secret') || /^basic /i.test(x.headers.first(H.authorization) ?? '')
}

interface FormState {
  readonly returnTo: string | undefined
  readonly userName: string
}

async function enter(
  { account, generation, device }: Extract<LoginOutcome, { kind: 'proved' }>,
  deliver: Delivery,
  x: Exchange,
  { parts }: LoginDoor,
  form: FormState | undefined,
  client: string | undefined,
): Promise<Answer> {
  const by: Login = { account, methods: ['pwd'], generation }
  const onwards = form === undefined ? undefined : privateRedirect(form.returnTo ?? '/')
  const answer = await deliverLogin(by, deliver, x, parts, { client, onwards })
  if (deliver !== 'token') answer.headers.append('set-cookie', setCookie(cookieNames.device, device, 'lax', deviceCookieMs / 1000))
  return answer
}

function refused(x: Exchange, door: LoginDoor, form: FormState | undefined): Answer {
  if (form !== undefined) return pageAnswer(401, door, x, form, { kind: 'wrong', text: wrongWords })
  return x.renderProblem({ name: 'invalid-credential', detail: wrongWords, headers: challenge }, x)
}

function locked(x: Exchange, door: LoginDoor, form: FormState | undefined, seconds: number): Answer {
  const text = `There were too many failed logins. Try again in ${waitWords(seconds)}.`
  if (form !== undefined) return retryLater(pageAnswer(429, door, x, form, { kind: 'locked', text }), seconds)
  return retryLater(x.renderProblem({ name: 'abnormal-usage', detail: text }, x), seconds)
}

function full(x: Exchange, door: LoginDoor, form: FormState | undefined, seconds: number): Answer {
  if (form !== undefined) return retryLater(pageAnswer(503, door, x, form, { kind: 'busy', text: busyWords }), seconds)
  return retryLater(x.renderProblem({ name: 'reduced-capacity', detail: 'Too many logins are under way.' }, x), seconds)
}

/** Says when to try again. */
export function retryLater(answer: Answer, seconds: number): Answer {
  answer.headers.set('retry-after', String(seconds))
  return answer
}

function waitWords(seconds: number): string {
  if (seconds === 1) return 'a second'
  return seconds < 120 ? `${seconds} seconds` : `${Math.ceil(seconds / 60)} minutes`
}

function pageAnswer(
  status: number,
  door: LoginDoor,
  x: Exchange,
  { returnTo, userName = '' }: { readonly returnTo: string | undefined; readonly userName?: string },
  message?: LoginPage['message'],
): Answer {
  const { path, providers, passkeyPath } = door
  // The host that was asked for, as the address bar shows it.
  const place = x.authority === '' ? door.place : x.authority
  const typed = userName.slice(0, 128).toWellFormed()
  return loginPageAnswer(status, { place, action: path, returnTo, userName: typed, message, providers, passkeyPath })
}

/** Whether pages are answered rather than JSON: a form was posted, by something that does not ask for JSON. */
function isFormLogin(x: Exchange): boolean {
  if (typeOf(x) !== 'application/x-www-form-urlencoded') return false
  const wanted = x.headers.single(H.accept) ?? ''
  return wanted.includes('text/html') || !wanted.includes('json')
}
