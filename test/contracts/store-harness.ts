import type { MaybePromise } from '../../src/core/handler.ts'
import type { Stores } from '../../src/core/stores.ts'
import type { FrozenClock } from '../support/frozen-clock.ts'

/** An empty store, opened for one test. */
export interface StoreHarness {
  readonly stores: Stores
  /** The same store as another node of the fleet sees it; where only one process may open it, `stores` itself. */
  readonly peer: Stores
  readonly clock: FrozenClock
  close(): Promise<void>
}

export type OpenStore = () => Promise<StoreHarness>

/** Runs a test over an empty store. */
export function over(open: OpenStore, test: (harness: StoreHarness) => Promise<void>): () => Promise<void> {
  return async () => {
    const harness = await open()
    try {
      await test(harness)
    } finally {
      await harness.close()
    }
  }
}

/** Runs `count` of them at once; resolves with all results in order. */
export function all<T>(count: number, run: (i: number) => MaybePromise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length: count }, async (_, i) => run(i)))
}

/** Resolves when the condition holds; the runner's own limit ends a wait in vain. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5))
}
