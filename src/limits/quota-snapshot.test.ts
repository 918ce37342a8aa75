import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ManualClock } from '../core/manual-clock.ts'
import type { LimitSpec } from './limit-spec.ts'
import { allocateLimitTable, createLimitTable } from './limit-table.ts'
import type { LocalCounters } from './limit-table.ts'
import { saveQuotas } from './quota-snapshot.ts'
import type { QuotaSnapshot } from './quota-snapshot.ts'
import { TableMemory } from './table-memory.ts'

const common = { per: [], missing: 'shared', shadow: false, tolerance: 0, onStoreFailure: 'local' } as const
const monthly = { ...common, name: 'monthly', algorithm: 'quota', limit: 100, period: 'month' } as const satisfies LimitSpec
const daily: LimitSpec = { ...monthly, name: 'daily', period: 'day' }
const bucket: LimitSpec = {
  ...common,
  name: 'bucket',
  algorithm: 'token-bucket',
  capacity: 100,
  refill: { units: 1, periodMs: 60_000 },
}
const size = { maxKeys: 1000, workers: 1 }
const noon = Date.UTC(2026, 10, 24, 12)

function charge(counters: LocalCounters, limit: string, key: string, cost: number): void {
  assert.equal(counters.charge([{ limit, key, cost }]).refusedBy, -1)
}

function left(counters: LocalCounters, limit: string, key: string): number {
  return counters.peek([{ limit, key, cost: 0 }]).levels[0].remaining
}

/** What a process wrote down after some use, as it comes back from a file. */
function written(): QuotaSnapshot {
  const clock = new ManualClock(noon)
  const memory = allocateLimitTable(size, clock)
  const specs = [monthly, daily, bucket]
  const counters = createLimitTable(memory, 0, clock).open(specs)
  charge(counters, 'monthly', 'acme', 30)
  charge(counters, 'monthly', 'other', 100)
  charge(counters, 'daily', 'acme', 7)
  charge(counters, 'bucket', 'acme', 50)
  return JSON.parse(JSON.stringify(saveQuotas(memory, specs))) as QuotaSnapshot
}

function restarted(snapshot: QuotaSnapshot, at: number, specs: readonly LimitSpec[]): LocalCounters {
  const clock = new ManualClock(at)
  return createLimitTable(allocateLimitTable(size, clock, snapshot), 0, clock).open(specs)
}

function sorted({ quotas }: QuotaSnapshot): string[] {
  return quotas.flatMap(({ name, budgets }) => budgets.map((budget) => [name, ...budget].join())).toSorted()
}

describe('calendar quotas over a restart', () => {
  it('go on where they were, and other budgets begin whole', () => {
    const counters = restarted(written(), noon + 3_600_000, [monthly, daily, bucket])
    assert.deepEqual(
      [left(counters, 'monthly', 'acme'), left(counters, 'monthly', 'other'), left(counters, 'daily', 'acme')],
      [70, 0, 93],
    )
    assert.equal(left(counters, 'bucket', 'acme'), 100)
    const refused = counters.peek([{ limit: 'monthly', key: 'other', cost: 1 }]).levels[0]
    assert.equal(refused.retryAfterMs, Date.UTC(2026, 11, 1) - noon - 3_600_000)
  })

  it('end with their period, also when that was while the process was down', () => {
    const nextDay = restarted(written(), Date.UTC(2026, 10, 25), [monthly, daily])
    assert.deepEqual([left(nextDay, 'monthly', 'acme'), left(nextDay, 'daily', 'acme')], [70, 100])
    const nextMonth = restarted(written(), Date.UTC(2026, 11, 1), [monthly, daily])
    assert.deepEqual([left(nextMonth, 'monthly', 'acme'), left(nextMonth, 'daily', 'acme')], [100, 100])
  })

  it('keep what was used when the limit was edited in between', () => {
    assert.equal(left(restarted(written(), noon, [{ ...monthly, limit: 40 }]), 'monthly', 'acme'), 10)
  })

  it('are written again as they were read', () => {
    const snapshot = written()
    const clock = new ManualClock(noon)
    const again = saveQuotas(allocateLimitTable(size, clock, snapshot), [monthly, daily])
    assert.deepEqual(sorted(again), sorted(snapshot))
    assert.deepEqual(again.hashKey, snapshot.hashKey)
  })

  it('of limits that are gone are not written', () => {
    const clock = new ManualClock(noon)
    const memory = allocateLimitTable(size, clock, written())
    assert.deepEqual(
      saveQuotas(memory, [monthly]).quotas.map(({ name }) => name),
      ['monthly'],
    )
  })

  it('are left whole when there is no room for them', () => {
    const clock = new ManualClock(noon)
    const memory = allocateLimitTable({ maxKeys: 196, workers: 1 }, clock)
    const counters = createLimitTable(memory, 0, clock).open([monthly])
    for (let i = 0; i < 248; i++) charge(counters, 'monthly', `key ${i}`, 1)
    const { hashKey, quotas } = saveQuotas(memory, [monthly])
    const [{ name, parameters, budgets }] = quotas
    const more = budgets.concat([[1, 2, Date.UTC(2026, 10, 1), 5]])
    const again = allocateLimitTable({ maxKeys: 196, workers: 1 }, clock, {
      hashKey,
      quotas: [{ name, parameters, budgets: more }],
    })
    assert.equal(saveQuotas(again, [monthly]).quotas[0].budgets.length, 248)
    assert.deepEqual(new TableMemory(again).troubles, { shared: 0, refused: 0, stuck: 0 })
  })
})
