import assert from 'node:assert/strict'
import type { Charge } from '../../src/core/counters.ts'
import { Fault } from '../../src/core/fault.ts'
import { ManualClock } from '../../src/core/manual-clock.ts'
import type { LimitSpec } from '../../src/limits/limit-spec.ts'
import { allocateLimitTable, createLimitTable } from '../../src/limits/limit-table.ts'
import type { LocalCounters } from '../../src/limits/limit-table.ts'
import { releaseWorker } from '../../src/limits/release-worker.ts'
import { TableMemory } from '../../src/limits/table-memory.ts'
import type { Promised } from '../support/promises.ts'
import { caught, holding } from './model.ts'

const capacity = 3
const common = { per: [], missing: 'shared', shadow: false, tolerance: 0, onStoreFailure: 'local' } as const
const never = { units: 1, periodMs: 86_400_000 }
const specs: readonly LimitSpec[] = [
  { ...common, name: 'a', algorithm: 'token-bucket', capacity, refill: never },
  { ...common, name: 'b', algorithm: 'sliding-log', limit: capacity, windowMs: 86_400_000 },
  { ...common, name: 'held', algorithm: 'concurrency', limit: capacity },
]
const step: readonly Charge[] = specs.map(({ name }) => ({ limit: name, key: 'k', cost: 1 }))
const held: readonly Charge[] = [step[2]]
const workers = 3

type Wrong = 'frees-nothing' | 'frees-no-places' | 'level-by-level'

/** The thread ends here; whatever it would still do, its `finally` too, does not happen. */
class Death extends Error {}

const verbs = ['compareExchange', 'exchange', 'load', 'store', 'add', 'notify'] as const

/** Runs something that dies at its `at`-th access to shared memory, after it when `isAfter`; false when it had fewer and lived. */
function dyingAt(at: number, isAfter: boolean, run: () => void): boolean {
  const real = Object.fromEntries(verbs.map((verb) => [verb, Atomics[verb]]))
  let calls = 0
  let isDead = false
  const die = (): never => {
    isDead = true
    throw new Death('the thread ended')
  }
  for (const verb of verbs) {
    const call = real[verb] as (...args: unknown[]) => unknown
    const dying = (...args: unknown[]): unknown => {
      if (isDead || (++calls === at && !isAfter)) return die()
      const result = call(...args)
      return calls === at ? die() : result
    }
    Object.assign(Atomics, { [verb]: dying })
  }
  try {
    run()
  } catch (thrown) {
    if (!(thrown instanceof Death)) throw thrown
  } finally {
    Object.assign(Atomics, real)
  }
  return isDead
}

/** Every order of the acts of workers, each of which does its own one after the other; by the workers' numbers. */
function* ordersOf(acts: readonly number[]): Generator<readonly number[]> {
  if (acts.every((left) => left === 0)) yield []
  for (const [worker, left] of acts.entries()) {
    if (left === 0) continue
    for (const rest of ordersOf(acts.with(worker, left - 1))) yield [worker, ...rest]
  }
}

/** Charges in this order, of which the one at `dead` dies at its access `at`; false when it lived. */
function died(order: readonly number[], dead: number, at: number, isAfter: boolean, wrong: Wrong | undefined): boolean {
  const clock = new ManualClock()
  const memory = allocateLimitTable({ maxKeys: 64, workers }, clock)
  const views = Array.from({ length: workers }, (_, worker) => createLimitTable(memory, worker, clock).open(specs))
  const holds = views.map(() => 0)
  let passed = 0
  let isDead = false
  const charge = (worker: number): void => {
    if (!chargedWith(views[worker], wrong)) return
    passed++
    holds[worker]++
  }
  for (const [i, worker] of order.entries()) {
    if (i !== dead) charge(worker)
    else {
      isDead = dyingAt(at, isAfter, () => charge(worker))
      if (!isDead) return false
      free(memory, worker, wrong)
      holds[worker] = 0
      // Its successor.
      views[worker] = createLimitTable(memory, worker, clock).open(specs)
    }
  }
  const locks = new TableMemory(memory).locks
  for (let worker = 0; worker <= workers; worker++) assert.equal(locks.releaseAllOf(worker), 0, 'nothing stays locked')
  const [a, b, places] = views[1].peek(step.map((one) => ({ ...one, cost: 0 }))).levels.map(({ remaining }) => remaining)
  assert.equal(a, b, 'a step is charged whole or not at all')
  assert.ok(capacity - a === passed || capacity - a === passed + 1, 'no charge is lost, and at most the one that died is too many')
  assert.equal(places, capacity - holds.reduce((sum, count) => sum + count, 0), 'the places of the dead are free')
  for (let i = 0; i < capacity + 1; i++) {
    for (const [worker, view] of views.entries()) {
      if (holds[worker] > 0) view.credit(held)
      holds[worker] = Math.max(0, holds[worker] - 1)
      charge(worker)
    }
  }
  assert.ok(passed <= capacity, 'never more than the capacity passes')
  assert.ok(passed >= capacity - 1, 'what is left can be used')
  return true
}

function chargedWith(counters: LocalCounters, wrong: Wrong | undefined): boolean {
  const steps = wrong === 'level-by-level' ? step.map((level) => [level]) : [step]
  try {
    return steps.every((each) => counters.charge(each).refusedBy === -1)
  } catch (thrown) {
    return thrown instanceof Fault ? assert.fail(thrown.message) : raise(thrown)
  }
}

function raise(thrown: unknown): never {
  throw thrown
}

/** What main does when a worker has died. */
function free(memory: SharedArrayBuffer, worker: number, wrong: Wrong | undefined): void {
  if (wrong === 'frees-no-places') new TableMemory(memory).locks.releaseAllOf(worker)
  else if (wrong !== 'frees-nothing') releaseWorker(memory, worker)
}

/** The limit table of three workers in shared memory, of which one dies at any of its accesses to shared memory. */
export async function limitTable(isLean: boolean): Promise<readonly Promised[]> {
  const acts = isLean ? [1, 1, 0] : [2, 1, 1]
  const promised = 'once main has freed it: nothing locked, each step whole or not at all, never more than the capacity'
  return [
    await holding('charges of three workers of which one dies', promised, () => explored(acts)),
    await caught('frees nothing of the dead', () => explored(acts, 'frees-nothing')),
    await caught('frees the locks of the dead, but not its places', () => explored(acts, 'frees-no-places')),
    await caught('charges level by level', () => explored(acts, 'level-by-level')),
  ]
}

function explored(acts: readonly number[], wrong?: Wrong): string {
  let deaths = 0
  let orders = 0
  for (const order of ordersOf(acts)) {
    orders++
    for (const dead of order.keys()) {
      for (const isAfter of [false, true]) {
        let at = 1
        while (died(order, dead, at, isAfter, wrong)) at++
        deaths += at - 1
      }
    }
  }
  assert.ok(deaths > 0)
  return `${orders} interleavings of charges of three workers, with a death at each of ${deaths} accesses to shared memory`
}
