import type { GatewayModel } from '../config/model.ts'
import type { Clock } from '../core/clock.ts'
import type { Exchange } from '../core/exchange.ts'
import { credentialKinds } from '../core/identity.ts'
import type { CredentialKind, Identity } from '../core/identity.ts'
import { peekAll } from '../core/pipeline.ts'
import type { Policy } from '../core/policy.ts'
import { problems } from '../core/problem.ts'
import type { Problem } from '../core/problem.ts'
import type { Verdict } from '../core/verdict.ts'
import type { Dispatch } from '../identity/dispatch.ts'
import { KnownIdentity } from '../identity/known-identity.ts'
import type { FindRoute, ReadyRoute } from './compile-routes.ts'
import { noRoute, oddityOf } from './compile-routes.ts'
import { exchangeOf, UntoldBody } from './explain-exchange.ts'
import type { AssumedCaller, ExplainedStep, ExplainQuestion, Explanation } from './explanation.ts'
import { QuestionError } from './explanation.ts'
import type { Guard } from './guard.ts'

/** What of a Generation is asked. */
export interface ExplainParts {
  readonly model: GatewayModel
  readonly clock: Clock
  readonly guard: Guard
  readonly isMisdirected: (x: Exchange) => boolean
  /** What stands before routing, by listener. */
  readonly edges: ReadonlyMap<string, readonly Policy[]>
  readonly dispatch: Dispatch | undefined
  readonly find: FindRoute
}

/** What a Generation knows of a question; near misses and services are known to main. */
export type PartialExplanation = Omit<Explanation, 'state' | 'nearMisses' | 'summary'>
export type Explain = (question: ExplainQuestion) => Promise<PartialExplanation>

/**
 * Tells what a Generation would do with a request: every policy is asked to peek, also those behind a refusal. Nothing is
 * charged, minted or sent. Rejects with a QuestionError when the question cannot be one.
 */
export function createExplain(parts: ExplainParts): Explain {
  return async (question) => {
    const x = exchangeOf(question, parts.model, parts.clock)
    const story = new Story(x)
    const route = await tell(story, x, question, parts)
    const { identity } = x
    return {
      generation: parts.model.hash,
      request: {
        method: x.method,
        scheme: x.scheme,
        host: x.authority,
        path: x.path,
        query: x.query,
        listener: x.connection.listener,
        address: x.clientAddress,
      },
      outcome: story.outcome,
      route: route === undefined ? undefined : { name: route.name, source: route.model.source, params: paramsOf(x, route) },
      identity: identity === undefined ? undefined : identityOf(identity, question.caller !== undefined),
      steps: story.steps,
      services: route?.model.action.kind === 'to' ? servicesOf(route.model.action.services) : [],
      notes: [...notesOf(x, question, route), ...loginNotes(story.outcome, route, parts.model)],
    }
  }
}

/** Walks the way of an exchange; gives the route that it finds. */
async function tell(story: Story, x: Exchange, question: ExplainQuestion, parts: ExplainParts): Promise<ReadyRoute | undefined> {
  const { model, guard, isMisdirected, edges, dispatch, find } = parts
  const unreadable = guard(x)
  if (unreadable !== undefined) {
    story.refuse('path', 'guard', '', 'unreadable', unreadable, unreadable.detail ?? 'The request cannot be read.')
    return undefined
  }
  if (isMisdirected(x)) {
    const words = `The certificate of this listener is not for ${x.authority}.`
    story.refuse('host', 'guard', `listeners.${x.connection.listener}.tls`, 'misdirected', { name: 'misdirected' }, words)
  }
  await story.ask(edges.get(x.connection.listener) ?? [])
  const listener = model.listeners.find(({ name }) => name === x.connection.listener)
  if (listener?.redirectPort !== undefined) {
    const words = `This listener leads everything to https, on port ${listener.redirectPort}.`
    story.answer('redirect', 'guard', `listeners.${listener.name}.redirect`, 'redirected', 308, words)
    return undefined
  }
  if (tellIdentity(story, x, dispatch, model)) return undefined
  return tellRoute(story, x, question, find(x), model)
}

/** Whether one of identity's own addresses is asked. */
function tellIdentity(story: Story, x: Exchange, dispatch: Dispatch | undefined, { identity }: GatewayModel): boolean {
  const found = dispatch?.(x)
  if (found === undefined) return false
  if ('handle' in found) {
    const words = `This is the gateway's own ${found.method} ${found.path}; it stands before all routes.`
    story.answer('identity', 'routing', 'identity.path', 'endpoint', undefined, words)
  } else {
    const why = {
      'no-route': `Below ${identity.path} there are only the gateway's own addresses, and this is none of them.`,
      'method-not-allowed': "This address of the gateway's own takes other methods.",
      'cross-site': 'A page of another site must not be able to cause this.',
    } as const
    const { name } = found
    story.refuse('identity', 'routing', 'identity.path', name, found, why[name as keyof typeof why])
  }
  return true
}

async function tellRoute(
  story: Story,
  x: Exchange,
  question: ExplainQuestion,
  hit: ReturnType<FindRoute>,
  model: GatewayModel,
): Promise<ReadyRoute | undefined> {
  const route = hit?.route
  const oddity = oddityOf(x, hit)
  if (oddity !== undefined) {
    const source = route === undefined ? 'routes' : `${route.model.source}.match.allow`
    story.refuse('routes', 'routing', source, x.hasEncodedSlash ? 'encoded-slash' : 'semicolon', oddity, oddity.detail!)
    if (route === undefined) return undefined
  }
  if (hit === undefined) {
    story.refuse('routes', 'routing', 'routes', 'no-route', noRoute, 'No route matches this request.')
    return undefined
  }
  if (route === undefined) {
    const [, allow] = hit.problem.headers!.pairs[0]
    story.refuse('routes', 'routing', 'routes', 'method-not-allowed', hit.problem, `Here the methods ${allow} are taken.`)
    return undefined
  }
  x.route = route
  x.params = hit.params
  route.speak?.(x)
  const { action, source, auth } = route.model
  if (question.caller !== undefined) x.identity = assumedIdentity(question.caller, auth.any, model)
  await story.ask(route.policies)
  if (action.kind === 'redirect') {
    story.answer('redirect', 'end', `${source}.redirect`, 'redirected', action.status, `The route leads to ${action.to}.`)
  } else if (action.kind === 'respond') {
    story.answer(
      'respond',
      'end',
      `${source}.respond`,
      'responded',
      action.status,
      'The route is answered here, with a fixed answer.',
    )
  }
  return route
}

/** The steps so far, and the one among them that ends the exchange. */
class Story {
  readonly steps: ExplainedStep[] = []
  outcome: ExplainedStep | undefined
  readonly #x: Exchange

  constructor(x: Exchange) {
    this.#x = x
  }

  /** Peeks into each of these; they may build on what those before them established. */
  async ask(policies: readonly Policy[]): Promise<void> {
    for (const policy of policies) {
      const { body } = this.#x
      if (body instanceof UntoldBody) body.isAsked = false
      const [verdict] = await peekAll([policy], this.#x)
      const isUntold = body instanceof UntoldBody && body.isAsked
      this.add(stepOf(policy, isUntold ? untold : verdict))
    }
  }

  refuse(policy: string, stage: string, source: string, code: string, problem: Problem, words: string): void {
    this.add({ policy, stage, source, decision: 'refuses', code, words, ...problemFacts(problem) })
  }

  answer(policy: string, stage: string, source: string, code: string, status: number | undefined, words: string): void {
    this.add({ policy, stage, source, decision: 'answers', code, words, ...(status === undefined ? {} : { status }) })
  }

  add(step: Omit<ExplainedStep, 'isReached'>): void {
    const added = { ...step, isReached: this.outcome === undefined }
    this.steps.push(added)
    if (step.decision === 'refuses' || step.decision === 'answers') this.outcome ??= added
  }
}

const untold = 'untold'

function stepOf(policy: Policy, verdict: Verdict | undefined | typeof untold): Omit<ExplainedStep, 'isReached'> {
  const place = { policy: policy.name, stage: policy.stage, source: policy.source }
  if (verdict === undefined) return { ...place, decision: 'acts', code: '', words: 'It refuses nothing; it works on what passes.' }
  if (verdict === untold) {
    return {
      ...place,
      decision: 'unknown',
      code: 'content-unknown',
      words: 'That depends on the content of the request, which was not told.',
    }
  }
  const told = { ...place, source: verdict.rule ?? place.source, code: verdict.code, words: verdict.words?.() ?? verdict.code }
  if (verdict.isOpen === true) return { ...told, decision: 'unknown' }
  if (verdict.refusal !== undefined) {
    return {
      ...told,
      decision: 'refuses',
      ...problemFacts(verdict.refusal),
      ...(verdict.label === undefined ? {} : { label: verdict.label }),
    }
  }
  if (verdict.shadowed !== undefined) return { ...told, decision: 'would-refuse', ...problemFacts(verdict.shadowed) }
  return verdict.answers === undefined ? { ...told, decision: 'passes' } : { ...told, decision: 'answers', status: verdict.answers }
}

/** What a client would be told. */
export function problemFacts({ name, headers }: Problem): Pick<ExplainedStep, 'status' | 'problem' | 'retryAfter'> {
  const { status, type } = problems[name]
  const retryAfter = headers?.pairs.find(([header]) => header === 'retry-after')?.[1]
  return { status, problem: type, ...(retryAfter === undefined ? {} : { retryAfter: Number(retryAfter) }) }
}

/** Who somebody is whose credential is taken for granted. Throws a QuestionError for a kind that there is not. */
export function assumedIdentity(caller: AssumedCaller, accepted: readonly CredentialKind[], { identity }: GatewayModel): Identity {
  const { subject, tenant, client, roles = [], claims } = caller
  const kind = caller.kind ?? accepted[0] ?? 'bearer'
  if (!isKind(kind)) throw new QuestionError(`${JSON.stringify(kind)} is no kind of credential: use ${credentialKinds.join(', ')}`)
  const granted = identity.own?.roles.flatMap(([role, scopes]) => (roles.includes(role) ? scopes : [])) ?? []
  return new KnownIdentity({
    kind,
    issuer: caller.issuer ?? identity.own?.issuer ?? identity.trustedIssuers[0]?.issuer ?? '',
    subject,
    tenant,
    client,
    scopes: caller.scopes ?? [...new Set(granted)],
    roles,
    claims,
    expiresAt: Infinity,
    session: undefined,
    credentialId: undefined,
  })
}

function isKind(kind: string): kind is CredentialKind {
  return (credentialKinds as readonly string[]).includes(kind)
}

function identityOf(
  { kind, issuer, subject, tenant, client, scopes, roles }: Identity,
  isAssumed: boolean,
): Explanation['identity'] {
  return { kind, issuer, subject, tenant, client, scopes, roles, isAssumed }
}

function paramsOf(x: Exchange, { paramNames }: ReadyRoute): Record<string, string> {
  return Object.fromEntries(paramNames.flatMap((name, i) => (x.params[i] === undefined ? [] : [[name, x.params[i]]])))
}

function servicesOf(drawn: readonly { readonly service: string; readonly weight: number }[]): Explanation['services'] {
  return drawn.map(({ service, weight }) => ({ name: service, weight }))
}

function notesOf(x: Exchange, { address, caller }: ExplainQuestion, route: ReadyRoute | undefined): string[] {
  const notes: string[] = []
  if (address === undefined) notes.push('The request is taken to come from 127.0.0.1: name another address where that matters.')
  if (caller !== undefined && caller.roles === undefined && caller.scopes === undefined && needsMore(route)) {
    notes.push(`${caller.subject} is taken to have no scopes and roles: name them where they matter.`)
  }
  if (x.route !== undefined && route?.model.action.kind === 'to' && (route.model.action.bridges ?? []).length > 0) {
    notes.push('The route has bridges: whether they know the method that is called is found out when it is.')
  }
  return notes
}

/** A person who navigates gets no 401. */
function loginNotes(outcome: ExplainedStep | undefined, route: ReadyRoute | undefined, { identity }: GatewayModel): string[] {
  const isLed = outcome?.status === 401 && identity.own !== undefined && route?.model.auth.any.includes('session') === true
  return isLed ? [`A browser that navigates here is led to ${identity.path}/login instead.`] : []
}

function needsMore(route: ReadyRoute | undefined): boolean {
  return route !== undefined && route.model.auth.scopes.length + route.model.auth.roles.length > 0
}
