import type { Answer } from './answer.ts'
import type { Clock } from './clock.ts'
import type { Exchange } from './exchange.ts'
import type { FaultCode } from './fault.ts'
import { faultFrom } from './fault.ts'
import type { Handler, MaybePromise } from './handler.ts'
import { isPromise } from './handler.ts'
import type { Policy } from './policy.ts'
import type { Call } from './service.ts'
import type { Verdict } from './verdict.ts'

/** What an operation inside a traced exchange took; times are monotonic milliseconds. */
interface TracedTime {
  readonly spanId: string
  /** The operation that it is part of. */
  readonly parentId: string
  readonly beganAt: number
  /** 0 while it is under way. */
  endedAt: number
  fault: FaultCode | undefined
}

/** What one policy did to a traced exchange. */
export interface TracedStep extends TracedTime {
  readonly policy: Policy
  verdict: Verdict | undefined
  /** Of the cache's step: what became of the request there. */
  cacheResult: string | undefined
}

/** One try at a service. */
export interface TracedAttempt extends TracedTime {
  readonly service: string
  /** `host:port`. */
  readonly address: string
  readonly isTls: boolean
  readonly method: string
  readonly target: string
  readonly isGrpc: boolean
  /** From 0, among the tries of one call. */
  readonly resend: number
  /** Its trailers hold the status of a gRPC call once its body was read. */
  answer: Answer | undefined
}

/** Where and how a try is made. */
export interface AttemptFacts {
  readonly service: string
  readonly address: string
  readonly isTls: boolean
  readonly isGrpc: boolean
  readonly resend: number
}

/** Tries that are noted of one exchange; a bridge may make many calls for one request. */
const mostAttempts = 64

/**
 * What is noted of an exchange that is sampled: present on those only, so that the others pay for a comparison. Span and
 * trace ids are those of W3C Trace Context, in hex.
 */
export class Trace {
  readonly traceId: string
  readonly spanId: string
  /** The span of the peer that the trace comes from; undefined: it begins here. */
  readonly parentId: string | undefined
  readonly steps: TracedStep[] = []
  readonly attempts: TracedAttempt[] = []
  readonly #clock: Clock
  readonly #nextId: () => string
  /** The policy under way that encloses what begins now; undefined: none does. */
  #within: TracedStep | undefined

  constructor(traceId: string, spanId: string, parentId: string | undefined, clock: Clock, nextId: () => string) {
    this.traceId = traceId
    this.spanId = spanId
    this.parentId = parentId
    this.#clock = clock
    this.#nextId = nextId
  }

  /** Monotonic milliseconds. */
  now(): number {
    return this.#clock.monotonic()
  }

  /** A policy that began at `beganAt` has decided. */
  decided(policy: Policy, verdict: Verdict, beganAt: number): void {
    this.#step(policy, beganAt).verdict = verdict
  }

  /** A policy that began at `beganAt` has failed. */
  failed(policy: Policy, thrown: unknown, beganAt: number): void {
    this.#step(policy, beganAt).fault = faultFrom(thrown).code
  }

  /** Runs what stands around the rest; what begins inside it is part of it. `verdictAt`: where its verdict may be found. */
  around(policy: Policy, handler: Handler, x: Exchange, verdictAt: number): MaybePromise<Answer> {
    const step = this.#step(policy, this.now())
    const outer = this.#within
    this.#within = step
    const end = (answer: Answer): Answer => {
      step.endedAt = this.now()
      step.verdict = x.verdicts[verdictAt]
      this.#within = outer
      return answer
    }
    const fail = (thrown: unknown): never => {
      step.endedAt = this.now()
      step.fault = faultFrom(thrown).code
      this.#within = outer
      throw thrown
    }
    try {
      const answer = handler(x)
      return isPromise(answer) ? answer.then(end, fail) : end(answer)
    } catch (thrown) {
      return fail(thrown)
    }
  }

  /** The cache, which is under way, has found what becomes of the request. */
  cached(result: string): void {
    if (this.#within !== undefined) this.#within.cacheResult = result
  }

  /** What is noted of a copy of the exchange: part of the same trace, and over when the copy is. */
  ofCopy(): Trace {
    return new Trace(this.traceId, this.#nextId(), this.spanId, this.#clock, this.#nextId)
  }

  /** A try begins. The service is told that it is part of this try. */
  attempt(call: Call, { service, address, isTls, isGrpc, resend }: AttemptFacts): TracedAttempt | undefined {
    const isNoted = this.attempts.length < mostAttempts
    const spanId = isNoted ? this.#nextId() : this.spanId
    call.headers.set('traceparent', `00-${this.traceId}-${spanId}-01`)
    if (!isNoted) return undefined
    const attempt: TracedAttempt = {
      spanId,
      parentId: this.#within?.spanId ?? this.spanId,
      beganAt: this.now(),
      endedAt: 0,
      fault: undefined,
      service,
      address,
      isTls,
      method: call.method,
      target: call.target,
      isGrpc,
      resend,
      answer: undefined,
    }
    this.attempts.push(attempt)
    return attempt
  }

  #step(policy: Policy, beganAt: number): TracedStep {
    const step: TracedStep = {
      spanId: this.#nextId(),
      parentId: this.#within?.spanId ?? this.spanId,
      policy,
      beganAt,
      endedAt: this.now(),
      verdict: undefined,
      cacheResult: undefined,
      fault: undefined,
    }
    this.steps.push(step)
    return step
  }
}
