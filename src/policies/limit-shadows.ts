import type { Charge, Charged, Counters } from '../core/counters.ts'
import type { Exchange } from '../core/exchange.ts'
import type { MaybePromise } from '../core/handler.ts'
import { isPromise } from '../core/handler.ts'
import type { DecideMode } from '../core/policy.ts'
import type { Verdict } from '../core/verdict.ts'
import type { Ledger } from './limit-ledger.ts'
import type { LimitLevel } from './limit-level.ts'

/**
 * The limits of a step that are in shadow. Each is asked by itself, and only about what would have gone on: as if it
 * were the only new limit. They are charged like others, and never refuse, wait, or fail a request.
 */
export class LimitShadows {
  readonly #levels: readonly LimitLevel[]
  readonly #counters: Counters

  constructor(levels: readonly LimitLevel[], counters: Counters) {
    this.#levels = levels
    this.#counters = counters
  }

  get isEmpty(): boolean {
    return this.#levels.length === 0
  }

  /** `verdict`, or one that says what would have been refused. */
  ask(x: Exchange, mode: DecideMode, ledger: Ledger, verdict: Verdict): MaybePromise<Verdict> {
    let shown = verdict
    const waiting: Promise<void>[] = []
    const show = (refusal: Verdict): void => {
      if (shown.shadowed === undefined) shown = shadowed(refusal)
    }
    for (const level of this.#levels) {
      if (ledger.has(level.name)) continue
      if (level.missing !== 'shared' && level.key.isMissing(x)) {
        if (level.missing === 'refuse') show(level.refuseMissing('peek'))
        if (mode === 'charge') (level.missing === 'refuse' ? level.shadowRefused : level.skipped).add()
        continue
      }
      const done = this.#ask(level, mode, level.charge(x), ledger, show)
      if (done !== undefined) waiting.push(done)
    }
    return waiting.length === 0 ? shown : Promise.all(waiting).then(() => shown)
  }

  #ask(
    level: LimitLevel,
    mode: DecideMode,
    charge: Charge,
    ledger: Ledger,
    show: (refusal: Verdict) => void,
  ): Promise<void> | undefined {
    const look = (charged: Charged): void => {
      const isRefused = charged.refusedBy !== -1
      if (mode === 'charge') {
        ledger.noteShadow(level, charge, charged.levels[0], !isRefused)
        level.seen.saw(charge.key, isRefused)
        ;(isRefused ? level.shadowRefused : level.allowed).add()
      }
      if (isRefused) show(level.refuse(charged.levels[0].retryAfterMs, [level.name], charge, mode))
    }
    const failed = (): void => {
      if (mode === 'charge') level.failed.add()
    }
    try {
      const charged = mode === 'charge' ? this.#counters.charge([charge]) : this.#counters.peek([charge])
      if (isPromise(charged)) return charged.then(look, failed)
      look(charged)
    } catch {
      failed()
    }
    return undefined
  }
}

function shadowed(refusal: Verdict): Verdict {
  const { refusal: problem, words, rule } = refusal
  return { code: 'shadow-over-limit', refusal: undefined, shadowed: problem, label: undefined, words, rule }
}
