import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { changeName, reloadedConfig, reloaderOf } from './reload.ts'
import type { BenchOptions } from './run.ts'
import { freePort } from './support/processes.ts'
import { saveResults } from './support/results.ts'
import { startVelum } from './support/start-velum.ts'
import { table } from './support/table.ts'

const sizes = [10, 50, 500, 5000]
const groups = ['main', 'loader', 'worker', 'others'] as const
type Group = (typeof groups)[number]
type Spent = Record<Group, number>

/**
 * What a reload costs in CPU, thread by thread, of a gateway with nothing else to do: as the scheduler of Linux counts it, so that
 * other programs on the machine do not matter much. What passes between reloads is subtracted.
 */
export async function benchReloadCpu(options: BenchOptions): Promise<void> {
  const rows: string[][] = []
  const all: unknown[] = []
  for (const changed of ['one', 'every'] as const) {
    for (const routes of sizes) {
      const name = changeName(routes, changed)
      if (!options.matches(name, options.scenario)) continue
      const spent = await measure(routes, changed, options.isQuick ? 8 : 30)
      all.push({ name, ...spent })
      const total = groups.reduce((sum, group) => sum + spent[group], 0)
      rows.push([name, ...[...groups.map((group) => spent[group]), total].map((ms) => ms.toFixed(1))])
    }
  }
  console.log(`\nCPU of a reload, ms, one worker, nothing else to do\n${table(['', ...groups, 'sum'], rows)}`)
  saveResults('reload-cpu', {}, all)
}

async function measure(routes: number, changed: 'one' | 'every', reloads: number): Promise<Spent> {
  const folder = mkdtempSync(join(tmpdir(), 'velum-bench-'))
  const [upstreamPort, echoPort, port, adminPort] = await Promise.all([freePort(), freePort(), freePort(), freePort()])
  const config = (turn: number): unknown =>
    reloadedConfig({ port, adminPort, upstreamPort, echoPort, folder, turn, otherRoutes: routes, changed })
  const velum = await startVelum({ folder: join(folder, 'velum'), config: config(0), cores: '0,1', port: adminPort })
  try {
    const next = reloaderOf(folder, adminPort, config)
    const reload = async (): Promise<void> => {
      await next()
      await sleep(restMs)
    }
    for (let i = 0; i < 10; i++) await reload()
    const idle = await during(velum.pid, () => sleep(2000))
    const startedAt = performance.now()
    const busy = await during(velum.pid, async () => {
      for (let i = 0; i < reloads; i++) await reload()
    })
    const tookMs = performance.now() - startedAt
    const net = (group: Group): number => (busy[group] - idle[group] * (tookMs / 2000)) / reloads
    return { main: net('main'), loader: net('loader'), worker: net('worker'), others: net('others') }
  } finally {
    await velum.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Long enough for whatever a reload leaves behind. */
const restMs = 400

/** CPU that the threads of a process spent meanwhile, in ms. */
async function during(pid: number, work: () => Promise<unknown>): Promise<Spent> {
  const before = spentBy(pid)
  await work()
  const spent: Spent = { main: 0, loader: 0, worker: 0, others: 0 }
  for (const [thread, { group, ms }] of spentBy(pid)) spent[group] += ms - (before.get(thread)?.ms ?? 0)
  return spent
}

function spentBy(pid: number): Map<string, { readonly group: Group; readonly ms: number }> {
  const threads = new Map<string, { group: Group; ms: number }>()
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    try {
      const name = readFileSync(`/proc/${pid}/task/${thread}/comm`, 'utf8').trim()
      const [ran] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')
      threads.set(thread, { group: groupOf(name, Number(thread) === pid), ms: Number(ran) / 1e6 })
    } catch {
      // It has ended.
    }
  }
  return threads
}

/** The system keeps 15 characters of a thread's name. */
function groupOf(name: string, isMain: boolean): Group {
  if (isMain) return 'main'
  if (name.startsWith('velum loader')) return 'loader'
  return name.startsWith('velum worker') ? 'worker' : 'others'
}
