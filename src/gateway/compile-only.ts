import { allocateCache, smallestCacheBytes } from '../cache/cache-memory.ts'
import type { GatewayModel } from '../config/model.ts'
import { systemClock } from '../core/clock.ts'
import { Fault } from '../core/fault.ts'
import { Lasting } from '../core/lasting.ts'
import { silentLog } from '../core/log.ts'
import { silentMeter } from '../core/meter.ts'
import { Sweeper } from '../core/sweeper.ts'
import { allocateLimitTable } from '../limits/limit-table.ts'
import { compileGeneration } from './compile.ts'
import { noAccessLog } from './access-log.ts'
import type { RouteRow } from './route-rows.ts'
import { routeRows } from './route-rows.ts'

/**
 * Compiles a configuration as a worker would and lets go of it again: opens no port, asks nobody. Gives the route
 * table; throws what keeps the configuration from being served.
 */
export function compileOnly(model: GatewayModel): RouteRow[] {
  const clock = systemClock
  const sweeper = new Sweeper(clock)
  const generation = compileGeneration(model, {
    clock,
    sweeper,
    log: silentLog,
    meter: silentMeter,
    hold: new Lasting().hold(),
    link: {
      ask: (topic) => Promise.reject(new Fault('cancelled', `nobody answers ${topic} here`)),
      tell() {},
      hear: () => () => {},
    },
    shared: {
      limits: allocateLimitTable({ maxKeys: 64, workers: 1 }, clock),
      cache: allocateCache({ maxBytes: smallestCacheBytes, workers: 1 }),
      metrics: new SharedArrayBuffer(0),
    },
    worker: 0,
    workers: 1,
    accessLog: noAccessLog,
    isMisdirected: () => false,
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
