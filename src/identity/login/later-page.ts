import type { Answer } from '../../core/answer.ts'
import type { Exchange } from '../../core/exchange.ts'
import { Fault } from '../../core/fault.ts'
import type { IdentityParts } from '../identity-parts.ts'
import { busyWords, loginFailure, retryLater } from './login-endpoints.ts'

/** People get a page, also where the store is down or too many log in. */
export async function shown(x: Exchange, parts: IdentityParts, answer: Promise<Answer>): Promise<Answer> {
  try {
    return await answer
  } catch (thrown) {
    if (!(thrown instanceof Fault) || (thrown.code !== 'store-down' && thrown.code !== 'overloaded')) throw thrown
    return retryLater(loginFailure(x, parts, 503, busyWords, undefined), Math.ceil((thrown.retryAfterMs ?? 1000) / 1000))
  }
}
