import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../src/core/clock.ts'
import { ensureDevCertificate } from '../src/wire/tls/dev-certificate.ts'
import { haproxy } from './peers/haproxy.ts'
import { nginx, startUpstream } from './peers/nginx.ts'
import { fastifyHttpProxy, httpProxy3 } from './peers/npm-peers.ts'
import type { Peer } from './peers/peer.ts'
import { velum } from './peers/velum.ts'
import type { BenchOptions } from './run.ts'
import type { Running } from './support/processes.ts'
import { cpuMicros, freePort, residentBytes } from './support/processes.ts'
import { saveResults } from './support/results.ts'
import { median, table } from './support/table.ts'
import type { Tokens } from './support/tokens.ts'
import { mintTokens } from './support/tokens.ts'
import { runWrk } from './support/wrk.ts'

const gatewayCore = '0'
const clientCore = '1'
const connections = 64
const script = (name: string): string => join(import.meta.dirname, `wrk/${name}.lua`)

interface Scenario {
  readonly name: string
  readonly path: string
  readonly script: 'get' | 'post' | 'bearer'
  readonly tls: boolean
}

const scenarios: readonly Scenario[] = [
  { name: 'GET 130 B', path: '/130', script: 'get', tls: false },
  { name: 'GET 4 KB', path: '/4k', script: 'get', tls: false },
  { name: 'GET 64 KB', path: '/64k', script: 'get', tls: false },
  { name: 'POST 4 KB', path: '/130', script: 'post', tls: false },
  { name: 'GET 130 B, TLS', path: '/130', script: 'get', tls: true },
  { name: 'GET 64 KB, TLS', path: '/64k', script: 'get', tls: true },
  { name: 'bearer, GET 130 B', path: '/130', script: 'bearer', tls: false },
  { name: 'bearer, GET 130 B, TLS', path: '/130', script: 'bearer', tls: true },
]

interface Contender {
  readonly peer: Peer
  readonly cores: string
  /** Answers only calls with a token. */
  readonly needsToken: boolean
}

interface Started extends Contender {
  readonly running: Running
  readonly port: number
  readonly tlsPort: number
}

/** One round of one contender. */
interface Sample {
  readonly requests: number
  readonly requestsPerSecond: number
  readonly p50: number
  readonly p99: number
  readonly cpuMicros: number
  readonly rssBytes: number
  readonly errors: number
}

/** What a claim's file of results holds for one contender in one scenario. */
interface Result extends Sample {
  readonly peer: string
  /** CPU per request over nginx's: the median of the rounds, and the least disturbed quarter of each against each. */
  readonly ratio: number
  readonly bestRatio: number
  readonly rounds: readonly Sample[]
}

/** Velum beside nginx, HAProxy and two proxies from npm: CPU per request, throughput, latency and memory. */
export async function benchProxy(options: BenchOptions): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'velum-bench-'))
  const started: Running[] = []
  try {
    const wanted = scenarios.filter(({ name }) => options.matches(name, options.scenario))
    const { cert, key } = await ensureDevCertificate(join(folder, 'ca'), [], systemClock)
    writeFileSync(join(folder, 'cert.pem'), cert)
    writeFileSync(join(folder, 'key.pem'), key, { mode: 0o600 })
    const tokens = await mintTokens(join(folder, 'tokens'), options.rounds, options.seconds)
    const upstreamPort = await freePort()
    started.push(await startUpstream(join(folder, 'upstream'), upstreamPort, clientCore))
    const contenders: Started[] = []
    for (const contender of contendersOf(tokens, options)) {
      const [port, tlsPort] = [await freePort(), await freePort()]
      const running = await contender.peer.start({
        port,
        tlsPort,
        upstreamPort,
        cores: contender.cores,
        folder: join(folder, contender.peer.name.replaceAll(/\W+/g, '-')),
        cert: join(folder, 'cert.pem'),
        key: join(folder, 'key.pem'),
      })
      started.push(running)
      contenders.push({ ...contender, running, port, tlsPort })
    }
    const results: Record<string, Result[]> = {}
    for (const scenario of wanted) {
      results[scenario.name] = await runScenario(scenario, contenders, tokens, options)
      print(scenario.name, results[scenario.name])
    }
    saveResults('proxy', { seconds: options.seconds, rounds: options.rounds, connections }, results)
  } finally {
    await Promise.all(started.map((running) => running.stop()))
    if (process.env['VELUM_BENCH_KEEP'] === undefined) rmSync(folder, { recursive: true, force: true })
    else console.log(`kept: ${folder}`)
  }
}

function contendersOf(tokens: Tokens, options: BenchOptions): Contender[] {
  const on = (peer: Peer, needsToken = false, cores = gatewayCore): Contender => ({ peer, cores, needsToken })
  const all = [
    on(nginx),
    on(haproxy),
    on(velum({ name: 'velum', workers: 1 })),
    on(velum({ name: 'velum, 2 workers', workers: 2 }), false, `${gatewayCore},${clientCore}`),
    on(velum({ name: 'velum, policies', workers: 1, tokens }), true),
    on(velum({ name: 'velum, policies, 2 workers', workers: 2, tokens }), true, `${gatewayCore},${clientCore}`),
    on(velum({ name: 'velum, wire node', workers: 1, wire: 'node' })),
    on(fastifyHttpProxy),
    on(httpProxy3),
  ]
  // nginx is the measure of all things here, so it always runs.
  return all.filter(({ peer }) => peer === nginx || options.matches(peer.name, options.only))
}

async function runScenario(scenario: Scenario, all: readonly Started[], tokens: Tokens, options: BenchOptions): Promise<Result[]> {
  const contenders = all.filter(({ needsToken }) => !needsToken || scenario.script === 'bearer')
  const samples = new Map<Started, Sample[]>(contenders.map((contender) => [contender, []]))
  for (const contender of contenders) {
    const mode = scenario.script === 'bearer' ? [tokens.tokensPath, '/dev/null', 'each'] : undefined
    // Compilers, pools and token memories come to what they are in service by requests, not by time.
    for (let requests = 0, turn = 0; requests < options.warmupRequests && turn < 8; turn++) {
      requests += (await load(contender, scenario, options.seconds, mode)).requests
    }
  }
  for (let round = 0; round < options.rounds; round++) {
    // In turn, and the next round the other way round: a machine that grows slower or quicker does so for all.
    for (const contender of round % 2 === 0 ? contenders : contenders.toReversed()) {
      const mode = scenario.script === 'bearer' ? [tokens.tokensPath, tokens.freshPaths[round], 'zipf'] : undefined
      samples.get(contender)!.push(await load(contender, scenario, options.seconds, mode))
    }
  }
  const measure = samples.get(contenders[0])!
  return contenders.map((contender) => {
    const rounds = samples.get(contender)!
    const of = (pick: (sample: Sample) => number): number => median(rounds.map(pick))
    return {
      peer: contender.peer.name,
      requests: rounds.reduce((sum, s) => sum + s.requests, 0),
      requestsPerSecond: of((s) => s.requestsPerSecond),
      p50: of((s) => s.p50),
      p99: of((s) => s.p99),
      cpuMicros: of((s) => s.cpuMicros),
      rssBytes: Math.max(...rounds.map((s) => s.rssBytes)),
      errors: rounds.reduce((sum, s) => sum + s.errors, 0),
      ratio: median(rounds.map((s, round) => s.cpuMicros / measure[round].cpuMicros)),
      bestRatio: best(rounds) / best(measure),
      rounds,
    }
  })
}

async function load(contender: Started, scenario: Scenario, seconds: number, scriptArgs: string[] | undefined): Promise<Sample> {
  const { pid } = contender.running
  const before = cpuMicros(pid)
  const result = await runWrk({
    url: `http${scenario.tls ? 's' : ''}://127.0.0.1:${scenario.tls ? contender.tlsPort : contender.port}${scenario.path}`,
    seconds,
    connections,
    cores: clientCore,
    script: script(scenario.script),
    ...(scriptArgs === undefined ? {} : { scriptArgs }),
  })
  return {
    requests: result.requests,
    requestsPerSecond: result.requests / result.seconds,
    p50: result.p50,
    p99: result.p99,
    cpuMicros: (cpuMicros(pid) - before) / result.requests,
    rssBytes: residentBytes(pid),
    errors: result.errors,
  }
}

/** Neighbours only ever add to what a request costs, so the cheapest rounds tell most of the program itself. */
function best(rounds: readonly Sample[]): number {
  const sorted = rounds.map((s) => s.cpuMicros).sort((a, b) => a - b)
  return median(sorted.slice(0, Math.max(1, Math.ceil(sorted.length / 4))))
}

function print(name: string, results: readonly Result[]): void {
  const rows = results.map((result) => [
    result.peer,
    Math.round(result.requestsPerSecond).toLocaleString('en'),
    (result.p50 / 1000).toFixed(2),
    (result.p99 / 1000).toFixed(2),
    result.cpuMicros.toFixed(1),
    result.ratio.toFixed(2),
    result.bestRatio.toFixed(2),
    (result.rssBytes / 1_048_576).toFixed(0),
    String(result.errors),
  ])
  console.log(
    `\n${name}\n${table(['', 'requests/s', 'p50 ms', 'p99 ms', 'CPU µs/request', '× nginx', 'best', 'RSS MiB', 'errors'], rows)}`,
  )
}
