import type { GatewayModel } from '../config/model.ts'
import { systemClock } from '../core/clock.ts'
import { Fault } from '../core/fault.ts'
import type { Link } from '../core/link.ts'
import { Sweeper } from '../core/sweeper.ts'
import { compileGeneration } from './compile.ts'
import { loneWorkerEnv } from './lone-worker.ts'
import type { RouteRow } from './route-rows.ts'
import { routeRows } from './route-rows.ts'

const noLink: Link = {
  ask: (topic) => Promise.reject(new Fault('cancelled', `nobody answers ${topic} here`)),
  tell() {},
  hear: () => () => {},
}

/**
 * Compiles a configuration as a worker would and lets go of it again: opens no port, asks nobody. Gives the route
 * table; throws what keeps the configuration from being served.
 */
export function compileOnly(model: GatewayModel): RouteRow[] {
  const clock = systemClock
  const sweeper = new Sweeper(clock)
  const generation = compileGeneration(model, {
    ...loneWorkerEnv({ clock, sweeper, link: noLink }),
    // Foreign code is not run here; that its modules can be loaded, the check has found out in a thread of their own.
    customPolicies: new Map(model.policies?.map(({ name }) => [name, { options: (written) => written }])),
  })
  try {
    return routeRows(generation.routes)
  } finally {
    generation.close()
    sweeper.close()
  }
}
