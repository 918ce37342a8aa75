import { setImmediate } from 'node:timers/promises'
import type { Clock } from './clock.ts'

/** Longest time without looking whether a request has come. A step that takes longer is not cut. */
const sliceMs = 0.25

/** Runs work that yields between its steps in slices of a quarter of a millisecond, between which the thread serves. */
export async function inSlices<T>(steps: Generator<void, T, void>, clock: Clock): Promise<T> {
  let endsAt = clock.monotonic() + sliceMs
  for (;;) {
    const step = steps.next()
    if (step.done === true) return step.value
    if (clock.monotonic() < endsAt) continue
    await setImmediate()
    endsAt = clock.monotonic() + sliceMs
  }
}

/** Runs it in one go. */
export function atOnce<T>(steps: Generator<void, T, void>): T {
  for (;;) {
    const step = steps.next()
    if (step.done === true) return step.value
  }
}
