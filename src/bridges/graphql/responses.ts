import { GraphQLError, execute, subscribe } from 'graphql'
import type { ExecutionArgs, ExecutionResult } from 'graphql'
import type { End } from '../../core/body.ts'
import { END } from '../../core/body.ts'
import type { Fault } from '../../core/fault.ts'
import type { Log } from '../../core/log.ts'
import type { GraphqlResponse } from './answer.ts'
import { shownErrors } from './errors.ts'
import type { Operation } from './operation.ts'

/** The responses to one operation, pulled one by one. Never throws: what fails is the last response. */
export interface Responses {
  next(): Promise<GraphqlResponse | End>
  /** Nobody takes the rest: the calls end at once. */
  cancel(why: Fault): void
}

/** A result as callers may see it. */
export function shownResult({ data, errors }: ExecutionResult, log: Log): GraphqlResponse {
  return { errors: errors === undefined ? undefined : shownErrors(errors, log), data }
}

/** The one response to a query or mutation. */
export async function executed(args: ExecutionArgs, log: Log): Promise<GraphqlResponse> {
  return shownResult(await execute(args), log)
}

/** The responses to any operation; `operation` is the context of `args`. */
export function responsesTo(args: ExecutionArgs, operation: Operation, isSubscription: boolean, log: Log): Responses {
  return isSubscription ? new SubscriptionResponses(args, operation, log) : new OneResponse(args, operation, log)
}

/** A response that is there already. */
export function oneResponse(response: GraphqlResponse): Responses {
  let left: GraphqlResponse | undefined = response
  return {
    next() {
      const next = left ?? END
      left = undefined
      return Promise.resolve(next)
    },
    cancel() {},
  }
}

class OneResponse implements Responses {
  readonly #args: ExecutionArgs
  readonly #operation: Operation
  readonly #log: Log
  #isGiven = false

  constructor(args: ExecutionArgs, operation: Operation, log: Log) {
    this.#args = args
    this.#operation = operation
    this.#log = log
  }

  async next(): Promise<GraphqlResponse | End> {
    if (this.#isGiven) return END
    this.#isGiven = true
    return executed(this.#args, this.#log)
  }

  cancel(why: Fault): void {
    this.#operation.cancel(why)
  }
}

class SubscriptionResponses implements Responses {
  readonly #args: ExecutionArgs
  readonly #operation: Operation
  readonly #log: Log
  #results: AsyncIterator<ExecutionResult> | undefined = undefined
  #isOver = false

  constructor(args: ExecutionArgs, operation: Operation, log: Log) {
    this.#args = args
    this.#operation = operation
    this.#log = log
  }

  async next(): Promise<GraphqlResponse | End> {
    if (this.#isOver) return END
    try {
      if (this.#results === undefined) {
        const started = await subscribe(this.#args)
        if (!(Symbol.asyncIterator in started)) return this.#last(shownResult(started, this.#log))
        this.#results = started
      }
      const result = await this.#results.next()
      if (result.done !== true) return shownResult(result.value, this.#log)
      this.#isOver = true
      return END
    } catch (thrown) {
      const error = thrown instanceof GraphQLError ? thrown : new GraphQLError('', { originalError: thrown as Error })
      return this.#last({ errors: shownErrors([error], this.#log) })
    }
  }

  cancel(why: Fault): void {
    this.#isOver = true
    this.#operation.cancel(why)
  }

  #last(response: GraphqlResponse): GraphqlResponse {
    this.#isOver = true
    return response
  }
}
