import { createHash } from 'node:crypto'
import type { GatewayModel, ListenerModel, PolicyUse, RouteModel, ServiceModel } from '../config/model.ts'
import type { Policy } from '../core/policy.ts'
import type { RequestEdit } from '../core/request-edits.ts'
import { stableJson } from '../lib/stable-json.ts'
import { PenaltyWard } from '../limits/penalty-ward.ts'
import type { LimitEnv, LimitStep } from '../policies/limits.ts'
import { limitPolicy } from '../policies/limits.ts'
import { policyKind } from '../policies/list.ts'
import { penaltyPolicies } from '../policies/penalties.ts'
import type { PenaltyPolicies } from '../policies/penalties.ts'
import type { PolicyEnv } from '../policies/policy-kind.ts'
import type { Waiting } from './waiting.ts'
import type { GenerationEnv } from './worker.ts'

/** The penalty box, as far as the configuration has one. */
export function openPenalties(
  { penalties = [] }: Pick<GatewayModel, 'penalties'>,
  env: GenerationEnv,
  isExempt: (address: string) => boolean,
): Partial<PenaltyPolicies> & { readonly ready?: Promise<void> } {
  if (penalties.length === 0) return {}
  const ward = env.hold.take('penalties', () => new PenaltyWard(env.link, env.clock, env.log))
  return { ...penaltyPolicies({ ...env, specs: penalties, ward, isExempt }), ready: ward.ready }
}

/** What the limits of a listener's edge come to. */
export function edgePolicies(listener: string, uses: ListenerModel['edgeLimits'], env: LimitEnv): Policy[] {
  const policy = limitPolicy(
    {
      kind: 'edge',
      uses: uses.map(({ use, settle, source, cost = 1 }) => ({ use, settle, source, cost, shadow: false })),
      source: `listeners.${listener}.edge.limits`,
      route: '',
      service: '',
    },
    env,
  )
  return policy === undefined ? [] : [policy]
}

/** What the policy keys of a route come to, with the changes to what its service sees. */
export function routePolicies(
  route: RouteModel,
  policyEnv: (source: string) => PolicyEnv,
  ready: Waiting,
): { policies: Policy[]; edits: RequestEdit[] } {
  const policies: Policy[] = []
  const edits: RequestEdit[] = []
  const auth: PolicyUse = { policy: 'auth', options: route.auth, source: route.auth.source }
  for (const use of [auth, ...route.policies]) {
    const kind = policyKind(use.policy)
    // A policy that is silently left out could be the one that keeps strangers away.
    if (kind === undefined) throw new Error(`${use.source}: there is no policy ${JSON.stringify(use.policy)}`)
    const built = kind.build(use.options, policyEnv(use.source))
    if (built === undefined) continue
    policies.push(...built.policies)
    if (built.requestEdit !== undefined) edits.push(built.requestEdit)
    ready.push(built.ready)
  }
  return { policies, edits }
}

/** What the limits of a route come to; undefined: it has none. */
export function routeLimits(route: RouteModel, drawn: LimitStep['drawn'], env: LimitEnv): Policy | undefined {
  const only = route.action.kind === 'to' && route.action.services.length === 1 ? route.action.services[0].service : ''
  return limitPolicy(
    { kind: 'route', uses: route.limits, source: `${route.source}.limits`, route: route.name, service: only, drawn },
    env,
  )
}

/** Whether a limit counts for each service by itself. */
export function countsPerService({ limits }: Pick<GatewayModel, 'limits'>, name: string): boolean {
  return limits.some((limit) => limit.name === name && limit.per.some(({ kind }) => kind === 'service'))
}

/** What a service limits, as it stands on this route; undefined where it limits nothing. */
export function serviceLimits(route: RouteModel, { name, limits }: ServiceModel, env: LimitEnv): Policy | undefined {
  return limitPolicy(
    { kind: 'service', uses: limits ?? [], source: `services.${name}.limits`, route: route.name, service: name },
    env,
  )
}

/** What the answers of a route depend on besides its requests: another text, another place in the cache. */
export function shapeOf(route: RouteModel): string {
  return createHash('sha256')
    .update(stableJson({ ...route, source: '' }))
    .digest('base64url')
    .slice(0, 16)
}
