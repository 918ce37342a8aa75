// Preloaded into every thread of the gateway under proof. Once a minute it collects all garbage and writes down what is left.
// V8 looks at the old part of a heap every few minutes, and later as it grows: what `/metrics` shows in between is mostly
// what nobody holds any more, and two workers are hardly ever at their lowest at the same time.
import { mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { getHeapStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { isMainThread, workerData } from 'node:worker_threads'
import { collectEveryMs, leftFolderVariable } from './left-memory.ts'

const folder = process.env[leftFolderVariable]
const thread = isMainThread ? 'main' : numberOf(workerData)
if (folder !== undefined && thread !== undefined) {
  mkdirSync(folder, { recursive: true })
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  setInterval(() => {
    // What survives once is only then old.
    collect()
    collect()
    const { used_heap_size: heap, external_memory: external } = getHeapStatistics()
    const place = join(folder, thread)
    writeFileSync(`${place}.new`, `${heap} ${external}`)
    renameSync(`${place}.new`, place)
  }, collectEveryMs).unref()
}

/** The number of a worker of the gateway; undefined for other threads. */
function numberOf(data: unknown): string | undefined {
  return typeof data === 'object' && data !== null && 'worker' in data ? `worker-${String(data.worker)}` : undefined
}
