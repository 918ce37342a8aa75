import { isMainThread, parentPort, workerData } from 'node:worker_threads'
import { CacheMemory } from '../../src/cache/cache-memory.ts'
import { Claims } from '../../src/cache/claims.ts'

/** What a thread that takes claims is told. */
export interface Leading {
  readonly claiming: SharedArrayBuffer
  /** One word for each key: how many hold its claim. */
  readonly inside: SharedArrayBuffer
  readonly worker: number
  readonly rounds: number
}

/** What it saw: how often it led, and how often beside another. The latter must be 0. */
export interface Led {
  readonly led: number
  readonly beside: number
}

const keys = ['a', 'b', 'c', 'd']

function lead({ claiming, inside, worker, rounds }: Leading): Led {
  const claims = new Claims(new CacheMemory(claiming, worker))
  const held = new Int32Array(inside)
  let [led, beside] = [0, 0]
  for (let round = 0; round < rounds; round++) {
    const key = round % keys.length
    const claim = claims.take(keys[key])
    if (claim.kind !== 'mine') continue
    led++
    if (Atomics.add(held, key, 1) !== 0) beside++
    Atomics.sub(held, key, 1)
    claim.end()
  }
  return { led, beside }
}

if (!isMainThread && parentPort !== null && (workerData as Partial<Leading> | undefined)?.claiming !== undefined) {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- threads have no origins
  parentPort.postMessage(lead(workerData as Leading))
}
