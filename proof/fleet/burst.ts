import type { Told } from './told.ts'

/** The most that was admitted within any span of time beyond what the rate brings in it: for a bucket, its capacity. */
export function largestBurst(passed: readonly Pick<Told, 'sentAt' | 'doneAt'>[], perSecond: number): number {
  const byEnd = passed.toSorted((a, b) => a.doneAt - b.doneAt)
  let largest = 0
  for (const { sentAt: from } of passed) {
    let count = 0
    for (const { sentAt, doneAt } of byEnd) {
      if (sentAt < from) continue
      count++
      largest = Math.max(largest, count - (perSecond * (doneAt - from)) / 1000)
    }
  }
  return Math.max(0, Math.ceil(largest - 1e-6))
}
