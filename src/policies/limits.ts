import type { Answer } from '../core/answer.ts'
import type { BuildEnv } from '../core/build-env.ts'
import type { Charge, Charged, Counters } from '../core/counters.ts'
import type { Exchange } from '../core/exchange.ts'
import { Fault } from '../core/fault.ts'
import type { MaybePromise } from '../core/handler.ts'
import { isPromise } from '../core/handler.ts'
import type { DecideMode, Policy, Stage } from '../core/policy.ts'
import type { Verdict } from '../core/verdict.ts'
import { pass } from '../core/verdict.ts'
import { draftFields, legacyFields, policiesOf } from '../limits/limit-fields.ts'
import type { LimitSpec } from '../limits/limit-spec.ts'
import { Ledger, ledgerOf, openLedger } from './limit-ledger.ts'
import { LimitLevel } from './limit-level.ts'
import { LimitShadows } from './limit-shadows.ts'
import { settleLedger } from './limit-settlement.ts'

/** A limit as a listener, a route or a service names it. */
export interface LimitUse {
  readonly use: string
  readonly cost: number
  /** Response header with what the request really cost; `cost` is what is reserved until it comes. */
  readonly settle?: string | undefined
  readonly shadow: boolean
  /** `routes[2].limits[0]`. */
  readonly source: string
}

/** One of the three places where limits attach. All of a step's limits are charged, or none. */
export interface LimitStep {
  /** `edge` stands before routing and knows addresses only; `service` gives back what `route` took when it refuses. */
  readonly kind: 'edge' | 'route' | 'service'
  readonly uses: readonly LimitUse[]
  /** `routes[2].limits`. */
  readonly source: string
  /** The route's name; '' before routing. */
  readonly route: string
  /** The one service behind this step; '' when it is drawn per request or there is none. */
  readonly service: string
  /** Which service is drawn for a request, where that is known by asking. */
  readonly drawn?: ((x: Exchange) => string) | undefined
}

/** What a step is built with. */
export interface LimitEnv extends Pick<BuildEnv, 'clock' | 'log' | 'meter' | 'link' | 'hold'> {
  /** All limits of the configuration. */
  readonly limits: readonly LimitSpec[]
  /** The budgets of exactly these limits. */
  readonly counters: Counters
  /** A number in [0, 1), for what is told to who is refused. Default: chance. */
  readonly random?: (() => number) | undefined
}

const stageOf: Readonly<Record<LimitStep['kind'], Stage>> = { edge: 'limit', route: 'limit', service: 'service-limit' }

/**
 * The policy of one step; undefined for a step without limits. Throws on a name that is no limit, and on an edge limit
 * that counts by more than addresses: those are mistakes of the configuration.
 */
export function limitPolicy(step: LimitStep, env: LimitEnv): Policy | undefined {
  if (step.uses.length === 0) return undefined
  const levels: LimitLevel[] = []
  for (const use of step.uses) {
    const spec = env.limits.find((limit) => limit.name === use.use)
    if (spec === undefined) throw new Error(`${use.source}: no limit is named ${JSON.stringify(use.use)}`)
    if (step.kind === 'edge' && spec.per.some((part) => part.kind !== 'address')) {
      throw new Error(`${use.source}: before routing only addresses are known, and ${spec.name} counts by more`)
    }
    // One name is one counter: a second use in the same step says nothing new.
    if (!levels.some((level) => level.name === spec.name)) levels.push(new LimitLevel(spec, use, step, env))
  }
  return new LimitStepPolicy(step, levels, env)
}

const passes = pass('within', () => 'within its limits')
const passesWithout = pass('not-limited', () => 'no limit of this step applies')

class LimitStepPolicy implements Policy {
  readonly name = 'limits'
  readonly stage: Stage
  readonly source: string
  readonly #kind: LimitStep['kind']
  readonly #enforced: readonly LimitLevel[]
  readonly #shadows: LimitShadows
  /** RateLimit-Policy when all of them apply. */
  readonly #policies: string
  readonly #hasLegacy: boolean
  readonly #hasReserved: boolean
  readonly #counters: Counters
  readonly #env: LimitEnv

  constructor(step: LimitStep, levels: readonly LimitLevel[], env: LimitEnv) {
    this.stage = stageOf[step.kind]
    this.source = step.source
    this.#kind = step.kind
    this.#enforced = levels.filter((level) => !level.isShadow)
    this.#shadows = new LimitShadows(
      levels.filter((level) => level.isShadow),
      env.counters,
    )
    this.#policies = policiesOf(this.#enforced.map((level) => level.voice))
    this.#hasLegacy = this.#enforced.some((level) => level.voice.legacy !== undefined)
    this.#hasReserved = this.#enforced.some((level) => level.settle !== undefined)
    this.#counters = env.counters
    this.#env = env
  }

  decide(x: Exchange, mode: DecideMode): MaybePromise<Verdict> {
    const ledger = mode === 'charge' ? openLedger(x) : (ledgerOf(x) ?? new Ledger())
    const charges: Charge[] = []
    const levels: LimitLevel[] = []
    for (const level of this.#enforced) {
      if (ledger.has(level.name)) continue
      if (level.missing !== 'shared' && level.key.isMissing(x)) {
        if (level.missing === 'refuse') return level.refuseMissing(mode)
        if (mode === 'charge') level.skipped.add()
        continue
      }
      charges.push(level.charge(x))
      levels.push(level)
    }
    if (charges.length === 0) return this.#shadows.isEmpty ? passesWithout : this.#shadow(x, mode, ledger, passes)
    let charged: MaybePromise<Charged>
    try {
      charged = mode === 'peek' ? this.#counters.peek(charges) : this.#counters.charge(charges)
    } catch (thrown) {
      return this.#undecided(mode, ledger, levels, thrown)
    }
    if (!isPromise(charged)) return this.#conclude(x, mode, ledger, levels, charges, charged)
    return charged.then(
      (result) => this.#conclude(x, mode, ledger, levels, charges, result),
      (thrown: unknown) => this.#undecided(mode, ledger, levels, thrown),
    )
  }

  onHead(x: Exchange, answer: Answer): void {
    const ledger = ledgerOf(x)
    // The innermost step that was reached speaks for all before it.
    if (ledger === undefined || ledger.levels.length === 0 || ledger.writtenOn === answer) return
    ledger.writtenOn = answer
    if (ledger.hasReserved) settleLedger(ledger, answer, this.#counters, (thrown) => this.#lost(thrown))
    if (ledger.policies !== '') answer.headers.put(draftFields(ledger.policies, ledger.levels))
    if (!ledger.hasLegacy) return
    const legacy = legacyFields(ledger.levels, this.#env.clock.now())
    if (legacy !== undefined) answer.headers.put(legacy)
  }

  onDone(x: Exchange): void {
    const ledger = ledgerOf(x)
    if (ledger === undefined) return
    ledger.isOver = true
    this.#release(ledger)
  }

  /** Counters that cannot tell: the caller is not at fault, and is refused as for want of capacity. */
  #undecided(mode: DecideMode, ledger: Ledger, levels: readonly LimitLevel[], thrown: unknown): Verdict {
    if (mode === 'charge') for (const level of levels) level.failed.add()
    if (!(thrown instanceof Fault) || (thrown.code !== 'store-down' && thrown.code !== 'overloaded')) throw thrown
    if (mode === 'charge' && this.#kind === 'service') this.#returnOf('route', ledger)
    return levels[0].refuseUncounted(thrown)
  }

  #returnOf(kind: LimitStep['kind'], ledger: Ledger): void {
    const returned = ledger.takeChargesOf(kind)
    if (returned.length > 0) this.#giveBack(returned)
  }

  #shadow(x: Exchange, mode: DecideMode, ledger: Ledger, verdict: Verdict): MaybePromise<Verdict> {
    const shown = this.#shadows.ask(x, mode, ledger, verdict)
    if (!isPromise(shown)) return shown
    return shown.then((late) => {
      if (ledger.isOver) this.#release(ledger)
      return late
    })
  }

  #release(ledger: Ledger): void {
    const held = ledger.takeHeld()
    if (held.length > 0) this.#giveBack(held)
  }

  #conclude(
    x: Exchange,
    mode: DecideMode,
    ledger: Ledger,
    levels: readonly LimitLevel[],
    charges: readonly Charge[],
    charged: Charged,
  ): MaybePromise<Verdict> {
    const isCharge = mode === 'charge'
    if (isCharge) this.#introduce(ledger, levels)
    let delayMs = 0
    for (let i = 0; i < levels.length; i++) {
      const level = levels[i]
      const state = charged.levels[i]
      if (isCharge) {
        ledger.note(level, charges[i], state, this.#kind, charged.refusedBy === -1)
        level.seen.saw(charges[i].key, state.retryAfterMs > 0)
      }
      if (charged.refusedBy === -1) {
        if (isCharge) level.allowed.add()
        if (state.delayMs > delayMs) delayMs = state.delayMs
      } else if (isCharge && state.retryAfterMs > 0) {
        level.refused.add()
      }
    }
    // A client may leave while counters are waited for: what is held until the end has then missed it.
    if (ledger.isOver) this.#release(ledger)
    if (charged.refusedBy !== -1) {
      if (isCharge && this.#kind === 'service') this.#returnOf('route', ledger)
      return this.#refusal(levels, charges, charged, mode)
    }
    const verdict = isCharge ? passes : passedInWords(levels, charges, charged)
    const shown = this.#shadows.isEmpty ? verdict : this.#shadow(x, mode, ledger, verdict)
    if (delayMs === 0 || !isCharge) return shown
    return this.#hold(x, delayMs, ledger).then(() => shown)
  }

  /** Adds what these levels say of themselves to what earlier steps said. */
  #introduce(ledger: Ledger, levels: readonly LimitLevel[]): void {
    const own = levels.length === this.#enforced.length ? this.#policies : policiesOf(levels.map((level) => level.voice))
    ledger.hasLegacy ||= this.#hasLegacy
    ledger.hasReserved ||= this.#hasReserved
    if (ledger.policies === '') ledger.policies = own
    else if (own !== '') ledger.policies = `${ledger.policies}, ${own}`
  }

  #refusal(levels: readonly LimitLevel[], charges: readonly Charge[], charged: Charged, mode: DecideMode): Verdict {
    const by = charged.refusedBy
    const violated: string[] = []
    for (let i = 0; i < levels.length; i++) if (charged.levels[i].retryAfterMs > 0) violated.push(levels[i].name)
    return levels[by].refuse(charged.levels[by].retryAfterMs, violated, charges[by], mode)
  }

  /** Shaping: the request waits for its turn. A client that leaves gives its turn back. */
  #hold(x: Exchange, delayMs: number, ledger: Ledger): Promise<void> {
    return new Promise((resolve, reject) => {
      let isOver = false
      const timer = this.#env.clock.after(delayMs, () => {
        isOver = true
        resolve()
      })
      x.whenLeft(() => {
        if (isOver) return
        timer.cancel()
        this.#giveBack(ledger.takeChargesOf(this.#kind))
        reject(new Fault('client-left'))
      })
    })
  }

  #giveBack(charges: readonly Charge[]): void {
    try {
      const done = this.#counters.credit(charges)
      if (isPromise(done)) done.catch((thrown: unknown) => this.#lost(thrown))
    } catch (thrown) {
      this.#lost(thrown)
    }
  }

  #lost(thrown: unknown): void {
    this.#env.log.warn('a charge could not be corrected', { reason: thrown instanceof Error ? thrown.message : String(thrown) })
  }
}

function passedInWords(levels: readonly LimitLevel[], charges: readonly Charge[], charged: Charged): Verdict {
  return pass('within', () => levels.map((level, i) => level.standingWords(charges[i], charged.levels[i])).join('; '))
}
