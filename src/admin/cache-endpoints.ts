import { emptyAnswer, jsonAnswer } from '../core/answer.ts'
import { readAll } from '../core/body.ts'
import { faultFrom } from '../core/fault.ts'
import { httpProblem, problemOf } from '../core/problem.ts'
import { parsePurge } from '../cache/purges.ts'
import type { Gateway } from '../gateway/gateway.ts'
import { countsBy } from './counts.ts'
import type { Endpoint } from './endpoint.ts'

const maxBytes = 8192
/** The longest wait for workers to hear of a purge; one that hangs is replaced by one that knows. */
const heardWithinMs = 2000
const wanted = 'One of "url", "prefix" and "tag" as text, and "soft" as true or false.'

/**
 * The addresses about the shared cache: what it holds and how often it answered, and how to take things out of it. A purge
 * is answered by 204 once every worker of this node acts on it, by 202 and `pending` when one has not heard in time.
 */
export function cacheEndpoints(gateway: Pick<Gateway, 'cache' | 'families' | 'heard'>): readonly Endpoint[] {
  const roles = ['admin'] as const
  return [
    {
      method: 'GET',
      path: '/api/cache',
      roles,
      handle: () =>
        jsonAnswer(200, {
          ...gateway.cache.state,
          requests: Object.fromEntries(countsBy(gateway, 'velum_cache_requests_total', 'route', 'result')),
        }),
    },
    {
      method: 'POST',
      path: '/api/cache/purge',
      roles,
      async handle(x) {
        let purge
        try {
          purge = parsePurge(JSON.parse(String(await readAll(x.body, maxBytes))))
        } catch (thrown) {
          if (!(thrown instanceof SyntaxError)) return httpProblem(problemOf(faultFrom(thrown)), x.id)
        }
        if (purge === undefined) return httpProblem({ name: 'malformed', detail: wanted }, x.id)
        try {
          await gateway.cache.purge(purge)
        } catch (thrown) {
          return httpProblem(problemOf(faultFrom(thrown)), x.id)
        }
        return (await gateway.heard(heardWithinMs)) ? emptyAnswer(204) : jsonAnswer(202, { pending: true })
      },
    },
  ]
}
