import { Worker } from 'node:worker_threads'
import type { Promised } from '../../proof/support/promises.ts'
import type { FuzzTarget } from './fuzz-target.ts'
import type { TargetOrder, TargetProgress } from './targets-thread.ts'

/** Longest time until the first case: the thread loads every target before. */
const startMs = 60_000

/** How a target is run. */
export interface TargetRun {
  readonly seed: number
  readonly forMs: number
  /** One case that takes longer than this hangs. */
  readonly hangMs: number
  /** URL of the module that has the target among its `fuzzTargets`. */
  readonly list: string
}

/** Fuzzes one target for so long in a thread of its own, which is ended when a case hangs; prints a counterexample. */
export async function runTarget(target: FuzzTarget, { seed, forMs, hangMs, list }: TargetRun): Promise<Promised> {
  const { name, promise } = target
  const counts = new Int32Array(new SharedArrayBuffer(8))
  const thread = new Worker(new URL('targets-thread.ts', import.meta.url), {
    workerData: { name, seed, forMs, list, counts } satisfies TargetOrder,
  })
  let last: TargetProgress = { cases: 0, seed, broken: undefined, isOver: false }
  const ended = new Promise<string | undefined>((resolve) => {
    let seen = ''
    let movedAt = performance.now()
    const watch = setInterval(
      () => {
        const begun = Atomics.load(counts, 0)
        const now = `${last.cases} ${begun}`
        if (now !== seen) movedAt = performance.now()
        seen = now
        if (performance.now() - movedAt < (last.cases + begun === 0 ? startMs : hangMs)) return
        const isShrinking = Atomics.load(counts, 1) === 1
        const which =
          begun === 0 ? 'no case yet' : isShrinking ? 'a smaller one of a counterexample' : target.caseOf(last.seed, begun - 1)
        over(`a case hangs: ${which} (seed ${last.seed}, case ${begun})`)
      },
      Math.min(1000, hangMs / 4),
    )
    const over = (broken: string | undefined): void => {
      clearInterval(watch)
      resolve(broken)
    }
    thread.on('message', (progress: TargetProgress) => {
      last = progress
      if (progress.isOver) over(progress.broken)
    })
    thread.on('error', (error) => over(`the thread died: ${(error as Error).stack ?? String(error)} (seed ${last.seed})`))
    // A case that waits for what never comes leaves the thread nothing to do.
    thread.on('exit', () => over(`the thread ended within a case (seed ${last.seed}, case ${Atomics.load(counts, 0)})`))
  })
  const broken = await ended
  await thread.terminate()
  if (broken !== undefined) console.log(`\n${name}: ${broken}`)
  const seen = broken === undefined ? 'no counterexample' : 'a counterexample, above'
  return { done: `${name}: ${last.cases} cases`, promised: promise, seen, holds: broken === undefined && last.cases > 0 }
}
