import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { LogFields } from '../core/log.ts'
import { silentLog } from '../core/log.ts'
import { ManualClock } from '../core/manual-clock.ts'
import { CountingMeter } from '../../test/support/policy-env.ts'
import { allocateLimitTable, createLimitTable } from './limit-table.ts'
import { createTableWatch, watchEveryMs } from './table-watch.ts'

it('tells of a full table, once for each time it has grown worse', () => {
  const clock = new ManualClock()
  const memory = allocateLimitTable({ maxKeys: 196, workers: 1 }, clock)
  const limit = { name: 'a', algorithm: 'fixed-window', limit: 5, windowMs: 3_600_000 } as const
  const counters = createLimitTable(memory, 0, clock).open([
    { ...limit, per: [], missing: 'shared', shadow: false, tolerance: 0, onStoreFailure: 'local' },
  ])
  const warnings: [string, LogFields | undefined][] = []
  const meter = new CountingMeter()
  const log = { ...silentLog, warn: (message: string, fields?: LogFields) => void warnings.push([message, fields]) }
  const watch = createTableWatch(memory, { clock, log, meter })
  const charge = (count: number, name: string): void => {
    for (let i = 0; i < count; i++) counters.charge([{ limit: 'a', key: `${name} ${i}`, cost: 1 }])
  }
  charge(248, 'known')
  clock.advance(watchEveryMs)
  assert.deepEqual(warnings, [])
  charge(7, 'new')
  clock.advance(3 * watchEveryMs)
  assert.deepEqual(warnings, [['the limit table is full: new keys share budgets', { charges: 7 }]])
  charge(2, 'newer')
  clock.advance(watchEveryMs)
  assert.equal(warnings.length, 2)
  assert.equal(meter.counts.get('velum_limit_table_troubles_total shared'), 9)
  watch.close()
  charge(2, 'newest')
  clock.advance(watchEveryMs)
  assert.equal(warnings.length, 2)
})
