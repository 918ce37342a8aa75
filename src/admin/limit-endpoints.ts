import { jsonAnswer } from '../core/answer.ts'
import { httpProblem } from '../core/problem.ts'
import type { Gateway } from '../gateway/gateway.ts'
import type { LimitSpec } from '../limits/limit-spec.ts'
import { countsBy } from './counts.ts'
import type { Endpoint } from './endpoint.ts'
import { pathOf } from './endpoint.ts'

/** What of a gateway these addresses tell. */
export interface LimitSource extends Pick<Gateway, 'families' | 'limitKeys'> {
  readonly model: { readonly limits: readonly LimitSpec[] }
}

/** The addresses about limits: which there are and what they decided; whose budgets are busiest, and who is refused. */
export function limitEndpoints(gateway: LimitSource): readonly Endpoint[] {
  const roles = ['admin'] as const
  return [
    {
      method: 'GET',
      path: '/api/limits',
      roles,
      handle() {
        const decisions = countsBy(gateway, 'velum_limit_decisions_total', 'limit', 'decision')
        const limits = gateway.model.limits.map((spec) => ({
          ...spec,
          per: spec.per.map((part) => ('name' in part ? `${part.kind}:${part.name}` : part.kind)),
          decisions: decisions.get(spec.name) ?? {},
        }))
        return jsonAnswer(200, { limits })
      },
    },
    {
      method: 'GET',
      path: '/api/limits/{id}/keys',
      roles,
      handle(x) {
        const name = pathOf(x).split('/').at(-2)
        const spec = gateway.model.limits.find((limit) => limit.name === name)
        if (spec === undefined) return httpProblem({ name: 'no-route', detail: 'There is no such limit.' }, x.id)
        const { busiest, refused } = gateway.limitKeys(spec.name)
        return jsonAnswer(200, { limit: spec.name, unit: 'charges per second', busiest, refused })
      },
    },
  ]
}
