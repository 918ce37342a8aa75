import type { Answer } from '../core/answer.ts'
import type { Body } from '../core/body.ts'
import type { Exchange } from '../core/exchange.ts'
import type { MaybePromise } from '../core/handler.ts'
import type { Headers } from '../core/headers.ts'

/** What a policy asks a service of its own accord. */
export interface Question {
  readonly method: string
  /** Path and query. */
  readonly target: string
  /** What was chosen to be sent; forwarding fields and who is calling are added. */
  readonly headers: Headers
  readonly body: Body
  /** Monotonic milliseconds by which the answer's head must have come. */
  readonly headBy: number
}

/** Asks a service about an exchange, which goes on as if nobody had. Throws a Fault when there is no answer. */
export type AskService = (question: Question, x: Exchange) => MaybePromise<Answer>
