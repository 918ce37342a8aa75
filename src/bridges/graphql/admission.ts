import type { GraphQLFormattedError } from 'graphql'
import { emptyAnswer } from '../../core/answer.ts'
import type { Clock } from '../../core/clock.ts'
import type { Exchange, RouteFacts } from '../../core/exchange.ts'
import { Slot } from '../../core/exchange.ts'
import type { Handler } from '../../core/handler.ts'
import { Headers } from '../../core/headers.ts'
import type { Log } from '../../core/log.ts'
import { compose, finish } from '../../core/pipeline.ts'
import type { Policy, Stage } from '../../core/policy.ts'
import type { Problem } from '../../core/problem.ts'
import { problems } from '../../core/problem.ts'
import { costHeader } from './answer.ts'
import { problemError } from './errors.ts'

/** What bounds how often a caller may call; who they are and what they may do was settled when their connection was made. */
const bounding: ReadonlySet<Stage> = new Set(['penalty', 'caller-penalty', 'limit', 'service-limit'])

interface Bounds {
  readonly policies: readonly Policy[]
  readonly decide: Handler
}

const boundsOf = new WeakMap<RouteFacts, Bounds>()
const costs = new Slot<number>()
const refusals = new Slot<Problem>()

/** Whether an operation of a connection may begin. */
export interface Admission {
  readonly refusal: GraphQLFormattedError | undefined
  /** The operation is over: what was held for it is given back. */
  end(): void
}

/**
 * Charges the limits of a route for one operation among many of a connection, as a request of its own would be: else a
 * connection that was opened once would be a way around them. `own` is the exchange of this operation alone.
 */
export async function admit(own: Exchange, cost: number, clock: Clock, log: Log): Promise<Admission> {
  const { policies, decide } = boundsFor(own)
  if (policies.length === 0) return { refusal: undefined, end() {} }
  costs.set(own, cost)
  own.renderProblem = (problem) => {
    refusals.set(own, problem)
    return emptyAnswer(problems[problem.name].status)
  }
  const { status } = await decide(own)
  const end = (): void => {
    const { fault } = own
    const outcome = { end: 'complete', status, fault, receivedBytes: 0, sentBytes: 0, endedAt: clock.monotonic() } as const
    finish(policies, own, outcome, (error, policy) =>
      log.error('a policy failed at the end of an operation', { policy: policy.name, error }),
    )
  }
  const problem = refusals.get(own)
  if (problem === undefined) return { refusal: undefined, end }
  end()
  return { refusal: problemError(problem, own.id), end() {} }
}

function boundsFor({ route }: Exchange): Bounds {
  if (route === undefined) return none
  let bounds = boundsOf.get(route)
  if (bounds === undefined) {
    const policies = route.policies.filter(({ stage }) => bounding.has(stage))
    bounds = { policies, decide: compose(policies, begun) }
    boundsOf.set(route, bounds)
  }
  return bounds
}

/** The head of an operation's answer, as limits look at it: what it costs. */
const begun: Handler = (own) => emptyAnswer(200, Headers.from([[costHeader, String(costs.get(own) ?? 0)]]))
const none: Bounds = { policies: [], decide: begun }
