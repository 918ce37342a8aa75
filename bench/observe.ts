import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startOtlpReceiver } from '../test/support/otlp-receiver.ts'
import { nginxWithLocations } from './peers/nginx.ts'
import type { Peer } from './peers/peer.ts'
import type { BenchOptions } from './run.ts'
import { cleaningUp } from './support/cleanup.ts'
import { interleaved } from './support/interleaved.ts'
import type { Running } from './support/processes.ts'
import { cpuMicros, freePort } from './support/processes.ts'
import { saveResults } from './support/results.ts'
import { startScene } from './support/scale-proxy.ts'
import { startVelum } from './support/start-velum.ts'
import { median, table } from './support/table.ts'
import { verdictCost } from './support/verdict-cost.ts'
import type { Seen } from './support/watchers.ts'
import { scrapeSeconds, visitOften, watch } from './support/watchers.ts'
import { runWrk } from './support/wrk.ts'

const script = join(import.meta.dirname, 'wrk/urls.lua')
const gatewayCore = '0'
const clientCore = '1'
const connections = 64
const token = 'token-of-the-bench-for-admins'
/** A configuration of a usual size: what is scraped and shown grows with it. */
const routes = 200
const services = 20

interface Telemetry {
  readonly hasLog?: boolean
  readonly hasAdmin?: boolean
  /** Prometheus, and two windows of the dashboard: its overview and its requests. */
  readonly isWatched?: boolean
  readonly hasTraces?: boolean
}

const off = 'velum, all off'
const logOnly = 'access log'
const variants: readonly (readonly [name: string, on: Telemetry])[] = [
  [off, {}],
  [logOnly, { hasLog: true }],
  ['log and admin, nobody looks', { hasLog: true, hasAdmin: true }],
  ['the same, scraped and watched', { hasLog: true, hasAdmin: true, isWatched: true }],
  ['log, admin and traces', { hasLog: true, hasAdmin: true, hasTraces: true }],
  ['all on, scraped and watched', { hasLog: true, hasAdmin: true, isWatched: true, hasTraces: true }],
]

interface Contender {
  readonly name: string
  readonly running: Running
  readonly port: number
  /** Where those who watch find it. */
  readonly watchedPort: number | undefined
}

interface Sample {
  readonly requests: number
  readonly requestsPerSecond: number
  readonly p99: number
  readonly cpuMicros: number
  /** Of these, on the process's first thread: Velum's main, which writes the log, answers scrapes and sends traces. */
  readonly mainMicros: number
  readonly errors: number
  readonly seen: Seen
}

interface Result {
  readonly peer: string
  readonly overOff: Added
  readonly overLog: Added
  readonly rounds: readonly Sample[]
}

/** CPU per request over that of another, as a share of it: the median of the rounds, and the cheapest quarter of each against each. */
interface Added {
  readonly median: number
  readonly best: number
}

/** What telemetry and the dashboard add to the CPU of a proxied request, and what keeping verdicts does. */
export async function benchObserve(options: BenchOptions): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'velum-bench-'))
  const rounds = options.isQuick ? Math.min(options.rounds, 2) : options.rounds
  // All rounds have as many scrapes.
  const seconds = Math.ceil(options.seconds / scrapeSeconds) * scrapeSeconds
  await cleaningUp(async (cleanup) => {
    cleanup.after(() => {
      if (process.env['VELUM_BENCH_KEEP'] === undefined) rmSync(folder, { recursive: true, force: true })
      else console.log(`kept: ${folder}`)
    })
    const scene = await startScene(folder, cleanup)
    const collector = await startOtlpReceiver()
    cleanup.after(() => collector.close())
    const contenders: Contender[] = []
    cleanup.after(() => Promise.all(contenders.map(({ running }) => running.stop())))
    const start = async (peer: Peer, watchedPort?: number): Promise<void> => {
      const [port, tlsPort] = [await freePort(), await freePort()]
      const own = join(folder, peer.name.replaceAll(/\W+/g, '-'))
      const running = await peer.start({ ...scene, port, tlsPort, cores: gatewayCore, folder: own })
      contenders.push({ name: peer.name, running, port, watchedPort })
    }
    await start(nginxWithLocations(routes))
    for (const [name, on] of variants.filter(([known]) => known === off || options.matches(known, options.only))) {
      const adminPort = await freePort()
      await start(velumWith(name, on, adminPort, collector.url), on.isWatched === true ? adminPort : undefined)
    }
    await interleaved(contenders, { ...options, rounds: 0 }, (each) => load(each, 1))
    for (const { watchedPort } of contenders) {
      if (watchedPort !== undefined) await visitOften(`http://127.0.0.1:${watchedPort}`, token)
    }
    const samples = await interleaved(contenders, { rounds, warmupRequests: 0 }, (each) => load(each, seconds))
    const least = samples.get(contenders[1])!
    const logging = samples.get(contenders.find(({ name }) => name === logOnly) ?? contenders[1])!
    const results = contenders.map((contender): Result => {
      const own = samples.get(contender)!
      return { peer: contender.name, overOff: addedTo(least, own), overLog: addedTo(logging, own), rounds: own }
    })
    show(results, collector.spans.length)
    const verdicts = await verdictCost(options.isQuick ? 10 : 30, 200_000)
    const cpu = median(least.map((sample) => sample.cpuMicros))
    const { added, policies } = verdicts
    console.log(
      `\n${policies} policies without sockets, CPU ns/request: ${verdicts.recorded.toFixed(0)} with verdicts kept, ` +
        `${verdicts.unrecorded.toFixed(0)} without; between them ${added.toFixed(1)} (${(added / policies).toFixed(1)} a verdict), ` +
        `${(added / cpu / 10).toFixed(2)} % of a proxied request`,
    )
    saveResults('observe', { seconds, rounds, connections, routes, services }, { proxied: results, verdicts })
  })
}

function velumWith(name: string, on: Telemetry, adminPort: number, otlp: string): Peer {
  return {
    name,
    start({ folder, port, upstreamPort, cores }) {
      const service = { url: `http://127.0.0.1:${upstreamPort}` }
      const config = {
        name: 'bench',
        listeners: { plain: { host: '127.0.0.1', port, maxRequests: 1_000_000_000, timeouts: { idle: '1h' } } },
        store: { kind: 'embedded', path: join(folder, 'store') },
        services: Object.fromEntries(Array.from({ length: services }, (_, i) => [`s${i}`, service])),
        routes: Array.from({ length: routes }, (_, i) => ({
          name: `r${i}`,
          match: { path: `/r${i}` },
          to: `s${i % services}`,
          auth: 'public',
        })),
        log: on.hasLog === true ? { format: 'json', file: join(folder, 'access.log') } : { format: 'none' },
        ...(on.hasAdmin === true ? { admin: { port: adminPort } } : {}),
        ...(on.hasTraces === true ? { telemetry: { otlp, sample: 0.01 } } : {}),
      }
      return startVelum({ folder, config, cores, port, env: { VELUM_ADMIN_TOKEN: token } })
    },
  }
}

async function load({ running, port, watchedPort }: Contender, seconds: number): Promise<Sample> {
  const seen: Seen = { scrapes: 0, scrapedBytes: 0, overviews: 0, overviewBytes: 0, streamedBytes: 0 }
  const leave = watchedPort === undefined ? undefined : watch(`http://127.0.0.1:${watchedPort}`, token, seen)
  const before = cpuMicros(running.pid)
  const mainBefore = mainMicros(running.pid)
  const result = await runWrk({
    url: `http://127.0.0.1:${port}/`,
    seconds,
    connections,
    cores: clientCore,
    script,
    scriptArgs: ['/r', String(routes)],
  })
  const used = cpuMicros(running.pid) - before
  const usedByMain = mainMicros(running.pid) - mainBefore
  await leave?.()
  return {
    requests: result.requests,
    requestsPerSecond: result.requests / result.seconds,
    p99: result.p99,
    cpuMicros: used / result.requests,
    mainMicros: usedByMain / result.requests,
    errors: result.errors,
    seen,
  }
}

/** CPU time that a process's first thread has used. */
function mainMicros(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/task/${pid}/schedstat`, 'utf8').split(' ', 1)[0]) / 1000
}

function addedTo(base: readonly Sample[], own: readonly Sample[]): Added {
  return { median: median(own.map((s, i) => s.cpuMicros / base[i].cpuMicros)) - 1, best: best(own) / best(base) - 1 }
}

/** Neighbours only ever add to what a request costs. */
function best(rounds: readonly Sample[]): number {
  const rising = rounds.map((s) => s.cpuMicros).toSorted((a, b) => a - b)
  return median(rising.slice(0, Math.max(1, Math.ceil(rising.length / 4))))
}

function share(value: number): string {
  return `${(value * 100).toFixed(1)} %`
}

function timesOf(bytes: number, times: number): string {
  return `${times} of ${Math.round(bytes / Math.max(1, times) / 1000)} KB`
}

function show(results: readonly Result[], spans: number): void {
  const rows = results.map(({ peer, overOff, overLog, rounds }) => [
    peer,
    Math.round(median(rounds.map((s) => s.requestsPerSecond))).toLocaleString('en'),
    (median(rounds.map((s) => s.p99)) / 1000).toFixed(2),
    median(rounds.map((s) => s.cpuMicros)).toFixed(1),
    median(rounds.map((s) => s.mainMicros)).toFixed(2),
    ...[overOff.median, overOff.best, overLog.median, overLog.best].map(share),
    String(rounds.reduce((sum, s) => sum + s.errors, 0)),
  ])
  const head = [
    '',
    'requests/s',
    'p99 ms',
    'CPU µs/request',
    'of it main',
    'over all off',
    'best',
    'over the log',
    'best',
    'errors',
  ]
  console.log(`\n${table(head, rows)}`)
  const seen = results.flatMap(({ rounds }) => rounds.map((s) => s.seen))
  const sum = (of: keyof Seen): number => seen.reduce((total, each) => total + each[of], 0)
  console.log(
    `\nscrapes: ${timesOf(sum('scrapedBytes'), sum('scrapes'))}; overviews: ${timesOf(sum('overviewBytes'), sum('overviews'))}; ` +
      `events: ${Math.round(sum('streamedBytes') / 1000)} KB; spans, warming up included: ${spans.toLocaleString('en')}`,
  )
}
