import type { Cleanup } from '../../test/support/velum-process.ts'

/** Runs something with a place for what is to be done afterwards, the latest first. */
export async function cleaningUp(run: (cleanup: Cleanup) => Promise<void>): Promise<void> {
  const steps: (() => unknown)[] = []
  try {
    await run({ after: (step) => void steps.push(step) })
  } finally {
    for (const step of steps.toReversed()) await step()
  }
}
