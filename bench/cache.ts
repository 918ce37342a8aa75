import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { CachePeer } from './peers/caches.ts'
import { nginxCache, startCacheableService, varnish, velumCache } from './peers/caches.ts'
import type { BenchOptions } from './run.ts'
import { measurePauses } from './support/pauses.ts'
import { interleaved } from './support/interleaved.ts'
import type { Running } from './support/processes.ts'
import { cpuMicros, freePort, residentBytes } from './support/processes.ts'
import { saveResults } from './support/results.ts'
import { median, table } from './support/table.ts'
import { runWrk } from './support/wrk.ts'

const gatewayCore = '0'
const clientCore = '1'
const connections = 64
const maxMegabytes = 1600
const script = join(import.meta.dirname, 'wrk/urls.lua')

interface Scenario {
  readonly name: string
  readonly path: string
  /** Different URLs asked in turn; `new`: each is asked once, so that all are misses. */
  readonly urls: number | 'new'
}

const scenarios: readonly Scenario[] = [
  { name: 'hit, 130 B, one URL', path: '/130/', urls: 1 },
  { name: 'hit, 130 B, 10,000 URLs', path: '/130/', urls: 10_000 },
  { name: 'hit, 4 KB, 10,000 URLs', path: '/4k/', urls: 10_000 },
  { name: 'hit, 64 KB, 100 URLs', path: '/64k/', urls: 100 },
  { name: 'miss, 4 KB', path: '/4k/', urls: 'new' },
]

interface Started {
  readonly peer: CachePeer
  readonly running: Running
  readonly port: number
}

interface Sample {
  readonly requests: number
  readonly requestsPerSecond: number
  readonly p99: number
  readonly cpuMicros: number
  readonly rssBytes: number
  readonly errors: number
}

/** The cache beside nginx's `proxy_cache` and Varnish: CPU of a hit and of a miss; then 1 GiB of answers, and pauses. */
export async function benchCache(options: BenchOptions): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'velum-bench-'))
  const started: Running[] = []
  try {
    const upstreamPort = await freePort()
    started.push(await startCacheableService(join(folder, 'service'), upstreamPort, clientCore))
    const all = [nginxCache(true), nginxCache(false), varnish, velumCache(true), velumCache(false)]
    const contenders: Started[] = []
    for (const peer of all.filter(({ name }) => name === 'nginx' || options.matches(name, options.only))) {
      const port = await freePort()
      const own = { port, upstreamPort, cores: gatewayCore, folder: join(folder, peer.name.replaceAll(/\W+/g, '-')), maxMegabytes }
      const running = await peer.start(own)
      started.push(running)
      contenders.push({ peer, running, port })
    }
    const results: Record<string, unknown> = {}
    for (const scenario of scenarios.filter(({ name }) => options.matches(name, options.scenario))) {
      // What passes everything is there to tell what a miss adds.
      const taking = contenders.filter(({ peer }) => peer.isCaching || scenario.urls === 'new')
      results[scenario.name] = await runScenario(scenario, taking, options)
    }
    if (options.matches('1 GiB', options.scenario)) {
      const kept = contenders.filter(({ peer }) => peer.name === 'nginx' || peer.name === 'velum')
      results['1 GiB'] = await fill(kept, options)
    }
    saveResults('cache', { seconds: options.seconds, rounds: options.rounds, connections }, results)
  } finally {
    await Promise.all(started.map((running) => running.stop()))
    rmSync(folder, { recursive: true, force: true })
  }
}

/** The next URL that nobody has asked for. */
let freshUrl = 1_000_000

async function runScenario(scenario: Scenario, contenders: readonly Started[], options: BenchOptions): Promise<unknown> {
  const samples = await interleaved(contenders, options, (contender) => load(contender, scenario, options.seconds))
  const measure = samples.get(contenders[0])!
  const results = contenders.map((contender) => {
    const rounds = samples.get(contender)!
    return { peer: contender.peer.name, rounds, ratio: median(rounds.map((s, i) => s.cpuMicros / measure[i].cpuMicros)) }
  })
  const rows = results.map(({ peer, ratio, rounds }) => [
    peer,
    Math.round(median(rounds.map((s) => s.requestsPerSecond))).toLocaleString('en'),
    (median(rounds.map((s) => s.p99)) / 1000).toFixed(2),
    median(rounds.map((s) => s.cpuMicros)).toFixed(1),
    ratio.toFixed(2),
    (Math.max(...rounds.map((s) => s.rssBytes)) / 1_048_576).toFixed(0),
    String(rounds.reduce((sum, s) => sum + s.errors, 0)),
  ])
  console.log(`\n${scenario.name}\n${table(['', 'requests/s', 'p99 ms', 'CPU µs/request', '× nginx', 'RSS MiB', 'errors'], rows)}`)
  return results
}

async function load({ running, port }: Started, { path, urls }: Scenario, seconds: number): Promise<Sample> {
  const before = cpuMicros(running.pid)
  const result = await runWrk({
    url: `http://127.0.0.1:${port}${path}`,
    seconds,
    connections,
    cores: clientCore,
    script,
    scriptArgs: urls === 'new' ? [path, 'new', String(freshUrl)] : [path, String(urls)],
  })
  if (urls === 'new') freshUrl += result.requests + connections
  return {
    requests: result.requests,
    requestsPerSecond: result.requests / result.seconds,
    p99: result.p99,
    cpuMicros: (cpuMicros(running.pid) - before) / result.requests,
    rssBytes: residentBytes(running.pid),
    errors: result.errors,
  }
}

/** Fills each with 1 GiB of answers of 4 KB and has, all the while, another client ask for one stored answer. */
async function fill(contenders: readonly Started[], options: BenchOptions): Promise<unknown> {
  const answers = options.isQuick ? 32_768 : 262_144
  const rows: string[][] = []
  const results: unknown[] = []
  for (const contender of contenders) {
    const pauses = await measurePauses(contender.port, '/130/probe', async () => {
      for (let stored = 0; stored < answers;) {
        stored += (await load(contender, { name: 'fill', path: '/4k/', urls: 'new' }, options.seconds)).requests
      }
    })
    const rss = residentBytes(contender.running.pid)
    results.push({ peer: contender.peer.name, answers, rss, ...pauses })
    const numbers = [pauses.p50Ms, pauses.p99Ms, pauses.maxMs].map((ms) => ms.toFixed(2))
    rows.push([contender.peer.name, String(pauses.asked), ...numbers, (rss / 1_048_576).toFixed(0)])
  }
  console.log(
    `\n${answers.toLocaleString('en')} answers of 4 KB stored; what a hit waits meanwhile\n` +
      table(['', 'hits', 'p50 ms', 'p99 ms', 'longest ms', 'RSS MiB'], rows),
  )
  return results
}
