import type { Clock, Timer } from '../../core/clock.ts'
import { Fault } from '../../core/fault.ts'
import type { Stores } from '../../core/stores.ts'
import { createStores } from '../create-stores.ts'
import { Followers } from '../followers.ts'
import { runCall } from '../store-verbs.ts'
import type { CallStore, PackedMessage, StoreVerbs } from '../store-verbs.ts'
import { MemoryEngine } from './memory-engine.ts'

const sweepMs = 1000
const sweepRows = 1000

/** A store that ends with its process; for tests, and for running policies without a gateway. Answers at once. */
export function createMemoryStores(clock: Clock): Stores {
  const followers = new Followers()
  const engine = new MemoryEngine((message) => followers.deliver([message]))
  let isClosed = false
  let timer: Timer
  const sweep = (): void => {
    engine.sweep(clock.now(), sweepRows)
    timer = clock.after(sweepMs, sweep)
  }
  timer = clock.after(sweepMs, sweep)
  const call: CallStore = (verb, ...args) => {
    if (isClosed) throw new Fault('store-down', 'the store is closed')
    return runCall(engine, clock.now(), { verb, args }) as ReturnType<StoreVerbs[typeof verb]>
  }
  return createStores({
    kind: 'memory',
    call,
    async follow(listener) {
      const stop = await followers.join(listener, async (): Promise<readonly PackedMessage[]> => call('live'))
      return {
        get caughtUpAt() {
          return clock.monotonic()
        },
        stop,
      }
    },
    isUp: () => !isClosed,
    now: () => clock.now(),
    async close() {
      isClosed = true
      timer.cancel()
    },
  })
}
