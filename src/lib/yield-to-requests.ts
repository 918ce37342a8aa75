import { constants, getPriority, setPriority } from 'node:os'

/**
 * Lets the thread that calls it, and those that it starts, take what requests leave over. Does nothing where that cannot be had: on
 * systems other than Linux it would be the whole process, and a sandbox may forbid it.
 */
export function yieldToRequests(steps: number): void {
  if (process.platform !== 'linux') return
  try {
    // There 0 means this thread.
    setPriority(0, Math.min(constants.priority.PRIORITY_LOW, getPriority(0) + steps))
  } catch {
    // Then this thread is as urgent as all others.
  }
}
