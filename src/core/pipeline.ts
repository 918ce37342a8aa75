import type { Answer } from './answer.ts'
import type { Exchange } from './exchange.ts'
import { faultFrom } from './fault.ts'
import type { Handler, MaybePromise } from './handler.ts'
import { isPromise } from './handler.ts'
import type { Outcome, Policy } from './policy.ts'
import { stages } from './policy.ts'
import { problemOf } from './problem.ts'
import { refuse } from './verdict.ts'
import type { Verdict } from './verdict.ts'

/** Policies in the safe order; those of one stage keep the order in which they were given. */
export function inStageOrder(policies: readonly Policy[]): Policy[] {
  return policies.toSorted((a, b) => stages.indexOf(a.stage) - stages.indexOf(b.stage))
}

/**
 * One Handler from ordered policies around `end`. Each policy decides on the way in; when an answer comes back —
 * from `end`, as a refusal, or made of a fault — the policies it passes on its way out see its head. `offset` is the
 * place of the first policy in `Exchange.verdicts`, for chains that go on in another one.
 */
export function compose(policies: readonly Policy[], end: Handler, offset = 0): Handler {
  let handler: Handler = end
  let last = policies.length
  while (last > 0) {
    // From the inside out: a run of deciding policies, then the wrapping policy in front of it, and so on.
    let first = last
    while (first > 0 && policies[first - 1].wrap === undefined) first--
    if (first < last) handler = decideChain(policies.slice(first, last), handler, offset + first)
    if (first > 0) {
      first--
      handler = wrapped(policies[first], handler, offset + first)
    }
    last = first
  }
  return policies.length === 0 ? answeringFaults(end) : handler
}

/**
 * What every policy would decide, without charging, minting or sending anything; also behind a refusal. One that fails
 * gives the verdict `failed` with the problem that a client would see.
 */
export function peekAll(policies: readonly Policy[], x: Exchange): MaybePromise<(Verdict | undefined)[]> {
  const verdicts: (Verdict | undefined)[] = []
  const from = (index: number): MaybePromise<(Verdict | undefined)[]> => {
    for (let i = index; i < policies.length; i++) {
      let verdict: MaybePromise<Verdict> | undefined
      try {
        verdict = policies[i].decide?.(x, 'peek')
      } catch (thrown) {
        verdict = failing(thrown)
      }
      if (verdict !== undefined && isPromise(verdict)) {
        return verdict.catch(failing).then((v) => {
          verdicts[i] = v
          return from(i + 1)
        })
      }
      verdicts[i] = verdict
    }
    return verdicts
  }
  return from(0)
}

function failing(thrown: unknown): Verdict {
  const fault = faultFrom(thrown)
  return refuse('failed', problemOf(fault), undefined, () => `${fault.code}: ${fault.message}`)
}

/**
 * Tells every policy of a chain that an exchange reached how it ended; `offset` is the one the chain was composed with.
 * A policy that throws here harms no other.
 */
export function finish(
  policies: readonly Policy[],
  x: Exchange,
  outcome: Outcome,
  failed: (thrown: unknown, policy: Policy) => void,
  offset = 0,
): void {
  const reached = Math.min(x.reached - offset, policies.length)
  for (let i = 0; i < reached; i++) {
    const policy = policies[i]
    if (policy.onDone === undefined) continue
    try {
      policy.onDone(x, outcome)
    } catch (thrown) {
      failed(thrown, policy)
    }
  }
}

/** A run of policies without `wrap` in front of `next`. Never throws: what fails inside comes out as an answer. */
function decideChain(policies: readonly Policy[], next: Handler, offset: number): Handler {
  const count = policies.length

  const leave = (x: Exchange, answer: Answer, reached: number): Answer => {
    let leaving = answer
    for (let i = reached - 1; i >= 0; i--) {
      const policy = policies[i]
      if (policy.onHead === undefined) continue
      try {
        policy.onHead(x, leaving)
      } catch (thrown) {
        leaving.body.cancel(faultFrom(thrown))
        leaving = answerFault(x, thrown)
      }
    }
    return leaving
  }
  const pass: Handler = (x) => {
    let answer: MaybePromise<Answer>
    try {
      answer = next(x)
    } catch (thrown) {
      return leave(x, answerFault(x, thrown), count)
    }
    if (!isPromise(answer)) return leave(x, answer, count)
    return answer.then(
      (a) => leave(x, a, count),
      (thrown: unknown) => leave(x, answerFault(x, thrown), count),
    )
  }
  const settle = (x: Exchange, i: number, verdict: Verdict, beganAt: number): Answer | undefined => {
    x.verdicts[offset + i] = verdict
    if (x.trace !== undefined) x.trace.decided(policies[i], verdict, beganAt)
    if (verdict.refusal === undefined) return undefined
    x.refusedBy = policies[i]!
    x.refusal = verdict
    return leave(x, x.renderProblem(verdict.refusal, x), i + 1)
  }
  const fail = (x: Exchange, i: number, thrown: unknown, beganAt: number): Answer => {
    if (x.trace !== undefined) x.trace.failed(policies[i], thrown, beganAt)
    return leave(x, answerFault(x, thrown), i + 1)
  }
  const run = (x: Exchange, from: number): MaybePromise<Answer> => {
    for (let i = from; i < count; i++) {
      const policy = policies[i]
      x.reached = offset + i + 1
      if (policy.decide === undefined) continue
      let verdict: MaybePromise<Verdict>
      const beganAt = x.trace === undefined ? 0 : x.trace.now()
      try {
        verdict = policy.decide(x, 'charge')
      } catch (thrown) {
        return fail(x, i, thrown, beganAt)
      }
      if (isPromise(verdict)) {
        return verdict.then(
          (v) => settle(x, i, v, beganAt) ?? run(x, i + 1),
          (thrown: unknown) => fail(x, i, thrown, beganAt),
        )
      }
      const refused = settle(x, i, verdict, beganAt)
      if (refused !== undefined) return refused
    }
    return pass(x)
  }
  return (x) => run(x, 0)
}

/**
 * A policy that stands around the rest; its own decide, if it has one, comes first. What it calls never throws:
 * `Exchange.fault` tells an answer made of a failure from one that a service gave.
 */
function wrapped(policy: Policy, next: Handler, offset: number): Handler {
  const around = policy.wrap!(answeringFaults(next))
  // What only touches the answer's head takes no time of its own.
  if (policy.stage === 'answer-head' || policy.stage === 'cors') return decideChain([policy], around, offset)
  const traced: Handler = (x) => (x.trace === undefined ? around(x) : x.trace.around(policy, around, x, offset))
  return decideChain([policy], traced, offset)
}

/** A handler whose faults have become problem answers. */
function answeringFaults(handler: Handler): Handler {
  return (x) => {
    try {
      const answer = handler(x)
      return isPromise(answer) ? answer.catch((thrown: unknown) => answerFault(x, thrown)) : answer
    } catch (thrown) {
      return answerFault(x, thrown)
    }
  }
}

function answerFault(x: Exchange, thrown: unknown): Answer {
  const fault = faultFrom(thrown)
  x.fault = fault
  return x.renderProblem(problemOf(fault), x)
}
