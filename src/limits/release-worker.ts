import { TableMemory } from './table-memory.ts'

/** What a dead worker left behind in the limit table. */
export interface Released {
  readonly locks: number
  /** Places of concurrency limits. */
  readonly places: number
}

/**
 * Frees what a dead worker held: its locks, and its places under concurrency limits. For main, once the worker's thread
 * has exited and before another one starts under its number. What it was just writing stays as it is: at worst a charge
 * without its request, or of one level only.
 */
export function releaseWorker(memory: SharedArrayBuffer, worker: number): Released {
  const table = new TableMemory(memory)
  const locks = table.locks.releaseAllOf(worker)
  const { held, heldLocks } = table
  let places = 0
  for (let stripe = 0; stripe < held.stripes; stripe++) {
    // Not to be had only if another worker has died as well: then the column is cleared all the same, since only the dead
    // one wrote there, and the slots are left for that worker's turn.
    const isLocked = table.locks.acquire(heldLocks + stripe)
    held.forEach(stripe, (slot) => {
      const at = held.stateAt(slot)
      places += held.rows[at + worker]
      held.rows[at + worker] = 0
      if (isLocked && held.rows.subarray(at, at + held.stateLength).every((count) => count === 0)) held.setWholeAt(slot, 0)
    })
    if (isLocked) table.locks.release(heldLocks + stripe)
  }
  return { locks, places }
}
