import { jsonAnswer } from '../core/answer.ts'
import type { Exchange } from '../core/exchange.ts'
import { httpProblem } from '../core/problem.ts'
import type { Gateway } from '../gateway/gateway.ts'
import type { IdentitySpec } from '../identity/identity-spec.ts'
import { addressKey, canonicalAddress } from '../lib/address.ts'
import { boundedPart, claimValuePart, keyOfParts, subjectPart } from '../limits/limit-key.ts'
import type { KeyPart, LimitSpec } from '../limits/limit-spec.ts'
import { countsBy } from './counts.ts'
import type { Endpoint } from './endpoint.ts'
import { pathOf, queryOf } from './endpoint.ts'

/** What of a gateway these addresses tell. */
export interface LimitSource extends Pick<Gateway, 'families' | 'limitKeys' | 'limitLevel'> {
  readonly model: { readonly limits: readonly LimitSpec[]; readonly identity?: Pick<IdentitySpec, 'own'> | undefined }
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
          per: spec.per.map(partName),
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
    {
      method: 'GET',
      path: '/api/limits/{id}/level',
      roles,
      async handle(x) {
        const name = pathOf(x).split('/').at(-2)
        const spec = gateway.model.limits.find((limit) => limit.name === name)
        if (spec === undefined) return httpProblem({ name: 'no-route', detail: 'There is no such limit.' }, x.id)
        const key = keyOf(spec, x, gateway.model.identity?.own?.issuer ?? '')
        if (key === undefined) {
          const names = spec.per.map(partName).join(', ')
          const detail = `Say whose budget: ${names === '' ? 'it is one for all, so nothing' : `${names}, or "key" as the list of keys has it`}.`
          return httpProblem({ name: 'invalid-argument', detail }, x.id)
        }
        return jsonAnswer(200, await gateway.limitLevel(spec, key))
      },
    },
  ]
}

function partName(part: KeyPart): string {
  return 'name' in part ? `${part.kind}:${part.name}` : part.kind
}

/** `?key=…` as keys are told, or each part by its name; undefined for anything else. */
function keyOf({ per }: LimitSpec, x: Exchange, issuer: string): string | undefined {
  const asked = queryOf(x)
  const names = [...asked.keys()]
  if (names.length === 1 && names[0] === 'key' && per.length > 0) return asked.get('key')!
  const wanted = per.map(partName)
  if (names.length !== new Set(names).size || names.some((name) => !wanted.includes(name)) || names.length < wanted.length)
    return undefined
  return per.length === 0 ? '' : keyOfParts(per.map((part) => partText(part, asked.get(partName(part))!, issuer)))
}

/** As `limit-key` reads it from a request; a subject is the gateway's own, those of others are found by their whole key. */
function partText({ kind }: KeyPart, value: string, issuer: string): string {
  if (kind === 'address') return addressKey(canonicalAddress(value) ?? value)
  if (kind === 'subject') return subjectPart(issuer, value)
  return kind === 'claim' ? claimValuePart(value) : boundedPart(value)
}
