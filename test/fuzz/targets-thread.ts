import { parentPort, workerData } from 'node:worker_threads'
import type { FuzzTarget } from './fuzz-target.ts'

// Runs one target for a while, away from the thread that watches whether it hangs.

/** What the thread is to run. */
export interface TargetOrder {
  readonly name: string
  readonly seed: number
  readonly forMs: number
  /** The module that has it among its `fuzzTargets`. */
  readonly list: string
  /** Where the thread counts: cases of its batch that have begun, whether one of them is made smaller. */
  readonly counts: Int32Array<SharedArrayBuffer>
}

/** What it says after each batch of cases: the seed of the next one, and at the end whether the promise was broken. */
export interface TargetProgress {
  readonly cases: number
  readonly seed: number
  readonly broken: string | undefined
  readonly isOver: boolean
}

const batch = 200
const { name, seed: firstSeed, forMs, list, counts } = workerData as TargetOrder
const { fuzzTargets } = (await import(list)) as { readonly fuzzTargets: readonly FuzzTarget[] }
const { run } = fuzzTargets.find((target) => target.name === name)!
const until = performance.now() + forMs
let broken: string | undefined
for (let seed = firstSeed, cases = 0; ; seed = (seed + 1) | 0) {
  Atomics.store(counts, 0, 0)
  broken = await run(seed, batch, (isShrinking) => {
    Atomics.store(counts, 1, Number(isShrinking))
    Atomics.add(counts, 0, 1)
  })
  cases += batch
  const isOver = broken !== undefined || performance.now() >= until
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread's port has no origin
  parentPort!.postMessage({ cases, seed: (seed + 1) | 0, broken, isOver } satisfies TargetProgress)
  if (isOver) break
}
