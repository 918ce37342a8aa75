import type { BuildEnv } from '../core/build-env.ts'
import type { Exchange } from '../core/exchange.ts'
import type { HeaderBlock } from '../core/headers.ts'
import { headerBlock } from '../core/headers.ts'
import type { Count } from '../core/meter.ts'
import type { DecideMode, Outcome, Policy, Stage } from '../core/policy.ts'
import { problems } from '../core/problem.ts'
import type { Problem } from '../core/problem.ts'
import type { Verdict } from '../core/verdict.ts'
import { pass, refuse } from '../core/verdict.ts'
import { retrySeconds } from '../limits/limit-fields.ts'
import { keyReader } from '../limits/limit-key.ts'
import type { KeyReader } from '../limits/limit-key.ts'
import type { Penalty, PenaltySpec } from '../limits/penalty-spec.ts'
import { isEarlyPart, perText } from '../limits/penalty-spec.ts'
import type { PenaltyWard } from '../limits/penalty-ward.ts'

export interface PenaltyEnv extends Pick<BuildEnv, 'clock' | 'meter'> {
  readonly specs: readonly PenaltySpec[]
  readonly ward: PenaltyWard
  /** Whether nobody is boxed for what comes from there: proxies that many clients share. */
  readonly isExempt: (address: string) => boolean
}

/** The policies of the penalty box; absent where nothing is to be decided there. */
export interface PenaltyPolicies {
  /** Before routing, so that login and unknown paths are behind it too: who is told by address and headers. Counts refusals. */
  readonly early: Policy | undefined
  /** Behind authentication, on every route that has one: who is told by identity. */
  readonly caller: Policy | undefined
}

/** The policies for the penalties of a configuration. */
export function penaltyPolicies(env: PenaltyEnv): PenaltyPolicies {
  const rules = env.specs.map((spec) => new Rule(spec, env))
  const early = rules.filter(({ spec }) => spec.per.every(isEarlyPart))
  const late = rules.filter(({ spec }) => !spec.per.every(isEarlyPart))
  return {
    early: rules.length === 0 ? undefined : new EarlyPolicy(early, rules, env),
    caller: late.length === 0 ? undefined : new BoxPolicy('caller-penalty', late, env),
  }
}

const passes = pass('free', () => 'not in the penalty box')
/** Retry-After is prepared for penalties that end this soon. */
const preparedSeconds = 3600

/** A penalty as requests meet it. */
class Rule {
  readonly spec: PenaltySpec
  readonly per: string
  readonly key: KeyReader
  readonly hasAddress: boolean
  /** Who is boxed now, by key. */
  readonly boxed: ReadonlyMap<string, Penalty>
  readonly refused: Count
  readonly shadowRefused: Count
  readonly label: string
  readonly #after: (HeaderBlock | undefined)[] = []

  constructor(spec: PenaltySpec, { ward, meter }: PenaltyEnv) {
    const count = (decision: string): Count =>
      meter.counter('velum_penalty_decisions_total', 'Requests of boxed clients, by penalty and decision.', {
        penalty: spec.name,
        decision,
      })
    this.spec = spec
    this.per = perText(spec.per)
    this.key = keyReader(spec.per, { route: '', service: '' })
    this.hasAddress = spec.per.some(({ kind }) => kind === 'address')
    this.boxed = ward.list.scope(spec.name, this.per)
    this.refused = count('refused')
    this.shadowRefused = count('shadow_refused')
    this.label = `penalty:${spec.name}`
  }

  /** The penalty of whoever sent `x`. */
  find(x: Exchange, now: number): Penalty | undefined {
    if (this.boxed.size === 0 || this.key.isMissing(x)) return undefined
    const penalty = this.boxed.get(this.key.read(x))
    return penalty === undefined || penalty.until <= now ? undefined : penalty
  }

  refusal(penalty: Penalty, now: number): Verdict {
    const { name, answer, shadow } = this.spec
    const members = { 'violated-policies': [name] }
    const problem: Problem =
      answer === 403
        ? { name: 'abnormal-usage-denied', detail: 'This client is shut out for a time.', policy: name, members }
        : {
            name: 'abnormal-usage',
            detail: 'This client is shut out until the time given by Retry-After.',
            policy: name,
            headers: this.#retryAfter(penalty.until - now),
            members,
          }
    const words = (): string => wordsOf(penalty)
    const rule = `penalties.${name}`
    if (shadow) return { code: 'shadow-boxed', refusal: undefined, shadowed: problem, label: undefined, words, rule }
    return refuse('boxed', problem, this.label, words, rule)
  }

  #retryAfter(ms: number): HeaderBlock {
    const seconds = retrySeconds(ms)
    if (seconds > preparedSeconds) return headerBlock([['retry-after', String(seconds)]])
    return (this.#after[seconds] ??= headerBlock([['retry-after', String(seconds)]]))
  }
}

/** Refuses who is boxed. A shadow is shown where nothing else refuses. */
class BoxPolicy implements Policy {
  readonly name = 'penalties'
  readonly stage: Stage
  readonly source = 'penalties'
  readonly #rules: readonly Rule[]
  readonly #env: PenaltyEnv

  constructor(stage: Stage, rules: readonly Rule[], env: PenaltyEnv) {
    this.stage = stage
    this.#rules = rules
    this.#env = env
  }

  decide(x: Exchange, mode: DecideMode): Verdict {
    if (this.#env.ward.list.size === 0) return passes
    const now = this.#env.clock.now()
    let shown = passes
    for (const rule of this.#rules) {
      const penalty = rule.find(x, now)
      if (penalty === undefined) continue
      const verdict = rule.refusal(penalty, now)
      if (mode === 'charge') (rule.spec.shadow ? rule.shadowRefused : rule.refused).add()
      if (verdict.refusal !== undefined) return verdict
      if (shown === passes) shown = verdict
    }
    return shown
  }
}

/** The same for those known early; and counts, at the end of every exchange, what was refused to whom. */
class EarlyPolicy extends BoxPolicy {
  readonly #counting: readonly Rule[]
  readonly #ward: PenaltyWard
  readonly #isExempt: (address: string) => boolean

  constructor(early: readonly Rule[], all: readonly Rule[], env: PenaltyEnv) {
    super('penalty', early, env)
    this.#counting = all.filter(({ spec }) => spec.after !== undefined)
    this.#ward = env.ward
    this.#isExempt = env.isExempt
  }

  onDone(x: Exchange, outcome: Outcome): void {
    const label = refusedAs(x, outcome)
    if (label === undefined) return
    for (const { spec, per, key, hasAddress } of this.#counting) {
      if (key.isMissing(x) || (hasAddress && this.#isExempt(x.clientAddress))) continue
      this.#ward.reporter.note(spec.name, per, key.read(x), () => key.parts(x), label, x.id)
    }
  }
}

/**
 * What a client was refused for, as far as that speaks against it: limits (429), credentials that are wrong (401) and
 * things it may not do (403); of login and tokens likewise. Not that it came without a credential, which is how logging in
 * begins; not what a service answered; not want of capacity; and not being boxed, or nobody would ever come out.
 */
function refusedAs(x: Exchange, { status }: Outcome): string | undefined {
  const { refusal, refusedBy } = x
  if (refusal?.refusal !== undefined && refusedBy !== undefined) {
    const { name } = refusal.refusal
    if (refusedBy.name === 'penalties' || name === 'unauthenticated' || !isRefusal(problems[name].status)) return undefined
    return refusal.label ?? `${refusedBy.name}:${refusal.code}`
  }
  // Identity's own addresses stand before all routes.
  return x.route === undefined && x.method === 'POST' && isRefusal(status) ? `identity:${status}` : undefined
}

function isRefusal(status: number): boolean {
  return status === 401 || status === 403 || status === 429
}

function wordsOf({ penalty, id, who, by, reason, until, evidence }: Penalty): string {
  const whom = Object.entries(who).map(([part, value]) => `${part} ${JSON.stringify(value)}`)
  const seen = evidence === undefined ? '' : ` (${evidence.refusals} refusals)`
  return `${whom.join(' and ')} is boxed as ${penalty} until ${new Date(until).toISOString()} by ${by}: ${reason}${seen}; id ${id}`
}
