import { after } from 'node:test'
import type { Cleanup } from './velum-process.ts'

/** Who cleans up after the last test of the suite, or file, that asks for it: what was started last ends first. */
export function suiteCleanup(): Cleanup {
  const steps: (() => unknown)[] = []
  after(async () => {
    for (const step of steps) await step()
  })
  return { after: (step) => void steps.unshift(step) }
}
