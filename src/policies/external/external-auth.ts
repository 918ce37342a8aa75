import type { Answer } from '../../core/answer.ts'
import { BytesBody, emptyBody, readAll } from '../../core/body.ts'
import type { Body } from '../../core/body.ts'
import { Slot } from '../../core/exchange.ts'
import type { Exchange } from '../../core/exchange.ts'
import { faultFrom } from '../../core/fault.ts'
import type { Fault } from '../../core/fault.ts'
import type { MaybePromise } from '../../core/handler.ts'
import { Headers, headerBlock } from '../../core/headers.ts'
import type { Count } from '../../core/meter.ts'
import type { DecideMode, Policy } from '../../core/policy.ts'
import { renderHttpProblem } from '../../core/problem.ts'
import type { ProblemName } from '../../core/problem.ts'
import type { RequestEdit } from '../../core/request-edits.ts'
import { pass, refuse } from '../../core/verdict.ts'
import type { Verdict } from '../../core/verdict.ts'
import type { PolicyEnv } from '../policy-kind.ts'
import type { AskService } from '../service-ask.ts'
import { DecisionMemory } from './decision-memory.ts'
import { readDecision } from './external-decision.ts'
import type { ExternalDecision } from './external-decision.ts'
import type { ExternalOptions } from './external-options.ts'
import { QuestionMaker } from './external-question.ts'

const decisions = new Slot<ExternalDecision>()
const retrySoon = headerBlock([['retry-after', '1']])
const noStore = headerBlock([['cache-control', 'no-store']])
const challenge = headerBlock([['www-authenticate', 'External realm="api"']])
type Result = 'allowed' | 'refused' | 'cached' | 'stale' | 'failed' | 'timeout'

const undecidedWords = 'Whether this is allowed cannot be decided at the moment.'

const wouldAsk: Verdict = { ...pass('would-ask', () => 'The authoriser would be asked.'), isOpen: true }

/**
 * Asks a service whether a request may pass (forward auth). What it says is judged, never believed beyond its part: it
 * permits or refuses, and hands on the headers that the configuration names. While it cannot be asked nothing passes,
 * unless the configuration lets what was permitted before go on.
 */
export class ExternalAuth implements Policy {
  readonly name = 'auth'
  readonly stage = 'authorise'
  readonly source: string
  readonly #options: ExternalOptions
  readonly #env: PolicyEnv
  readonly #ask: AskService
  readonly #questions: QuestionMaker
  readonly #memory: DecisionMemory | undefined
  readonly #asking = new Map<string, Promise<ExternalDecision>>()
  readonly #counts: Readonly<Record<Result, Count>>
  #isFailing = false

  constructor(options: ExternalOptions, send: readonly string[], ask: AskService, env: PolicyEnv) {
    this.source = `${env.source}.external`
    this.#options = options
    this.#env = env
    this.#ask = ask
    this.#questions = new QuestionMaker(options.method, options.path, send)
    this.#memory = options.cacheMs + options.staleMs > 0 ? new DecisionMemory(options.cacheMs, options.staleMs) : undefined
    const counted = (result: Result): Count =>
      env.meter.counter('velum_auth_external_total', 'Requests about which an external authoriser decided, by what came of it.', {
        route: env.route.name,
        result,
      })
    this.#counts = {
      allowed: counted('allowed'),
      refused: counted('refused'),
      cached: counted('cached'),
      stale: counted('stale'),
      failed: counted('failed'),
      timeout: counted('timeout'),
    }
  }

  /** What the service behind the route sees of the decision. Names that are handed on are never the client's. */
  readonly requestEdit: RequestEdit = (headers, x) => {
    for (const name of this.#options.toService) headers.remove(name)
    const decision = decisions.get(x)
    if (decision !== undefined) for (const [name, value] of decision.toService) headers.append(name, value)
  }

  decide(x: Exchange, mode: DecideMode): MaybePromise<Verdict> {
    const key = this.#memory === undefined ? '' : this.#questions.key(x)
    const kept = this.#memory?.fresh(key, this.#env.clock.monotonic())
    if (mode === 'peek') return kept === undefined ? wouldAsk : this.#verdict(kept)
    if (kept !== undefined) {
      this.#counts.cached.add()
      return this.#settle(kept, x)
    }
    return this.#decideAnew(key, x)
  }

  onHead(x: Exchange, answer: Answer): void {
    const decision = decisions.get(x)
    if (decision === undefined || decision.isAllowed || x.refusedBy !== this) return
    // Who speaks another protocol is told in its own words; there is no page to lead to.
    if (decision.status < 400 && x.renderProblem === renderHttpProblem) {
      answer.status = decision.status
      answer.headers = new Headers()
      answer.headers.put(noStore)
      answer.body = emptyBody
    }
    for (const name of new Set(decision.toClient.map(([line]) => line))) answer.headers.remove(name)
    for (const [name, value] of decision.toClient) answer.headers.append(name, value)
  }

  async #decideAnew(key: string, x: Exchange): Promise<Verdict> {
    // What is wrong with the client's body is the client's fault, and thrown as such.
    const body = await this.#bodyFor(x)
    try {
      const decision = await this.#asked(key, body, x)
      this.#counts[decision.isAllowed ? 'allowed' : 'refused'].add()
      if (this.#isFailing) this.#env.log.info('the authoriser decides again', { service: this.#options.service })
      this.#isFailing = false
      return this.#settle(decision, x)
    } catch (thrown) {
      return this.#failed(faultFrom(thrown), key, x)
    }
  }

  async #bodyFor(x: Exchange): Promise<Body> {
    const { maxBodyBytes } = this.#options
    if (maxBodyBytes === undefined) return emptyBody
    const bytes = await readAll(x.body, maxBodyBytes)
    x.body = new BytesBody(bytes)
    return new BytesBody(bytes)
  }

  /** One question for all who ask the same at one time, where decisions are kept. */
  #asked(key: string, body: Body, x: Exchange): Promise<ExternalDecision> {
    if (this.#options.cacheMs === 0) return this.#askNow(key, body, x)
    let asking = this.#asking.get(key)
    if (asking === undefined) {
      asking = this.#askNow(key, body, x).finally(() => this.#asking.delete(key))
      this.#asking.set(key, asking)
    }
    return asking
  }

  async #askNow(key: string, body: Body, x: Exchange): Promise<ExternalDecision> {
    const { method, path, timeoutMs, toService, toClient } = this.#options
    const { clock } = this.#env
    const headers = this.#questions.headers(x)
    if (this.#options.maxBodyBytes !== undefined) {
      const type = x.headers.get('content-type')
      if (type !== undefined) headers.set('content-type', type)
    }
    const answer = await this.#ask({ method, target: path, headers, body, headBy: clock.monotonic() + timeoutMs }, x)
    const decision = readDecision(answer, toService, toClient)
    this.#memory?.keep(key, decision, clock.monotonic())
    return decision
  }

  #settle(decision: ExternalDecision, x: Exchange): Verdict {
    decisions.set(x, decision)
    return this.#verdict(decision)
  }

  #verdict({ isAllowed, status }: ExternalDecision): Verdict {
    const words = (): string => `The authoriser answered ${status}.`
    if (isAllowed) return pass('allowed', words)
    const name = problemFor(status)
    return refuse(
      'refused',
      { name, policy: 'auth', ...(name === 'unauthenticated' ? { headers: challenge } : {}) },
      undefined,
      words,
    )
  }

  #failed(fault: Fault, key: string, x: Exchange): Verdict {
    if (fault.code === 'internal') throw fault
    const { service } = this.#options
    if (!this.#isFailing) this.#env.log.warn('the authoriser cannot be asked', { service, fault: fault.code, error: fault.message })
    this.#isFailing = true
    const isLate = fault.code === 'service-timeout'
    this.#counts[isLate ? 'timeout' : 'failed'].add()
    const stale = this.#memory?.stale(key, this.#env.clock.monotonic())
    if (stale !== undefined) {
      this.#counts.stale.add()
      decisions.set(x, stale)
      return pass('stale', () => `The authoriser cannot be asked (${fault.code}); it permitted the same before.`)
    }
    const problem = isLate
      ? ({ name: 'service-timeout', detail: undecidedWords, policy: 'auth' } as const)
      : ({ name: 'unavailable', detail: undecidedWords, policy: 'auth', headers: retrySoon } as const)
    return refuse(
      isLate ? 'late' : 'undecided',
      problem,
      undefined,
      () => `The authoriser cannot be asked: ${fault.code}, ${fault.message}.`,
    )
  }
}

function problemFor(status: number): ProblemName {
  if (status === 403) return 'forbidden'
  if (status === 404) return 'no-route'
  return status === 429 ? 'quota-exceeded' : 'unauthenticated'
}
