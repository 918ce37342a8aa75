import type { Charge, LevelState } from '../core/counters.ts'
import type { Exchange } from '../core/exchange.ts'
import type { Fault } from '../core/fault.ts'
import { headerId } from '../core/header-names.ts'
import { headerBlock } from '../core/headers.ts'
import type { Count } from '../core/meter.ts'
import type { DecideMode } from '../core/policy.ts'
import type { Problem } from '../core/problem.ts'
import type { Verdict } from '../core/verdict.ts'
import { refuse } from '../core/verdict.ts'
import { durationText } from '../lib/duration.ts'
import { KeyReporter } from '../limits/key-reporter.ts'
import type { SeenKeys } from '../limits/key-reporter.ts'
import { LimitVoice, retrySeconds } from '../limits/limit-fields.ts'
import { keyReader } from '../limits/limit-key.ts'
import type { KeyReader } from '../limits/limit-key.ts'
import type { KeyPart, LimitSpec } from '../limits/limit-spec.ts'
import type { LimitEnv, LimitStep, LimitUse } from './limits.ts'

const help = 'Decisions of limits, by limit and decision.'
const retrySoon = headerBlock([['retry-after', '1']])
/** Refusals are prepared for waits of up to this many seconds; longer ones are made each time. */
const preparedSeconds = 120

/** One limit at one place: how it is asked and what its refusals look like. */
export class LimitLevel {
  readonly name: string
  readonly isShadow: boolean
  readonly missing: LimitSpec['missing']
  /** Taken for as long as the exchange lasts. */
  readonly isHeld: boolean
  /** The response header that says what the request really cost. */
  readonly settle: string | undefined
  readonly key: KeyReader
  readonly voice: LimitVoice
  readonly seen: SeenKeys
  readonly allowed: Count
  readonly refused: Count
  readonly skipped: Count
  readonly shadowRefused: Count
  /** The counters could not tell. */
  readonly failed: Count
  readonly #cost: number
  readonly #jitterMs: number
  readonly #random: () => number
  readonly #rule: string
  readonly #source: string
  readonly #per: string
  readonly #prepared: Verdict[] = []
  readonly #lacking: Verdict
  readonly #tooCostly: Verdict
  readonly #warnTooCostly: () => void

  constructor(spec: LimitSpec, use: LimitUse, step: LimitStep, env: LimitEnv) {
    const count = (decision: string): Count =>
      env.meter.counter('velum_limit_decisions_total', help, { limit: spec.name, decision })
    this.name = spec.name
    // A listener only names its limits; elsewhere the use says, and its default is the limit's.
    this.isShadow = use.shadow || (step.kind === 'edge' && spec.shadow)
    this.missing = spec.missing
    this.isHeld = spec.algorithm === 'concurrency'
    this.settle = use.settle?.toLowerCase()
    if (this.settle !== undefined) headerId(this.settle)
    this.key = keyReader(spec.per, step)
    this.voice = new LimitVoice(spec)
    this.seen = env.hold.take('limit-keys', () => new KeyReporter(env.link, env.clock)).of(spec.name)
    this.allowed = count('allowed')
    this.refused = count('refused')
    this.skipped = count('skipped')
    this.shadowRefused = count('shadow_refused')
    this.failed = count('failed')
    this.#cost = use.cost
    this.#jitterMs = spec.retryJitterMs ?? 0
    this.#random = env.random ?? Math.random
    this.#rule = ruleWords(spec)
    this.#source = use.source
    this.#per = spec.per.map(partWords).join(' and ')
    this.#lacking = this.#refusal('key-missing', 'The request lacks what this limit is counted by.', undefined, [this.name], () => {
      return `${this.name} is counted per ${this.#per}, which the request lacks`
    })
    this.#tooCostly = this.#refusal(
      'cost-above-capacity',
      'The request costs more than this limit ever allows.',
      undefined,
      [this.name],
      () => {
        return `a cost of ${this.#cost} never fits ${this.name} (${this.#rule})`
      },
    )
    let isWarned = false
    this.#warnTooCostly = () => {
      if (!isWarned)
        env.log.warn('a request costs more than its limit ever allows', { limit: this.name, cost: this.#cost, source: use.source })
      isWarned = true
    }
  }

  charge(x: Exchange): Charge {
    return { limit: this.name, key: this.key.read(x), cost: this.#cost }
  }

  refuseMissing(mode: DecideMode): Verdict {
    if (mode === 'charge') this.refused.add()
    return this.#lacking
  }

  /** The refusal of a request that has to wait this long; `violated` names all limits that refuse it. */
  refuse(retryAfterMs: number, violated: readonly string[], charge: Charge, mode: DecideMode): Verdict {
    if (retryAfterMs === Infinity) {
      this.#warnTooCostly()
      return violated.length === 1 ? this.#tooCostly : this.#over(undefined, violated, charge)
    }
    // Only ever later: what is told is never before the moment itself.
    const seconds = retrySeconds(this.#jitterMs === 0 ? retryAfterMs : retryAfterMs + this.#random() * this.#jitterMs)
    // Who only asks wants to read whose budget it is; who floods gets what is ready.
    if (violated.length > 1 || seconds > preparedSeconds || mode === 'peek') return this.#over(seconds, violated, charge)
    return (this.#prepared[seconds] ??= this.#over(seconds, violated, undefined))
  }

  /** The refusal of a request that could not be counted; nobody's fault but ours. */
  refuseUncounted({ code, message }: Fault): Verdict {
    const problem: Problem = {
      name: 'reduced-capacity',
      detail: 'Limits cannot be counted at the moment.',
      policy: this.name,
      headers: retrySoon,
    }
    return refuse(code, problem, 'limiter-unavailable', () => `${this.name} cannot be counted: ${message}`, this.#source)
  }

  /** For explain: how a passing request stands. */
  standingWords(charge: Charge, state: LevelState): string {
    return `${this.name} (${this.#rule}): ${state.remaining} left${this.#whose(charge)}, this request costs ${charge.cost}`
  }

  #over(seconds: number | undefined, violated: readonly string[], charge: Charge | undefined): Verdict {
    return this.#refusal('over-limit', 'The budget of this limit is used up.', seconds, violated, () => {
      const wait =
        seconds === undefined ? 'it can never pass' : `it would pass in ${seconds} s${this.#jitterMs === 0 ? '' : ' at most'}`
      return `over ${violated.join(', ')} (${this.#rule})${charge === undefined ? '' : this.#whose(charge)}; ${wait}`
    })
  }

  #refusal(code: string, detail: string, seconds: number | undefined, violated: readonly string[], words: () => string): Verdict {
    const problem: Problem = {
      name: 'quota-exceeded',
      detail,
      policy: this.name,
      headers: seconds === undefined ? undefined : headerBlock([['retry-after', String(seconds)]]),
      members: { 'violated-policies': violated },
    }
    return refuse(code, problem, `limited:${this.name}`, words, this.#source)
  }

  #whose(charge: Charge): string {
    if (this.#per === '') return ''
    return charge.key === ''
      ? ` for all without ${this.#per}`
      : ` for ${this.#per} ${JSON.stringify(charge.key.replaceAll('\0', ' '))}`
  }
}

function partWords(part: KeyPart): string {
  return 'name' in part ? `${part.kind} ${part.name}` : part.kind
}

function ruleWords(spec: LimitSpec): string {
  switch (spec.algorithm) {
    case 'token-bucket':
      return `bucket of ${spec.capacity}, refilled at ${spec.refill.units} per ${durationText(spec.refill.periodMs)}`
    case 'leaky-bucket':
      return `${spec.mode === 'queue' ? 'queue' : 'bucket'} of ${spec.capacity}, leaking ${spec.leak.units} per ${durationText(spec.leak.periodMs)}`
    case 'concurrency':
      return `${spec.limit} at one time`
    case 'quota':
      return `${spec.limit} per ${spec.period}`
    default:
      return `${spec.limit} per ${durationText(spec.windowMs)}, ${spec.algorithm}`
  }
}
