import type { GatewayModel } from '../config/model.ts'
import { emptyAnswer } from '../core/answer.ts'
import type { Answer } from '../core/answer.ts'
import type { Exchange } from '../core/exchange.ts'
import { Slot } from '../core/exchange.ts'
import type { MaybePromise } from '../core/handler.ts'
import { isPromise } from '../core/handler.ts'
import { ManualClock } from '../core/manual-clock.ts'
import { problems } from '../core/problem.ts'
import type { Authenticator, Authenticators } from '../identity/authenticators.ts'
import { KnownIdentity } from '../identity/known-identity.ts'
import { Rejection } from '../identity/rejection.ts'
import { credentialKinds } from '../core/identity.ts'
import type { CredentialKind } from '../core/identity.ts'
import { createMemoryStores } from '../stores/memory/memory-stores.ts'
import { exchangeOf, UntoldBody } from './explain-exchange.ts'
import { QuestionError } from './explanation.ts'
import { openInProcess } from './in-process.ts'
import type { InProcess } from './in-process.ts'
import type { RecordedRequest } from './recorded-request.ts'

/** What a configuration decides about a recorded request. */
export interface ReplayedOutcome {
  /** `refused`, `passes` to its route, `unrouted`; `unknown`: that depends on what the log does not tell. */
  readonly kind: 'refused' | 'passes' | 'unrouted' | 'unknown'
  readonly route: string | undefined
  readonly status: number
  readonly policy: string | undefined
  readonly code: string | undefined
  readonly label: string | undefined
  /** Where the rule stands in the configuration. */
  readonly source: string | undefined
  readonly words: string
}

const recorded = new Slot<RecordedRequest>()
/** Exchanges that are under way at one time, at most; more are ended early. */
const mostUnderWay = 10_000
const maxKeys = 1_048_576

interface UnderWay {
  readonly endsAt: number
  readonly end: () => void
}

/**
 * One configuration that decides about recorded requests, on the log's own clock: each begins when it began and holds its
 * places for as long as it took. Services are not called; they answer what they answered then.
 */
export class ReplayStage {
  readonly #model: GatewayModel
  readonly #clock: ManualClock
  readonly #gateway: InProcess
  /** Names of routes of which a service decides who may pass. */
  readonly #external: ReadonlySet<string>
  /** Sorted by their ends. */
  readonly #underWay: UnderWay[] = []

  private constructor(model: GatewayModel, clock: ManualClock, gateway: InProcess) {
    this.#model = model
    this.#clock = clock
    this.#gateway = gateway
    this.#external = new Set(model.routes.filter(({ auth }) => auth.external !== undefined).map(({ name }) => name))
  }

  /** Opens a configuration at the moment of the first request. */
  static async open(model: GatewayModel, startAt: number): Promise<ReplayStage> {
    const clock = new ManualClock(startAt)
    const gateway = await openInProcess({
      model: verdictsOnly(model),
      clock,
      store: { stores: createMemoryStores(clock), secrets: ['a secret of replays, which protects nothing'] },
      createService: () => ({
        service: (_call, x) => {
          x.attempts = 1
          return emptyAnswer(recorded.get(x)?.status ?? 200)
        },
        targets: [],
        close() {},
      }),
      recognise: (authenticators) => recognising(authenticators),
      maxKeys,
    })
    await gateway.generation.ready
    return new ReplayStage(model, clock, gateway)
  }

  /** Decides about the next request; they come in the order of their times. */
  async decide(request: RecordedRequest): Promise<ReplayedOutcome> {
    this.#moveTo(request.at)
    // Logging in would have to be done again, and cannot be: passwords are in no log.
    if (isOfIdentity(request, this.#model)) return recordedOutcome(request)
    let x: Exchange
    try {
      x = this.#exchange(request)
    } catch (thrown) {
      if (!(thrown instanceof QuestionError)) throw thrown
      return unknown(`it cannot be asked again: ${thrown.message}`)
    }
    recorded.set(x, request)
    const served = this.#gateway.generation.served(x.connection.listener)!
    const answer = await this.#settled(served.handle(x))
    if (answer === undefined) return unknown('it is still held back when the log ends')
    const end = (): void => {
      const endedAt = this.#clock.monotonic()
      served.done(x, { end: 'complete', status: answer.status, fault: undefined, receivedBytes: 0, sentBytes: 0, endedAt })
    }
    // What was refused is over at once, however long it took then.
    if (x.refusedBy === undefined) this.#hold({ endsAt: request.at + request.durationMs, end })
    else end()
    const outcome = outcomeOf(x, answer, request)
    // Whom it let pass then, it would let pass again, as far as anybody can tell.
    const isOthers = outcome.kind === 'passes' && this.#external.has(outcome.route!) && recordedOutcome(request).kind !== 'passes'
    return isOthers ? unknown('a service decides about that (auth.external), and is not asked', outcome.route) : outcome
  }

  close(): void {
    for (const { end } of this.#underWay) end()
    this.#gateway.close()
  }

  #exchange(request: RecordedRequest): Exchange {
    const { method, host, path, query, address, contentType, length, headers, isTls } = request
    const lines: [string, string][] = [['host', host], ...headers.map(([name, value]): [string, string] => [name, value])]
    if (contentType !== undefined) lines.push(['content-type', contentType])
    if (length > 0) lines.push(['content-length', String(Math.min(length, 1e15 - 1))])
    const listener = this.#model.listeners.find(({ name }) => name === request.listener)?.name
    const url = `${path}${query === undefined ? '' : `?${query}`}`
    return exchangeOf(
      {
        method,
        url: listener === undefined && host !== '' ? `${isTls ? 'https' : 'http'}://${host}${url}` : url,
        headers: lines,
        address: address === '' ? '127.0.0.1' : address,
        listener,
      },
      this.#model,
      this.#clock,
    )
  }

  /** An answer that waits for its turn (shaping) lets time pass: others may be decided about only afterwards. */
  async #settled(answer: MaybePromise<Answer>): Promise<Answer | undefined> {
    if (!isPromise(answer)) return answer
    let settled: Answer | undefined
    const note = (late: Answer): void => {
      settled = late
    }
    void answer.then(note)
    for (let waitedMs = 0; waitedMs <= 60_000; waitedMs += 100) {
      await new Promise((resolve) => void setImmediate(resolve))
      if (settled !== undefined) return settled
      this.#moveTo(this.#clock.now() + 100)
    }
    return undefined
  }

  #hold(underWay: UnderWay): void {
    if (this.#underWay.length >= mostUnderWay) this.#underWay.shift()!.end()
    let low = 0
    let high = this.#underWay.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#underWay[middle].endsAt <= underWay.endsAt) low = middle + 1
      else high = middle
    }
    this.#underWay.splice(low, 0, underWay)
  }

  #moveTo(at: number): void {
    while (this.#underWay.length > 0 && this.#underWay[0].endsAt <= at) {
      const { endsAt, end } = this.#underWay.shift()!
      if (endsAt > this.#clock.now()) this.#clock.advance(endsAt - this.#clock.now())
      end()
    }
    if (at > this.#clock.now()) this.#clock.advance(at - this.#clock.now())
  }
}

/** A configuration without what only matters behind the verdicts. */
function verdictsOnly(model: GatewayModel): GatewayModel {
  const services: GatewayModel['services'] = model.services.map((service) => ({ ...service, identity: 'none' }))
  const routes = model.routes.map((route): GatewayModel['routes'][number] => {
    const { action, auth } = route
    const rest = { ...route, auth: { ...auth, external: undefined } }
    return action.kind === 'to' ? { ...rest, action: { ...action, bridges: [], mirror: undefined } } : rest
  })
  return { ...model, services, routes }
}

function isOfIdentity({ path }: RecordedRequest, { identity }: GatewayModel): boolean {
  return identity.own !== undefined && (path === identity.path || path.startsWith(`${identity.path}/`))
}

function outcomeOf(x: Exchange, answer: Answer, request: RecordedRequest): ReplayedOutcome {
  const { refusal, refusedBy, route } = x
  const place = { route: route?.name, status: answer.status }
  if (refusal !== undefined && refusedBy !== undefined) {
    const words = refusal.words?.() ?? refusal.code
    if (refusal.code === 'no-credential' && request.caller === undefined && request.refused?.policy !== 'auth') {
      return unknown('the route needs a credential, and the log does not tell whether there was one', route?.name)
    }
    const { code, label, rule } = refusal
    return { ...place, kind: 'refused', policy: refusedBy.name, code, label, source: rule ?? refusedBy.source, words }
  }
  const rest = { policy: undefined, code: undefined, label: undefined, source: undefined }
  if (x.body instanceof UntoldBody && x.body.isAsked)
    return unknown('that depends on its content, which is not in the log', route?.name)
  if (route === undefined)
    return { ...place, ...rest, kind: 'unrouted', words: `answered with ${answer.status}: no route takes it` }
  return { ...place, ...rest, kind: 'passes', words: `passes on route ${route.name}` }
}

function unknown(words: string, route?: string): ReplayedOutcome {
  return { kind: 'unknown', route, status: 0, policy: undefined, code: undefined, label: undefined, source: undefined, words }
}

/** How a recorded request was decided about then. */
export function recordedOutcome({ refused, route, status }: RecordedRequest): ReplayedOutcome {
  const rest = { route, status, label: undefined, source: undefined }
  if (refused !== undefined) {
    const { policy, code } = refused
    return { ...rest, kind: 'refused', policy, code, words: `refused by ${policy} (${code})` }
  }
  const none = { policy: undefined, code: undefined }
  if (route === undefined) return { ...rest, ...none, kind: 'unrouted', words: `answered with ${status}: no route took it` }
  return { ...rest, ...none, kind: 'passes', words: `passed on route ${route}` }
}

function recognising(authenticators: Authenticators): Authenticators {
  return Object.fromEntries(Object.values(authenticators).map((one) => [one.kind, recognisingRecorded(one.kind)]))
}

/** Credentials are not in a log, but who was known by them is; and whose was not valid stays so. */
function recognisingRecorded(kind: CredentialKind): Authenticator {
  return {
    kind,
    presented(x) {
      const request = recorded.get(x)
      if (request?.caller !== undefined) return request.caller.kind === kind ? request.caller.subject : undefined
      return isRejected(request) ? '' : undefined
    },
    verify(_credential, x) {
      const { caller, refused, at } = recorded.get(x)!
      if (caller === undefined) return new Rejection(refused!.code, 'The credential was not valid then.')
      return new KnownIdentity({
        kind: credentialKinds.find((one) => one === caller.kind) ?? kind,
        issuer: caller.issuer,
        subject: caller.subject,
        tenant: caller.tenant,
        client: caller.client,
        scopes: caller.scopes,
        roles: caller.roles,
        claims: caller.claims,
        expiresAt: at + 3_600_000,
        session: undefined,
        credentialId: undefined,
      })
    },
  }
}

/** Whether a credential was presented and was not valid; what the code of another 401 or 403 says is about callers known. */
function isRejected(request: RecordedRequest | undefined): boolean {
  const refused = request?.refused
  return (
    refused !== undefined &&
    refused.policy === 'auth' &&
    refused.code !== 'no-credential' &&
    request?.status === problems['invalid-credential'].status
  )
}
