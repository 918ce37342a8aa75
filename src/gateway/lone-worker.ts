import { allocateCache, smallestCacheBytes } from '../cache/cache-memory.ts'
import type { Clock } from '../core/clock.ts'
import { Lasting } from '../core/lasting.ts'
import type { Link } from '../core/link.ts'
import type { Log } from '../core/log.ts'
import { silentLog } from '../core/log.ts'
import { silentMeter } from '../core/meter.ts'
import type { Sweeper } from '../core/sweeper.ts'
import { allocateLimitTable } from '../limits/limit-table.ts'
import { noAccessLog } from './access-log.ts'
import type { GenerationEnv } from './worker.ts'

export interface LoneWorkerOptions {
  readonly clock: Clock
  readonly sweeper: Sweeper
  readonly link: Link
  /** Default: says nothing. */
  readonly log?: Log | undefined
  /** What its Generations share; default: each has its own. */
  readonly lasting?: Lasting | undefined
  /** Keys of limits that may be counted at one time. Default: 64. */
  readonly maxKeys?: number | undefined
}

/** What a Generation is compiled with that serves no port: the only worker, with memory of its own, without metrics and log. */
export function loneWorkerEnv(options: LoneWorkerOptions): GenerationEnv {
  const { clock, sweeper, link, log = silentLog, lasting = new Lasting(), maxKeys = 64 } = options
  return {
    clock,
    sweeper,
    log,
    meter: silentMeter,
    hold: lasting.hold(),
    link,
    shared: {
      limits: allocateLimitTable({ maxKeys, workers: 1 }, clock),
      cache: allocateCache({ maxBytes: smallestCacheBytes, workers: 1 }),
      metrics: new SharedArrayBuffer(0),
    },
    worker: 0,
    workers: 1,
    accessLog: noAccessLog,
    isMisdirected: () => false,
  }
}
