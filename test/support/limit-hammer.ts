// A worker thread that hammers a limit table as it is told, for the tests of `src/limits`.
import { parentPort, workerData } from 'node:worker_threads'
import { systemClock } from '../../src/core/clock.ts'
import type { LimitSpec } from '../../src/limits/limit-spec.ts'
import { createLimitTable } from '../../src/limits/limit-table.ts'
import { TableMemory } from '../../src/limits/table-memory.ts'

/** What a hammer does. */
export interface HammerTask {
  readonly memory: SharedArrayBuffer
  readonly worker: number
  readonly specs: readonly LimitSpec[]
  /** One integer, at which all of `together` hammers wait for each other before they begin. */
  readonly gate: SharedArrayBuffer
  readonly together: number
  readonly job:
    | { readonly kind: 'charge'; readonly times: number; readonly keys: number; readonly creditEvery: number }
    | { readonly kind: 'hold'; readonly times: number; readonly inside: SharedArrayBuffer }
    | { readonly kind: 'seize'; readonly lock: number }
    | { readonly kind: 'clock' }
    | { readonly kind: 'forever'; readonly keys: number }
}

/** What a hammer saw. */
export interface HammerReport {
  readonly admitted: number
  readonly refused: number
  /** Most holders seen at one time. */
  readonly mostInside: number
  /** Its monotonic clock at the end. */
  readonly now: number
}

const { memory, worker, specs, gate, together, job } = workerData as HammerTask
const counters = createLimitTable(memory, worker, systemClock).open(specs)
let admitted = 0
let refused = 0
let mostInside = 0

// Its own sequence per worker, so that a failure can be repeated.
let seed = worker + 1
function random(below: number): number {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0
  return Math.floor((seed / 4294967296) * below)
}

/** One step over all limits: the first under one key for all, the others under a drawn key. */
function step(keys: number): { limit: string; key: string; cost: number }[] {
  return specs.map((spec, i) => ({ limit: spec.name, key: i === 0 ? 'all' : `key ${random(keys)}`, cost: 1 }))
}

function tell(message: HammerReport | 'started'): void {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread's port has no origin
  parentPort!.postMessage(message)
}

const arrived = new Int32Array(gate)
Atomics.add(arrived, 0, 1)
Atomics.notify(arrived, 0)
for (let here = Atomics.load(arrived, 0); here < together; here = Atomics.load(arrived, 0)) Atomics.wait(arrived, 0, here, 1000)

switch (job.kind) {
  case 'charge':
    for (let i = 0; i < job.times; i++) {
      const charges = step(job.keys)
      if (counters.charge(charges).refusedBy !== -1) {
        refused++
      } else if (job.creditEvery > 0 && random(job.creditEvery) === 0) {
        counters.credit(charges)
      } else {
        admitted++
      }
    }
    break
  case 'hold': {
    const inside = new Int32Array(job.inside)
    const charges = [{ limit: specs[0].name, key: 'all', cost: 1 }]
    while (admitted < job.times) {
      if (counters.charge(charges).refusedBy !== -1) {
        refused++
        continue
      }
      admitted++
      mostInside = Math.max(mostInside, Atomics.add(inside, 0, 1) + 1)
      Atomics.sub(inside, 0, 1)
      counters.credit(charges)
    }
    break
  }
  case 'seize':
    new TableMemory(memory, worker).locks.acquire(job.lock)
    break
  case 'clock':
    break
  case 'forever':
    tell('started')
    for (;;) counters.charge(step(job.keys))
}
const report: HammerReport = { admitted, refused, mostInside, now: systemClock.monotonic() }
tell(report)
// Holds on to what it has until it is ended.
setInterval(() => {}, 1000)
