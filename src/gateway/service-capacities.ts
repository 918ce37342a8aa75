import type { GatewayModel, RouteModel, ServiceModel } from '../config/model.ts'
import type { BuildEnv } from '../core/build-env.ts'
import type { Policy } from '../core/policy.ts'
import { AdaptiveGate } from '../limits/adaptive-gate.ts'
import { FixedGate, fixedGateSpec } from '../limits/fixed-gate.ts'
import type { LimitTable } from '../limits/limit-table.ts'
import type { Priority } from '../limits/priority.ts'
import { priorities } from '../limits/priority.ts'
import { restsOf } from '../limits/rest-board.ts'
import type { LimitEnv } from '../policies/limits.ts'
import type { CapacityUse } from '../policies/service-capacity.ts'
import { serviceCapacity } from '../policies/service-capacity.ts'

const help = 'Requests that a service with adaptive concurrency gets at one time, summed over the workers.'

/** What lets a route's requests to a service, or sheds them; undefined where its capacity is not bounded. */
export type Capacity = (route: RouteModel, service: ServiceModel) => Policy | undefined

/** Makes the gates of all services with `concurrency`, and gives each route its place at them. */
export function serviceCapacities(
  services: readonly ServiceModel[],
  present: ReturnType<typeof prioritiesOf>,
  table: LimitTable,
  env: LimitEnv & Pick<BuildEnv, 'hold' | 'shared' | 'worker'>,
): Capacity {
  const fixed = services.flatMap(({ name, concurrency }) =>
    typeof concurrency === 'number' ? [fixedGateSpec(name, concurrency)] : [],
  )
  const counters = table.open(fixed)
  const { rests } = env.shared
  const uses = new Map<string, Omit<CapacityUse, 'priority'>>()
  for (const { name, concurrency } of services) {
    if (concurrency === undefined) continue
    const served = present[name]
    const source = `services.${name}.concurrency`
    if (concurrency === 'adaptive') {
      const told = env.meter.gauge('velum_service_concurrency_limit', help, { service: name })
      // What was learnt of a service outlives an edit of the configuration.
      const gate = env.hold.take(
        `services/adaptive-gate ${name}`,
        () => new AdaptiveGate(env.clock, told, rests && restsOf(rests, env.worker, name)),
      )
      gate.serves(served)
      uses.set(name, { service: name, gate, holds: 'until-head', source })
    } else {
      uses.set(name, { service: name, gate: new FixedGate(name, concurrency, served, counters), holds: 'until-end', source })
    }
  }
  return (route, service) => {
    const use = uses.get(service.name)
    return use === undefined ? undefined : serviceCapacity({ ...use, priority: route.priority ?? 'default' }, env)
  }
}

/** By name of a service with `concurrency`: the priorities of the routes that lead to it. */
export function prioritiesOf({
  routes,
  services,
}: Pick<GatewayModel, 'routes' | 'services'>): Readonly<Record<string, readonly Priority[]>> {
  const found = new Map<string, Set<Priority>>()
  for (const { name, concurrency } of services) if (concurrency !== undefined) found.set(name, new Set())
  if (found.size > 0)
    for (const { action, priority = 'default' } of routes)
      if (action.kind === 'to') for (const { service } of action.services) found.get(service)?.add(priority)
  return Object.fromEntries([...found].map(([name, those]) => [name, priorities.filter((priority) => those.has(priority))]))
}
