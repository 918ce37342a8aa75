import type { Answer } from '../core/answer.ts'
import type { Replay } from '../core/body.ts'
import type { Clock } from '../core/clock.ts'
import type { Exchange } from '../core/exchange.ts'
import { Fault, faultFrom } from '../core/fault.ts'
import { H } from '../core/header-names.ts'
import type { MaybePromise } from '../core/handler.ts'
import type { Call } from '../core/service.ts'
import { isIdempotent } from '../wire/http1/call-head.ts'
import { backOffMs, pause, retryAfterMs } from './back-off.ts'
import type { Choice } from './choice.ts'
import type { RetryBudget } from './retry-budget.ts'
import type { ServiceCounts } from './service-counts.ts'
import type { Target } from './target.ts'
import { isUnwell, tryEnd } from './try-end.ts'

/** The longest request body that is kept for another try, where it does not arrive with its head. */
const maxReplayBytes = 65_536

export interface TriesOptions {
  readonly attempts: number
  readonly targets: readonly Target[]
  readonly choice: Choice
  readonly budget: RetryBudget
  readonly counts: ServiceCounts
  readonly clock: Clock
  readonly random: () => number
}

/** One call on its way over several targets. */
interface Journey {
  readonly call: Call
  readonly x: Exchange
  /** Whether it does no harm to carry the call out twice, and its body is kept. */
  readonly mayRepeat: boolean
  readonly replay: Replay | undefined
  readonly tried: number[]
}

/** Where a call goes next, and after how long. */
interface Move {
  readonly index: number
  readonly waitMs: number
}

/** Carries a call to one target after another, as far as that is safe. */
export class Tries {
  readonly #options: TriesOptions

  constructor(options: TriesOptions) {
    this.#options = options
  }

  begin(call: Call, x: Exchange, index: number): Promise<Answer> {
    const { attempts, budget } = this.#options
    budget.earn()
    const { bytes } = call.body
    const isHarmless = isIdempotent(call.method) && call.upgrade === undefined
    const replay = isHarmless && bytes === undefined && attempts > 1 ? call.body.replay(maxReplayBytes) : undefined
    const journey = { call, x, mayRepeat: isHarmless && (bytes !== undefined || replay !== undefined), replay, tried: [] }
    return this.#try(journey, replay === undefined ? call : { ...call, body: replay.first }, index)
  }

  #try(journey: Journey, call: Call, index: number): Promise<Answer> {
    const { counts, clock, targets } = this.#options
    const { x, tried } = journey
    const target = targets[index]
    const { standing } = target
    x.attempts++
    x.targetAddress = target.address
    tried.push(index)
    const wasOut = standing.enter(standing.isMarked ? clock.monotonic() : 0)
    return target.wire.send(call, x).then(
      (answer): MaybePromise<Answer> => {
        const now = clock.monotonic()
        counts.answered(answer.status)
        if (!isUnwell(answer.status)) {
          standing.note(wasOut, now, 'good', '')
          x.serviceHeadAt = now
          return answer
        }
        standing.note(wasOut, now, 'failed', String(answer.status))
        const move = this.#moveAfterStatus(journey, answer, index, now)
        if (move === undefined) {
          x.serviceHeadAt = now
          return answer
        }
        answer.body.cancel(new Fault('cancelled', 'another target is asked'))
        return this.#move(journey, call, move, () => answer)
      },
      (thrown: unknown) => {
        const fault = faultFrom(thrown)
        const now = clock.monotonic()
        counts.failed(fault.code)
        standing.note(wasOut, now, tryEnd(fault, call, now, tried.length === 1), fault.code)
        const move = this.#moveAfterFault(journey, fault, index, now)
        if (move === undefined) throw fault
        return this.#move(journey, call, move, () => {
          throw fault
        })
      },
    )
  }

  async #move(journey: Journey, call: Call, { index, waitMs }: Move, giveUp: () => Answer): Promise<Answer> {
    const { x, replay } = journey
    if (waitMs > 0) {
      await pause(this.#options.clock, waitMs, x)
      if (x.left !== undefined) throw x.left
    }
    if (replay === undefined) return this.#try(journey, call, index)
    const body = replay.again()
    return body === undefined ? giveUp() : this.#try(journey, { ...call, body }, index)
  }

  /**
   * While no target has seen anything of the call, moving on costs no try, nor does it where a target cannot be reached
   * any more and the call may be carried out twice. Anything else is a try of those that were configured, and of the
   * budget.
   */
  #moveAfterFault(journey: Journey, fault: Fault, index: number, now: number): Move | undefined {
    const { call, x, mayRepeat, tried } = journey
    if (x.left !== undefined || now >= call.headBy) return undefined
    const other = this.#options.choice.after(index, tried)
    const isFree = fault.unsent || (mayRepeat && fault.code === 'service-refused')
    if (isFree && other !== -1) return { index: other, waitMs: 0 }
    const isWorthIt = mayRepeat && (fault.code === 'service-reset' || fault.code === 'service-timeout')
    return isFree || isWorthIt ? this.#costly(journey, other, index, 0, now) : undefined
  }

  #moveAfterStatus(journey: Journey, answer: Answer, index: number, now: number): Move | undefined {
    const { call, x, mayRepeat, tried } = journey
    if (!mayRepeat || tried.length >= this.#options.attempts || x.left !== undefined || now >= call.headBy) return undefined
    const other = this.#options.choice.after(index, tried)
    // A Retry-After speaks for the target that sent it.
    const askedMs = other === -1 ? retryAfterMs(answer.headers.first(H.retryAfter), this.#options.clock.now()) : 0
    return this.#costly(journey, other, index, askedMs, now)
  }

  #costly({ call, tried }: Journey, other: number, same: number, leastMs: number, now: number): Move | undefined {
    const { attempts, budget, random, targets } = this.#options
    if (tried.length >= attempts) return undefined
    const index = other === -1 ? same : other
    if (other === -1 && !targets[same].standing.mayTryAnyway) return undefined
    const waitMs = Math.max(leastMs, backOffMs(tried.length, random))
    return now + waitMs < call.headBy && budget.take() ? { index, waitMs } : undefined
  }
}
