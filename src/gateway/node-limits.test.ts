import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import type { Log, LogFields } from '../core/log.ts'
import { silentLog } from '../core/log.ts'
import { ManualClock } from '../core/manual-clock.ts'
import { silentMeter } from '../core/meter.ts'
import type { LimitSpec } from '../limits/limit-spec.ts'
import { createLimitTable } from '../limits/limit-table.ts'
import { MainHub } from './link.ts'
import { NodeLimits } from './node-limits.ts'

const daily: LimitSpec = {
  name: 'daily',
  algorithm: 'quota',
  limit: 10,
  period: 'day',
  per: [],
  missing: 'shared',
  shadow: false,
  tolerance: 0,
  onStoreFailure: 'local',
}

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'velum-limits-'))
  t.after(() => rmSync(folder, { recursive: true }))
  return folder
}

interface World {
  readonly limits: NodeLimits
  readonly clock: ManualClock
  readonly warnings: string[]
}

function start(folder: string, clock = new ManualClock()): World {
  const warnings: string[] = []
  const log: Log = { ...silentLog, warn: (message: string, _fields?: LogFields) => void warnings.push(message) }
  const hub = new MainHub(() => assert.fail('no message fails'))
  const limits = new NodeLimits({ workers: 2, folder, specs: () => [daily], hub, clock, log, meter: silentMeter })
  return { limits, clock, warnings }
}

/** Takes `cost` of the daily quota as a worker would; gives what is left. */
function take({ limits, clock }: World, cost: number): number {
  const counters = createLimitTable(limits.memory, 0, clock).open([daily])
  const charged = counters.charge([{ limit: 'daily', key: '', cost }])
  return charged.levels[0].remaining
}

test('what is used of a quota outlives the node, whether it was stopped or killed', (t) => {
  const folder = folderOf(t)
  const first = start(folder)
  assert.equal(take(first, 4), 6)
  first.limits.close()
  const second = start(folder, first.clock)
  assert.equal(take(second, 1), 5)
  second.clock.advance(10_000) // saved while it ran; then killed, without close
  const third = start(folder, second.clock)
  assert.equal(take(third, 1), 4)
  assert.deepEqual([...first.warnings, ...second.warnings, ...third.warnings], [])
})

test('the file is for its owner alone', (t) => {
  const folder = folderOf(t)
  const world = start(folder)
  take(world, 1)
  world.limits.close()
  assert.equal(statSync(join(folder, 'quotas.json')).mode & 0o777, 0o600)
})

test('a file that cannot be understood is a warning, never a failed start', (t) => {
  const folder = folderOf(t)
  for (const text of [
    '{"hashKey":[1,2],"quo',
    '{}',
    'null',
    '{"hashKey":[1,2],"quotas":[{"name":"daily","parameters":[1],"budgets":[]}]}',
  ]) {
    writeFileSync(join(folder, 'quotas.json'), text)
    const world = start(folder)
    assert.equal(world.warnings.length, 1, text)
    assert.equal(take(world, 1), 9, text)
  }
})

test('a quota that nobody has used leaves nothing to keep', (t) => {
  const folder = folderOf(t)
  const { limits } = start(folder)
  limits.close()
  assert.deepEqual((JSON.parse(readFileSync(join(folder, 'quotas.json'), 'utf8')) as { quotas: unknown[] }).quotas, [])
})

test('what a dead worker held is free again: requests under way, and connections by address', (t) => {
  const { limits, clock } = start(folderOf(t))
  const held: LimitSpec = { ...daily, name: 'held', algorithm: 'concurrency', limit: 1 }
  for (const memory of [limits.memory, limits.edges]) {
    const [first, second] = [0, 1].map((worker) => createLimitTable(memory, worker, clock).open([held]))
    const refusedBy = (): number => second.charge([{ limit: 'held', key: '192.0.2.1', cost: 1 }]).refusedBy
    first.charge([{ limit: 'held', key: '192.0.2.1', cost: 1 }])
    assert.equal(refusedBy(), 0)
    limits.release(0)
    assert.equal(refusedBy(), -1)
  }
})
