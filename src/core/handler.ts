import type { Answer } from './answer.ts'
import type { Exchange } from './exchange.ts'

/** A value, or the promise of one. A promise appears only where something truly waits. */
export type MaybePromise<T> = T | Promise<T>

/**
 * The one shape of the request path. Router, identity endpoints, admin and health are all Handlers.
 * Returns the answer (refusals too); throws a Fault when something failed.
 */
export type Handler = (exchange: Exchange) => MaybePromise<Answer>

/** Whether a MaybePromise still has to be waited for. */
export function isPromise<T>(value: MaybePromise<T>): value is Promise<T> {
  return typeof value === 'object' && value !== null && typeof (value as Promise<T>).then === 'function'
}
