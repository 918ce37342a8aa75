import type { Answer } from '../../core/answer.ts'
import type { Wait } from '../../core/deadlines.ts'
import { Deadlines, endWait } from '../../core/deadlines.ts'
import type { Exchange } from '../../core/exchange.ts'
import { Slot } from '../../core/exchange.ts'
import { Fault } from '../../core/fault.ts'
import type { MaybePromise } from '../../core/handler.ts'
import { isPromise } from '../../core/handler.ts'
import { headerBlock } from '../../core/headers.ts'
import type { DecideMode, Outcome, Policy } from '../../core/policy.ts'
import type { ProblemName } from '../../core/problem.ts'
import type { Verdict } from '../../core/verdict.ts'
import { pass, refuse } from '../../core/verdict.ts'
import type { PolicyEnv } from '../policy-kind.ts'
import { CallMeter } from './call-meter.ts'
import type { AnyPolicy, PolicyDecision, PolicyHost, PolicyRefusal, RefusalStatus } from './define-policy.ts'
import { budgetsOf, defaultRecordBytes } from './define-policy.ts'
import { AnswerView, applyChanges, serviceHeaders } from './header-changes.ts'
import type { HeaderChanges } from './header-changes.ts'
import { readingOnly, WorkerRecords } from './records.ts'
import { plainCode, RefusalCodes } from './refusal-codes.ts'
import { viewOf } from './request-view.ts'

const passed = pass('passed', () => 'The policy lets the request pass.')
const passedWithHeaders = pass('passed', () => 'The policy lets the request pass, with header fields for the service.')
const untold: Verdict = {
  ...pass('not-asked', () => 'What the policy decides cannot be told in a peek: it does not declare `peek`.'),
  isOpen: true,
}

const problemByStatus: Readonly<Record<RefusalStatus, ProblemName>> = {
  400: 'malformed',
  403: 'forbidden',
  404: 'no-route',
  422: 'invalid-content',
  429: 'quota-exceeded',
  503: 'unavailable',
}

const toService = new Slot<HeaderChanges>()

/** What custom policies want changed for the service of this exchange. */
export function changesForService(x: Exchange): HeaderChanges | undefined {
  return toService.get(x)
}

/** What a custom policy is made of: its name in the configuration, its definition, and its options as the definition read them. */
export interface CustomParts {
  readonly name: string
  readonly source: string
  readonly definition: AnyPolicy
  readonly options: unknown
}

const defaultTimeoutMs = 1000

/** A policy of somebody else's on a route: measured, bounded, and answered for when it fails. */
export class CustomPolicy implements Policy {
  readonly name: string
  readonly stage = 'custom'
  readonly source: string
  readonly decide?: (x: Exchange, mode: DecideMode) => MaybePromise<Verdict>
  readonly onHead?: (x: Exchange, answer: Answer) => void
  readonly onDone?: (x: Exchange, outcome: Outcome) => void
  readonly #definition: AnyPolicy
  readonly #calls: CallMeter
  readonly #host: PolicyHost<unknown>
  readonly #peekHost: PolicyHost<unknown>
  readonly #codes: RefusalCodes
  readonly #deadlines: Deadlines
  readonly #failedAnswer: Verdict

  constructor({ name, source, definition, options }: CustomParts, env: PolicyEnv) {
    this.name = name
    this.source = source
    this.#definition = definition
    this.#calls = new CallMeter(name, budgetsOf(definition).ms, env)
    const maxBytes = definition.maxRecordBytes ?? defaultRecordBytes
    const records = env.hold.take(`policies/${name}`, () => new WorkerRecords(env.clock, maxBytes))
    records.maxBytes = maxBytes
    this.#codes = env.hold.take(`policies/${name}/codes`, () => new RefusalCodes())
    const { clock, log } = env
    const shared = {
      options,
      now: () => clock.now(),
      log: {
        info: (message: string, fields?: object) => log.info(message, { ...fields, policy: name }),
        warn: (message: string, fields?: object) => log.warn(message, { ...fields, policy: name }),
      },
    }
    this.#host = Object.freeze({ ...shared, records: guarded(records), isPeek: false })
    this.#peekHost = Object.freeze({ ...shared, records: readingOnly(records), isPeek: true })
    this.#deadlines = new Deadlines(clock, definition.timeoutMs ?? defaultTimeoutMs)
    this.#failedAnswer =
      definition.onError === 'pass'
        ? pass('failed', () => 'The policy failed; it is declared to let requests pass then.')
        : refuse('failed', { name: 'internal', policy: name }, undefined, () => 'The policy failed; it is declared to refuse then.')
    if (definition.decide !== undefined) this.decide = (x, mode) => this.#decide(x, mode)
    if (definition.onHead !== undefined) this.onHead = (x, answer) => this.#onHead(x, answer)
    if (definition.onDone !== undefined) this.onDone = (x, outcome) => this.#onDone(x, outcome)
  }

  #decide(x: Exchange, mode: DecideMode): MaybePromise<Verdict> {
    if (mode === 'peek' && this.#definition.peek !== true) return untold
    const startedAt = this.#calls.begin()
    let decision: MaybePromise<PolicyDecision>
    try {
      decision = this.#definition.decide!(viewOf(x), mode === 'peek' ? this.#peekHost : this.#host)
    } catch (thrown) {
      return this.#failed(thrown)
    } finally {
      this.#calls.end(startedAt)
    }
    return isPromise(decision) ? this.#inTime(x, decision, mode) : this.#verdict(x, decision, mode)
  }

  #inTime(x: Exchange, decision: Promise<PolicyDecision>, mode: DecideMode): Promise<Verdict> {
    return new Promise((resolve) => {
      const wait: Wait = this.#deadlines.add(() => resolve(this.#failed(new Error('it did not decide in time'))))
      const settled = (verdict: () => Verdict): void => {
        if (wait.isOver) return
        endWait(wait)
        resolve(verdict())
      }
      decision.then(
        (told) => settled(() => this.#verdict(x, told, mode)),
        (thrown: unknown) => settled(() => this.#failed(thrown)),
      )
    })
  }

  #verdict(x: Exchange, decision: PolicyDecision, mode: DecideMode): Verdict {
    if (decision === 'pass') return passed
    try {
      if (typeof decision !== 'object' || decision === null)
        throw new TypeError("a decision is 'pass', { headers } or { status, … }")
      if ('headers' in decision) {
        const changes = serviceHeaders(decision.headers)
        if (mode === 'charge') toService.set(x, [...(toService.get(x) ?? []), ...changes])
        return passedWithHeaders
      }
      return refusalVerdict(this.name, decision, this.#codes)
    } catch (thrown) {
      return this.#failed(thrown)
    }
  }

  #onHead(x: Exchange, answer: Answer): void {
    const view = new AnswerView(answer)
    const startedAt = this.#calls.begin()
    let failure: { readonly thrown: unknown } | undefined
    try {
      const returned: unknown = this.#definition.onHead!(viewOf(x), view, this.#host)
      if (isThenable(returned)) {
        returned.then(undefined, () => {})
        throw new TypeError('onHead gave a promise, and the head does not wait')
      }
    } catch (thrown) {
      failure = { thrown }
    } finally {
      this.#calls.end(startedAt)
    }
    if (failure === undefined) return applyChanges(answer.headers, view.changes)
    this.#calls.failed(failure.thrown)
    if (this.#definition.onError !== 'pass') throw new Fault('internal', `the policy ${this.name} failed`)
  }

  #onDone(x: Exchange, outcome: Outcome): void {
    const { end, status, receivedBytes, sentBytes, endedAt } = outcome
    const startedAt = this.#calls.begin()
    try {
      const told = { end, status, receivedBytes, sentBytes, durationMs: endedAt - x.startedMono }
      const returned: unknown = this.#definition.onDone!(viewOf(x), told, this.#host)
      if (isThenable(returned)) returned.then(undefined, (thrown: unknown) => this.#calls.failed(thrown))
    } catch (thrown) {
      this.#calls.failed(thrown)
    } finally {
      this.#calls.end(startedAt)
    }
  }

  #failed(thrown: unknown): Verdict {
    this.#calls.failed(thrown)
    return this.#failedAnswer
  }
}

/** No more of the records than a policy is promised. */
function guarded(records: WorkerRecords): PolicyHost<unknown>['records'] {
  return Object.freeze({
    get: (key: string) => records.get(key),
    set: (key: string, value: string, ttlMs: number) => records.set(key, value, ttlMs),
    remove: (key: string) => records.remove(key),
  })
}

const codePattern = /^[a-z0-9]+(?:-[a-z0-9]+)*$/

function refusalVerdict(policy: string, decision: PolicyRefusal, codes: RefusalCodes): Verdict {
  const { status, detail, code = plainCode, why, retryAfterSeconds = 1 } = decision
  if (!Object.hasOwn(problemByStatus, status)) {
    throw new TypeError(`a policy refuses with ${Object.keys(problemByStatus).join(', ')}, not with ${String(status)}`)
  }
  if (typeof code !== 'string' || !codePattern.test(code)) throw new TypeError('the code of a refusal is not kebab-case')
  for (const text of [detail, why])
    if (text !== undefined && typeof text !== 'string') throw new TypeError('what a refusal says is a text')
  if (!Number.isSafeInteger(retryAfterSeconds) || retryAfterSeconds < 1)
    throw new TypeError('retryAfterSeconds is a whole number from 1 on')
  const isLater = status === 429 || status === 503
  const headers = isLater ? headerBlock([['retry-after', String(retryAfterSeconds)]]) : undefined
  const words = (): string => why ?? detail ?? 'The policy refuses the request.'
  return refuse(
    codes.bounded(code),
    { name: problemByStatus[status], detail: detail?.slice(0, 500), policy, headers },
    undefined,
    words,
  )
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as PromiseLike<unknown>).then === 'function'
}
