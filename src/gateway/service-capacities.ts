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

/** Makes the gates of all services with `concurrency`, and gives each route its place at them. */
export function serviceCapacities(
  model: GatewayModel,
  table: LimitTable,
  env: LimitEnv & Pick<BuildEnv, 'hold' | 'shared' | 'worker'>,
): (route: RouteModel, service: ServiceModel) => Policy | undefined {
  const fixed = model.services.flatMap(({ name, concurrency }) =>
    typeof concurrency === 'number' ? [fixedGateSpec(name, concurrency)] : [],
  )
  const counters = table.open(fixed)
  const { rests } = env.shared
  const uses = new Map<string, Omit<CapacityUse, 'priority'>>()
  for (const { name, concurrency } of model.services) {
    if (concurrency === undefined) continue
    const present = prioritiesAt(model, name)
    const source = `services.${name}.concurrency`
    if (concurrency === 'adaptive') {
      const told = env.meter.gauge('velum_service_concurrency_limit', help, { service: name })
      // What was learnt of a service outlives an edit of the configuration.
      const gate = env.hold.take(
        `services/adaptive-gate ${name}`,
        () => new AdaptiveGate(env.clock, told, rests && restsOf(rests, env.worker, name)),
      )
      gate.serves(present)
      uses.set(name, { service: name, gate, holds: 'until-head', source })
    } else {
      uses.set(name, { service: name, gate: new FixedGate(name, concurrency, present, counters), holds: 'until-end', source })
    }
  }
  return (route, service) => {
    const use = uses.get(service.name)
    return use === undefined ? undefined : serviceCapacity({ ...use, priority: route.priority ?? 'default' }, env)
  }
}

/** The priorities of the routes that lead to a service. */
function prioritiesAt({ routes }: GatewayModel, service: string): Priority[] {
  const leading = routes.filter(({ action }) => action.kind === 'to' && action.services.some((share) => share.service === service))
  return priorities.filter((priority) => leading.some((route) => (route.priority ?? 'default') === priority))
}
