import type { Answer } from '../core/answer.ts'
import type { Exchange } from '../core/exchange.ts'
import type { MaybePromise } from '../core/handler.ts'
import { isPromise } from '../core/handler.ts'
import type { Count } from '../core/meter.ts'
import type { DecideMode, Outcome, Policy, Stage } from '../core/policy.ts'
import { problemOf } from '../core/problem.ts'
import { faultFrom } from '../core/fault.ts'
import type { Verdict } from '../core/verdict.ts'
import type { PolicyEnv } from './policy-kind.ts'

/** `shadow: true` as every policy's options have it. */
export const shadowWords = 'Decides and reports, but never refuses. Default: false.'

/**
 * A policy that decides and reports, and never refuses: what it would have refused stands in its verdict and is counted.
 * `asks` is how it is asked: `peek` for one whose charge would cut off what comes after it. One that fails refuses
 * nothing either.
 */
export class InShadow implements Policy {
  readonly name: string
  readonly stage: Stage
  readonly source: string
  readonly onHead?: (x: Exchange, answer: Answer) => void
  readonly onDone?: (x: Exchange, outcome: Outcome) => void
  readonly #policy: Policy
  readonly #asks: DecideMode
  readonly #refused: Count

  constructor(policy: Policy, env: PolicyEnv, asks: DecideMode = 'charge') {
    this.#policy = policy
    this.name = policy.name
    this.stage = policy.stage
    this.source = policy.source
    this.#asks = asks
    if (policy.onHead !== undefined) this.onHead = (x, answer) => policy.onHead!(x, answer)
    if (policy.onDone !== undefined) this.onDone = (x, outcome) => policy.onDone!(x, outcome)
    this.#refused = env.meter.counter('velum_shadow_refusals_total', 'Requests that a policy in shadow would have refused.', {
      policy: policy.name,
      route: env.route.name,
    })
  }

  decide(x: Exchange, mode: DecideMode): MaybePromise<Verdict> {
    let verdict: MaybePromise<Verdict>
    try {
      verdict = this.#policy.decide!(x, mode === 'peek' ? 'peek' : this.#asks)
    } catch (thrown) {
      return this.#shadowed(failing(thrown), mode)
    }
    if (!isPromise(verdict)) return this.#shadowed(verdict, mode)
    return verdict.then(
      (v) => this.#shadowed(v, mode),
      (thrown: unknown) => this.#shadowed(failing(thrown), mode),
    )
  }

  #shadowed(verdict: Verdict, mode: DecideMode): Verdict {
    if (verdict.refusal === undefined) return verdict
    if (mode === 'charge') this.#refused.add()
    return { ...verdict, refusal: undefined, shadowed: verdict.refusal }
  }
}

function failing(thrown: unknown): Verdict {
  const fault = faultFrom(thrown)
  return { code: 'failed', refusal: problemOf(fault), words: () => `${fault.code}: ${fault.message}` }
}

/** These policies as they are, or those that decide in shadow. */
export function shadowing(isShadow: boolean, policies: readonly Policy[], env: PolicyEnv, asks?: DecideMode): readonly Policy[] {
  return isShadow ? policies.map((policy) => (policy.decide === undefined ? policy : new InShadow(policy, env, asks))) : policies
}
