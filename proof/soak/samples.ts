import { readFileSync, readdirSync, readlinkSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { RedisServer } from '../../test/support/redis-server.ts'
import type { Admin } from './gateway-process.ts'
import { leftMemory } from './left-memory.ts'

/** What the gateway holds at one moment, by name. */
export type Sample = Readonly<Record<string, number>>

export interface SampleSource {
  readonly pid: number
  readonly admin: Admin
  readonly isStopping: () => boolean
  /** One of the two stores. */
  readonly redis: RedisServer | undefined
  readonly storeFolder: string
  /** Where the threads write what is left after collections, and how many workers there are. */
  readonly leftFolder: string
  readonly workers: number
}

const everyMs = 5000

/** Reads every five seconds until the world stops; `seconds` counts from the first call. `failed` hears why one could not be had. */
export async function keepSampling(source: SampleSource, samples: Sample[], failed: (thrown: unknown) => void): Promise<void> {
  const began = performance.now()
  while (!source.isStopping()) {
    try {
      samples.push({ seconds: (performance.now() - began) / 1000, ...(await sample(source)) })
    } catch (thrown) {
      failed(thrown)
    }
    await sleep(everyMs)
  }
}

/** Everything that must not grow. */
export async function sample({ pid, admin, redis, storeFolder, leftFolder, workers }: SampleSource): Promise<Sample> {
  const { text } = await admin.call('GET', '/metrics')
  const found: Record<string, number> = { 'metrics: lines': text.split('\n').length, ...leftMemory(leftFolder, workers) }
  const sum = (name: string, value: number): void => void (found[name] = (found[name] ?? 0) + value)
  for (const [, name, labels = '', value] of text.matchAll(/^(\w+)(?:\{(.*)\})? (\S+)$/gm)) {
    const label = (wanted: string): string => new RegExp(`(?:^|,)${wanted}="([^"]*)"`).exec(labels)?.[1] ?? ''
    const number = Number(value)
    if (name === 'velum_heap_bytes') sum(`heap of ${threadName(label('thread'))}`, number)
    else if (name === 'velum_external_bytes') sum(`external memory of ${threadName(label('thread'))}`, number)
    else if (name === 'velum_active_resources') sum(`active ${label('kind')} of ${threadName(label('thread'))}`, number)
    else if (name === 'velum_limit_store_failures_total' && label('limit') === 'perKey') sum('perKey without the store', number)
    else if (watched.has(name)) sum(name, number)
  }
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const field = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1])
  found['resident memory'] = field('VmRSS') * 1024
  found['threads'] = field('Threads')
  for (const name of threadNames(pid)) sum(`threads called ${name}`, 1)
  for (const [kind, count] of openFiles(pid)) found[`files: ${kind}`] = count
  if (redis !== undefined) {
    found['store: keys'] = Number(redis.cli('dbsize').replace(/\D/g, ''))
    found['store: bytes'] = Number(/^used_memory:(\d+)/m.exec(redis.cli('info', 'memory'))?.[1])
    found['store: audit entries'] = Number(redis.cli('xlen', 'velum:{0ax}:audit').replace(/\D/g, ''))
  } else {
    found['store: bytes'] = sizeOf(storeFolder)
  }
  return found
}

const watched = new Set([
  'velum_connections',
  'velum_service_connections',
  'velum_cache_bytes',
  'velum_log_dropped_total',
  'velum_uncaught_errors_total',
  'velum_worker_losses_total',
  'velum_limit_table_troubles_total',
  'velum_requests_total',
  'velum_exchanges',
  'velum_generations_retired',
])

const threadName = (thread: string): string => (thread === 'main' ? 'main' : 'workers')

/** What the system calls each thread. */
function threadNames(pid: number): string[] {
  return readdirSync(`/proc/${pid}/task`).flatMap((thread) => {
    try {
      return [readFileSync(`/proc/${pid}/task/${thread}/comm`, 'utf8').trim()]
    } catch {
      return [] // ended meanwhile
    }
  })
}

function openFiles(pid: number): Map<string, number> {
  const kinds = new Map([
    ['sockets', 0],
    ['others', 0],
  ])
  for (const fd of readdirSync(`/proc/${pid}/fd`)) {
    let target: string
    try {
      target = readlinkSync(`/proc/${pid}/fd/${fd}`)
    } catch {
      continue // closed meanwhile
    }
    const kind = target.startsWith('socket:') ? 'sockets' : 'others'
    kinds.set(kind, kinds.get(kind)! + 1)
  }
  return kinds
}

function sizeOf(folder: string): number {
  let size = 0
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    if (entry.isFile()) size += statSync(join(entry.parentPath, entry.name)).size
  }
  return size
}
