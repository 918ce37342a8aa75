import { Worker } from 'node:worker_threads'
import type { Promised } from '../../proof/support/promises.ts'
import type { FuzzTarget } from './fuzz-target.ts'
import type { TargetOrder, TargetProgress } from './targets-thread.ts'

/** A batch that takes longer than this hangs. */
const hangMs = 60_000

/** Fuzzes one target for so long in a thread of its own, which is ended when it hangs; prints a counterexample. */
export async function runTarget({ name, promise }: FuzzTarget, seed: number, forMs: number): Promise<Promised> {
  const order: TargetOrder = { name, seed, forMs }
  const thread = new Worker(new URL('targets-thread.ts', import.meta.url), { workerData: order })
  let last: TargetProgress = { cases: 0, seed, broken: undefined, isOver: false }
  const ended = new Promise<string | undefined>((resolve) => {
    let hang = setTimeout(() => {}, 0)
    const watch = (): void => {
      clearTimeout(hang)
      hang = setTimeout(() => resolve(`a batch hangs (seed ${last.seed})`), hangMs)
    }
    const over = (broken: string | undefined): void => {
      clearTimeout(hang)
      resolve(broken)
    }
    thread.on('message', (progress: TargetProgress) => {
      last = progress
      if (progress.isOver) over(progress.broken)
      else watch()
    })
    thread.on('error', (error) => over(`the thread died: ${(error as Error).stack ?? String(error)} (seed ${last.seed})`))
    watch()
  })
  const broken = await ended
  await thread.terminate()
  if (broken !== undefined) console.log(`\n${name}: ${broken}`)
  const seen = broken === undefined ? 'no counterexample' : 'a counterexample, above'
  return { done: `${name}: ${last.cases} cases`, promised: promise, seen, holds: broken === undefined && last.cases > 0 }
}
