import type { Count, Spread } from '../../core/meter.ts'
import type { Clock } from '../../core/clock.ts'
import type { Log } from '../../core/log.ts'
import { textHash } from '../../lib/text-hash.ts'
import type { PolicyEnv } from '../policy-kind.ts'

const complainEveryMs = 60_000

/** What stands for a policy where only a number can: in the row that a worker shares with main. Never 0. */
export function policyMark(name: string): number {
  return textHash(name) + 1
}

/**
 * Measures the calls of one custom policy, and has its name known while it runs, in case it never returns. Only what runs
 * before a call returns is measured: what a promise does later is anybody's.
 */
export class CallMeter {
  readonly #name: string
  readonly #mark: number
  readonly #budgetMs: number
  readonly #running: Float64Array | undefined
  readonly #clock: Clock
  readonly #log: Log
  readonly #seconds: Spread
  readonly #overBudget: Count
  readonly #failures: Count
  #complainedAt = -Infinity
  #failedAt = -Infinity

  constructor(name: string, budgetMs: number, { running, clock, log, meter }: PolicyEnv) {
    this.#name = name
    this.#mark = policyMark(name)
    this.#budgetMs = budgetMs
    this.#running = running
    this.#clock = clock
    this.#log = log
    const labels = { policy: name }
    this.#seconds = meter.histogram('velum_policy_seconds', 'Time of the worker that a call of a custom policy took.', labels)
    this.#overBudget = meter.counter(
      'velum_policy_over_budget_total',
      'Calls of a custom policy that took longer than its budget.',
      labels,
    )
    this.#failures = meter.counter('velum_policy_failures_total', 'Calls of a custom policy that threw or came too late.', labels)
  }

  /** A call begins; gives what `end` needs. */
  begin(): number {
    if (this.#running !== undefined) this.#running[0] = this.#mark
    return this.#clock.monotonic()
  }

  end(startedAt: number): void {
    if (this.#running !== undefined) this.#running[0] = 0
    const now = this.#clock.monotonic()
    const tookMs = now - startedAt
    this.#seconds.observe(tookMs / 1000)
    if (tookMs <= this.#budgetMs) return
    this.#overBudget.add()
    if (now - this.#complainedAt < complainEveryMs) return
    this.#complainedAt = now
    this.#log.warn('a custom policy is over its budget, and every request of the worker waits for it', {
      policy: this.#name,
      tookMs: Math.round(tookMs * 1000) / 1000,
      budgetMs: this.#budgetMs,
    })
  }

  failed(thrown: unknown): void {
    this.#failures.add()
    const now = this.#clock.monotonic()
    if (now - this.#failedAt < complainEveryMs) return
    this.#failedAt = now
    this.#log.error('a custom policy failed', { policy: this.#name, error: thrown })
  }
}
