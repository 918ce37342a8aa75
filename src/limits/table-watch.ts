import type { Clock, Timer } from '../core/clock.ts'
import type { Closable } from '../core/lasting.ts'
import type { Log } from '../core/log.ts'
import type { Meter } from '../core/meter.ts'
import { TableMemory } from './table-memory.ts'
import type { TableTroubles } from './table-memory.ts'

export const watchEveryMs = 10_000

const words: Readonly<Record<keyof TableTroubles, string>> = {
  shared: 'the limit table is full: new keys share budgets',
  refused: 'the limit table is full: requests were refused for it',
  stuck: 'a lock of the limit table did not come free: requests were refused for it',
}

/**
 * Tells the operator when the limit table does more than it promised: `velum_limit_table_troubles_total` by trouble, and a
 * warning when one has grown. For main, once per node.
 */
export function createTableWatch(
  memory: SharedArrayBuffer,
  { clock, log, meter }: { clock: Clock; log: Log; meter: Meter },
): Closable {
  const table = new TableMemory(memory)
  const help = 'Charges that the limit table could not serve as promised, by trouble.'
  const troubles = Object.keys(words) as (keyof TableTroubles)[]
  const counts = troubles.map((trouble) => meter.counter('velum_limit_table_troubles_total', help, { trouble }))
  let before = table.troubles
  const look = (): void => {
    const now = table.troubles
    for (const [i, trouble] of troubles.entries()) {
      const grown = (now[trouble] - before[trouble]) >>> 0
      if (grown === 0) continue
      counts[i].add(grown)
      log.warn(words[trouble], { charges: grown })
    }
    before = now
    timer = clock.after(watchEveryMs, look)
  }
  let timer: Timer = clock.after(watchEveryMs, look)
  return { close: () => timer.cancel() }
}
