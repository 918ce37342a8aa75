import assert from 'node:assert/strict'
import { once } from 'node:events'
import { after, describe, it } from 'node:test'
import { Worker } from 'node:worker_threads'
import { systemClock } from '../core/clock.ts'
import type { HammerReport, HammerTask } from '../../test/support/limit-hammer.ts'
import type { LimitSpec } from './limit-spec.ts'
import { allocateLimitTable, createLimitTable } from './limit-table.ts'
import { releaseWorker } from './release-worker.ts'
import { TableMemory } from './table-memory.ts'

const common = { per: [], missing: 'shared', shadow: false, tolerance: 0, onStoreFailure: 'local' } as const
const entry = new URL('../../test/support/limit-hammer.ts', import.meta.url)
const workers = 4

/** Refilled so slowly that nothing comes back while a test runs. */
function bucket(name: string, capacity: number): LimitSpec {
  return { ...common, name, algorithm: 'token-bucket', capacity, refill: { units: 1, periodMs: 86_400_000 } }
}

const started = new Set<Worker>()

function start(task: Omit<HammerTask, 'gate' | 'together'>, gate = new SharedArrayBuffer(4), together = 1): Worker {
  const worker = new Worker(entry, { workerData: { ...task, gate, together } satisfies HammerTask })
  started.add(worker)
  return worker
}

after(async () => {
  for (const worker of started) await worker.terminate()
})

function window(name: string, limit: number): LimitSpec {
  return { ...common, name, algorithm: 'fixed-window', limit, windowMs: 86_400_000 }
}

async function report(worker: Worker): Promise<HammerReport> {
  const [message] = (await once(worker, 'message', { signal: AbortSignal.timeout(60_000) })) as [HammerReport]
  return message
}

/** Runs the same job on all workers at once. */
async function hammer(memory: SharedArrayBuffer, specs: readonly LimitSpec[], job: HammerTask['job']): Promise<HammerReport[]> {
  const gate = new SharedArrayBuffer(4)
  const all = Array.from({ length: workers }, (_, worker) => start({ memory, worker, specs, job }, gate, workers))
  try {
    return await Promise.all(all.map(report))
  } finally {
    await Promise.all(all.map((worker) => worker.terminate()))
  }
}

const sum = (numbers: Iterable<number>): number => [...numbers].reduce((a, b) => a + b, 0)

describe('real threads on one table', () => {
  it('see the same time, which every budget is counted by', async () => {
    const memory = allocateLimitTable({ maxKeys: 1000, workers }, systemClock)
    const before = systemClock.monotonic()
    const reports = await hammer(memory, [], { kind: 'clock' })
    const until = systemClock.monotonic()
    for (const { now } of reports) assert.ok(now >= before && now <= until, `${now} is not between ${before} and ${until}`)
  })

  it('admit from one bucket exactly what it holds', async () => {
    const memory = allocateLimitTable({ maxKeys: 1000, workers }, systemClock)
    const reports = await hammer(memory, [bucket('a', 3000)], { kind: 'charge', times: 3000, keys: 1, creditEvery: 0 })
    assert.equal(sum(reports.map(({ admitted }) => admitted)), 3000)
    assert.equal(sum(reports.map(({ refused }) => refused)), 9000)
  })

  it('lose no charge and no credit on one bucket', async () => {
    const memory = allocateLimitTable({ maxKeys: 1000, workers }, systemClock)
    const specs = [window('w', 1_000_000)]
    const reports = await hammer(memory, specs, { kind: 'charge', times: 40_000, keys: 1, creditEvery: 2 })
    const admitted = sum(reports.map((r) => r.admitted))
    const counters = createLimitTable(memory, workers, systemClock).open(specs)
    assert.equal(counters.peek([{ limit: 'w', key: 'all', cost: 0 }]).levels[0].remaining, 1_000_000 - admitted)
  })

  it('charge both levels of a step or none, and give back what they credit', async () => {
    const memory = allocateLimitTable({ maxKeys: 1000, workers }, systemClock)
    const keys = 37
    const specs = [window('tenant', 30_000), window('user', 700)]
    const reports = await hammer(memory, specs, { kind: 'charge', times: 15_000, keys, creditEvery: 3 })
    const admitted = sum(reports.map((r) => r.admitted))
    const counters = createLimitTable(memory, workers, systemClock).open(specs)
    const left = (limit: string, key: string): number => counters.peek([{ limit, key, cost: 0 }]).levels[0].remaining
    const usedByUsers = sum(Array.from({ length: keys }, (_, i) => 700 - left('user', `key ${i}`)))
    assert.equal(30_000 - left('tenant', 'all'), admitted)
    assert.equal(usedByUsers, admitted)
    assert.ok(sum(reports.map((r) => r.refused)) > 0)
    assert.equal(admitted, 700 * keys)
  })

  it('never have more under way than a concurrency limit lets them', async () => {
    const memory = allocateLimitTable({ maxKeys: 1000, workers }, systemClock)
    const specs: LimitSpec[] = [{ ...common, name: 'h', algorithm: 'concurrency', limit: 2 }]
    const inside = new SharedArrayBuffer(4)
    const reports = await hammer(memory, specs, { kind: 'hold', times: 5000, inside })
    for (const { mostInside } of reports) assert.ok(mostInside <= 2)
    const counters = createLimitTable(memory, workers, systemClock).open(specs)
    assert.equal(counters.peek([{ limit: 'h', key: 'all', cost: 0 }]).levels[0].remaining, 2)
  })
})

describe('a worker that dies holding a lock', () => {
  it('blocks others for a bounded time only, and not at all once main has freed it', async () => {
    const memory = allocateLimitTable({ maxKeys: 196, workers }, systemClock)
    const specs = [bucket('a', 5)]
    // The lock of the only stripe of buckets.
    const dying = start({ memory, worker: 0, specs, job: { kind: 'seize', lock: 1 } })
    await report(dying)
    const counters = createLimitTable(memory, 1, systemClock).open(specs)
    const charges = [{ limit: 'a', key: 'k', cost: 1 }]
    assert.throws(() => counters.charge(charges), { code: 'overloaded' })
    assert.throws(() => counters.charge(charges), { code: 'overloaded' })
    await dying.terminate()
    assert.deepEqual(releaseWorker(memory, 0), { locks: 1, places: 0 })
    assert.equal(counters.charge(charges).refusedBy, -1)
    assert.equal(new TableMemory(memory).troubles.stuck, 2)
  })

  it('lets those go on who wait for it', async () => {
    const memory = allocateLimitTable({ maxKeys: 196, workers }, systemClock)
    const specs = [bucket('a', 100)]
    const dying = start({ memory, worker: 0, specs, job: { kind: 'seize', lock: 1 } })
    await report(dying)
    await dying.terminate()
    const waiting = start({ memory, worker: 1, specs, job: { kind: 'charge', times: 1, keys: 1, creditEvery: 0 } })
    // Whether it came to sleep or not: it either charges, or says that it could not and exits with that.
    const ended = Promise.race([report(waiting), once(waiting, 'error').then(([error]) => error as Error)])
    await once(waiting, 'online')
    releaseWorker(memory, 0)
    const outcome = await ended
    await waiting.terminate()
    if (outcome instanceof Error) assert.match(outcome.message, /did not come free/)
    else assert.equal(outcome.admitted, 1)
  })

  it('at any moment leaves a table that the others can use', async () => {
    const memory = allocateLimitTable({ maxKeys: 196, workers }, systemClock)
    const specs = [window('tenant', 1_000_000_000), bucket('user', 1000)]
    const counters = createLimitTable(memory, workers, systemClock).open(specs)
    for (let round = 0; round < 12; round++) {
      const dying = start({ memory, worker: 0, specs, job: { kind: 'forever', keys: 50 } })
      await once(dying, 'message')
      await dying.terminate()
      assert.ok(releaseWorker(memory, 0).locks <= 2)
      for (let i = 0; i < 50; i++)
        counters.charge([
          { limit: 'tenant', key: 'all', cost: 1 },
          { limit: 'user', key: `key ${i}`, cost: 1 },
        ])
    }
    const { troubles } = new TableMemory(memory)
    assert.deepEqual(troubles, { shared: 0, refused: 0, stuck: 0 })
  })
})
