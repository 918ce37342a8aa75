import type { Answer } from '../core/answer.ts'
import type { Replay } from '../core/body.ts'
import type { Clock } from '../core/clock.ts'
import type { Exchange } from '../core/exchange.ts'
import { Fault, faultFrom } from '../core/fault.ts'
import { H } from '../core/header-names.ts'
import type { MaybePromise } from '../core/handler.ts'
import type { Call } from '../core/service.ts'
import type { Trace, TracedAttempt } from '../core/trace.ts'
import { parseRetryAfter } from '../lib/retry-after.ts'
import { isIdempotent } from '../wire/http1/call-head.ts'
import { backOffMs, maxWaitMs, pause } from './back-off.ts'
import type { Breaker, CallEnd } from './breaker.ts'
import type { Choice } from './choice.ts'
import { isGrpcCall, isUnavailable, pushbackMs } from './grpc-answer.ts'
import type { RetryBudget } from './retry-budget.ts'
import type { RetryReason, ServiceCounts } from './service-counts.ts'
import type { Target } from './target.ts'
import { isUnwell, tryEnd } from './try-end.ts'

/** The longest request body that is kept for another try, where it does not arrive with its head. */
const maxReplayBytes = 65_536

export interface TriesOptions {
  /** The service's name. */
  readonly service: string
  readonly attempts: number
  readonly targets: readonly Target[]
  readonly choice: Choice
  readonly budget: RetryBudget
  readonly counts: ServiceCounts
  readonly clock: Clock
  readonly random: () => number
  /** That of the service as a whole: it counts calls, not tries. */
  readonly breaker: Breaker | undefined
  /** Whether the targets may speak gRPC, whose failures come with status 200. */
  readonly maySpeakGrpc: boolean
}

/** One call on its way over several targets. */
interface Journey {
  readonly call: Call
  readonly x: Exchange
  /** Whether it does no harm to carry the call out twice, and its body is kept. */
  readonly mayRepeat: boolean
  /** Whether gRPC's "unavailable" sends it elsewhere, and its body is kept. */
  readonly mayRepeatGrpc: boolean
  readonly replay: Replay | undefined
  readonly tried: number[]
  /** Of the service's breaker. */
  readonly pass: number
  readonly beganAt: number
}

/** Where a call goes next, after how long, and why. */
interface Move {
  readonly index: number
  readonly waitMs: number
  readonly reason: RetryReason
}

/** Carries a call to one target after another, as far as that is safe. */
export class Tries {
  readonly #options: TriesOptions

  constructor(options: TriesOptions) {
    this.#options = options
  }

  /** `pass` is of the service's breaker; given back when the call is over. */
  begin(call: Call, x: Exchange, index: number, pass: number): Promise<Answer> {
    const { attempts, budget, breaker, clock, maySpeakGrpc } = this.#options
    budget.earn()
    const { bytes } = call.body
    const isHarmless = isIdempotent(call.method) && call.upgrade === undefined
    const isGrpc = maySpeakGrpc && attempts > 1 && isGrpcCall(call)
    const isKept = bytes === undefined && attempts > 1 && (isHarmless || isGrpc)
    const replay = isKept ? call.body.replay(maxReplayBytes) : undefined
    const hasBody = bytes !== undefined || replay !== undefined
    const journey: Journey = {
      call,
      x,
      mayRepeat: isHarmless && hasBody,
      mayRepeatGrpc: isGrpc && hasBody,
      replay,
      tried: [],
      pass,
      beganAt: breaker?.isTiming === true ? clock.monotonic() : 0,
    }
    return this.#try(journey, replay === undefined ? call : { ...call, body: replay.first }, index)
  }

  #try(journey: Journey, call: Call, index: number): Promise<Answer> {
    const { counts, clock, targets, maySpeakGrpc } = this.#options
    const { x, tried } = journey
    const target = targets[index]
    const { standing } = target
    x.attempts++
    x.targetAddress = target.address
    tried.push(index)
    const visit = standing.enter(clock)
    const beganAt = clock.monotonic()
    const traced = x.trace === undefined ? undefined : this.#traced(x.trace, call, target, tried.length - 1)
    return target.wire.send(call, x).then(
      (answer): MaybePromise<Answer> => {
        const now = clock.monotonic()
        if (traced !== undefined) {
          traced.endedAt = now
          traced.answer = answer
        }
        counts.answered(answer.status)
        counts.took(now - beganAt)
        const isRefusedByGrpc = maySpeakGrpc && isUnavailable(answer)
        if (!isRefusedByGrpc && !isUnwell(answer.status)) {
          standing.note(visit, now, 'good', '')
          this.#over(journey, now, 'good')
          x.serviceHeadAt = now
          return answer
        }
        standing.note(visit, now, 'failed', isRefusedByGrpc ? 'grpc-unavailable' : String(answer.status))
        const move = this.#moveAfterAnswer(journey, answer, index, now, isRefusedByGrpc)
        if (move === undefined) return this.#giveUnwell(journey, answer)
        answer.body.cancel(new Fault('cancelled', 'another target is asked'))
        return this.#move(journey, call, move, () => this.#giveUnwell(journey, answer))
      },
      (thrown: unknown) => {
        const fault = faultFrom(thrown)
        const now = clock.monotonic()
        if (traced !== undefined) {
          traced.endedAt = now
          traced.fault = fault.code
        }
        counts.failed(fault.code)
        counts.took(now - beganAt)
        const end = tryEnd(fault, call, now, tried.length === 1)
        standing.note(visit, now, end, fault.code)
        const move = this.#moveAfterFault(journey, fault, index, now)
        const giveUp = (): never => {
          this.#over(journey, clock.monotonic(), end)
          throw fault
        }
        return move === undefined ? giveUp() : this.#move(journey, call, move, giveUp)
      },
    )
  }

  #traced(trace: Trace, call: Call, { address, spec }: Target, resend: number): TracedAttempt | undefined {
    return trace.attempt(call, { service: this.#options.service, address, isTls: spec.tls, isGrpc: isGrpcCall(call), resend })
  }

  #giveUnwell(journey: Journey, answer: Answer): Answer {
    const now = this.#options.clock.monotonic()
    this.#over(journey, now, 'failed')
    journey.x.serviceHeadAt = now
    return answer
  }

  #over({ pass, beganAt }: Journey, now: number, end: CallEnd): void {
    this.#options.breaker?.leave(pass, now, end, now - beganAt)
  }

  async #move(journey: Journey, call: Call, { index, waitMs, reason }: Move, giveUp: () => Answer): Promise<Answer> {
    const { clock, counts } = this.#options
    const { x, replay, tried } = journey
    if (waitMs > 0) {
      await pause(clock, waitMs, x)
      if (x.left !== undefined) {
        this.#over(journey, clock.monotonic(), 'void')
        throw x.left
      }
    }
    const body = replay === undefined ? call.body : replay.again()
    if (body === undefined) return giveUp()
    counts.retried(reason)
    // A service may treat further tries differently (gRPC A6).
    if (journey.mayRepeatGrpc) call.headers.set('grpc-previous-rpc-attempts', String(tried.length))
    return this.#try(journey, body === call.body ? call : { ...call, body }, index)
  }

  /**
   * While no target has seen anything of the call, moving on costs no try, nor does it where a target cannot be reached
   * any more and the call may be carried out twice. Anything else is a try of those that were configured, and of the
   * budget.
   */
  #moveAfterFault(journey: Journey, fault: Fault, index: number, now: number): Move | undefined {
    const { call, x, mayRepeat, tried } = journey
    if (x.left !== undefined || now >= call.headBy) return undefined
    const other = this.#options.choice.after(x, index, tried)
    const isFree = fault.unsent || (mayRepeat && fault.code === 'service-refused')
    const reason = reasonOf(fault)
    if (isFree && other !== -1) return { index: other, waitMs: 0, reason }
    const isWorthIt = mayRepeat && (fault.code === 'service-reset' || fault.code === 'service-timeout')
    return isFree || isWorthIt ? this.#costly(journey, other, index, 0, now, reason) : undefined
  }

  #moveAfterAnswer(journey: Journey, answer: Answer, index: number, now: number, isGrpc: boolean): Move | undefined {
    const { call, x, tried } = journey
    const mayRepeat = isGrpc ? journey.mayRepeatGrpc : journey.mayRepeat
    if (!mayRepeat || tried.length >= this.#options.attempts || x.left !== undefined || now >= call.headBy) return undefined
    const other = this.#options.choice.after(x, index, tried)
    let askedMs = 0
    // A pushback speaks for the service, whichever target sent it; a Retry-After for the target that sent it.
    if (isGrpc) askedMs = pushbackMs(answer) ?? 0
    else if (other === -1) askedMs = parseRetryAfter(answer.headers.first(H.retryAfter), this.#options.clock.now())
    return askedMs > maxWaitMs ? undefined : this.#costly(journey, other, index, askedMs, now, 'status')
  }

  #costly(
    { call, tried }: Journey,
    other: number,
    same: number,
    leastMs: number,
    now: number,
    reason: RetryReason,
  ): Move | undefined {
    const { attempts, budget, counts, random, targets } = this.#options
    if (tried.length >= attempts) return undefined
    const index = other === -1 ? same : other
    if (other === -1 && !targets[same].standing.mayTryAnyway) return undefined
    const waitMs = Math.max(leastMs, backOffMs(tried.length, random))
    if (now + waitMs >= call.headBy) return undefined
    if (budget.take()) return { index, waitMs, reason }
    counts.exhausted()
    return undefined
  }
}

function reasonOf({ code, unsent }: Fault): RetryReason {
  if (code === 'service-refused') return 'refused'
  if (unsent) return 'unsent'
  return code === 'service-timeout' ? 'timeout' : 'reset'
}
