import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../src/core/clock.ts'
import { ensureDevCertificate } from '../src/wire/tls/dev-certificate.ts'
import type { H2Peer } from './peers/h2-peers.ts'
import { startGrpcUpstream } from './peers/grpc-upstream.ts'
import { grpcMessage, haproxyH2, nginxH2, velumH2 } from './peers/h2-peers.ts'
import { startUpstream } from './peers/nginx.ts'
import type { BenchOptions } from './run.ts'
import { runH2load } from './support/h2load.ts'
import { interleaved } from './support/interleaved.ts'
import type { Running } from './support/processes.ts'
import { cpuMicros, freePort, residentBytes } from './support/processes.ts'
import { saveResults } from './support/results.ts'
import { median, table } from './support/table.ts'

const gatewayCore = '0'
const clientCore = '1'
const connections = 16
const streams = 8

interface Scenario {
  readonly name: string
  readonly path: string
  readonly tls: boolean
  readonly isGrpc: boolean
}

const scenarios: readonly Scenario[] = [
  { name: 'h2 to h1, GET 130 B, TLS', path: '/130', tls: true, isGrpc: false },
  { name: 'h2 to h1, GET 130 B', path: '/130', tls: false, isGrpc: false },
  { name: 'h2 to h1, GET 64 KB, TLS', path: '/64k', tls: true, isGrpc: false },
  { name: 'gRPC unary, TLS', path: '/grpc/unary', tls: true, isGrpc: true },
  { name: 'gRPC unary', path: '/grpc/unary', tls: false, isGrpc: true },
]

interface Started {
  readonly name: string
  readonly running: Running
  readonly port: number
  readonly tlsPort: number
}

interface Sample {
  readonly requests: number
  readonly requestsPerSecond: number
  readonly mean: number
  readonly cpuMicros: number
  readonly rssBytes: number
  readonly errors: number
}

/** HTTP/2 to clients beside nginx and HAProxy: to a service of HTTP/1.1, and gRPC passed through. CPU per request. */
export async function benchH2(options: BenchOptions): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'velum-bench-'))
  const started: Running[] = []
  try {
    const { cert, key } = await ensureDevCertificate(join(folder, 'ca'), [], systemClock)
    writeFileSync(join(folder, 'cert.pem'), cert)
    writeFileSync(join(folder, 'key.pem'), key, { mode: 0o600 })
    const bodyPath = join(folder, 'message')
    writeFileSync(bodyPath, grpcMessage(130))
    const [upstreamPort, grpcPort] = [await freePort(), await freePort()]
    started.push(await startUpstream(join(folder, 'upstream'), upstreamPort, clientCore))
    started.push(await startGrpcUpstream(join(folder, 'grpc-upstream'), grpcPort, clientCore, { '/grpc/unary': grpcMessage(130) }))
    const peers: readonly H2Peer[] = [nginxH2, haproxyH2, velumH2]
    const contenders: Started[] = []
    // nginx is the measure of all things here, so it always runs.
    for (const peer of peers.filter(({ name }) => name === 'nginx' || options.matches(name, options.only))) {
      const [port, tlsPort] = [await freePort(), await freePort()]
      const files = { folder: join(folder, peer.name), cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') }
      const running = await peer.start({ port, tlsPort, upstreamPort, grpcPort, cores: gatewayCore, ...files })
      started.push(running)
      contenders.push({ name: peer.name, running, port, tlsPort })
    }
    const results: Record<string, unknown> = {}
    for (const scenario of scenarios.filter(({ name }) => options.matches(name, options.scenario))) {
      results[scenario.name] = await runScenario(scenario, contenders, bodyPath, options)
    }
    saveResults('h2', { seconds: options.seconds, rounds: options.rounds, connections, streams }, results)
  } finally {
    await Promise.all(started.map((running) => running.stop()))
    if (process.env['VELUM_BENCH_KEEP'] === undefined) rmSync(folder, { recursive: true, force: true })
    else console.log(`kept: ${folder}`)
  }
}

async function runScenario(
  scenario: Scenario,
  contenders: readonly Started[],
  bodyPath: string,
  options: BenchOptions,
): Promise<readonly { readonly peer: string; readonly ratio: number; readonly rounds: readonly Sample[] }[]> {
  const samples = await interleaved(contenders, options, (contender) => load(contender, scenario, bodyPath, options.seconds))
  const measure = samples.get(contenders[0])!
  const results = contenders.map((contender) => {
    const rounds = samples.get(contender)!
    return { peer: contender.name, rounds, ratio: median(rounds.map((s, i) => s.cpuMicros / measure[i].cpuMicros)) }
  })
  const rows = results.map(({ peer, ratio, rounds }) => [
    peer,
    Math.round(median(rounds.map((s) => s.requestsPerSecond))).toLocaleString('en'),
    (median(rounds.map((s) => s.mean)) / 1000).toFixed(2),
    median(rounds.map((s) => s.cpuMicros)).toFixed(1),
    ratio.toFixed(2),
    (Math.max(...rounds.map((s) => s.rssBytes)) / 1_048_576).toFixed(0),
    String(rounds.reduce((sum, s) => sum + s.errors, 0)),
  ])
  console.log(`\n${scenario.name}\n${table(['', 'requests/s', 'mean ms', 'CPU µs/request', '× nginx', 'RSS MiB', 'errors'], rows)}`)
  return results
}

async function load(contender: Started, scenario: Scenario, bodyPath: string, seconds: number): Promise<Sample> {
  const { pid } = contender.running
  const before = cpuMicros(pid)
  const result = await runH2load({
    url: `http${scenario.tls ? 's' : ''}://127.0.0.1:${scenario.tls ? contender.tlsPort : contender.port}${scenario.path}`,
    seconds,
    connections,
    streams,
    cores: clientCore,
    ...(scenario.isGrpc ? { bodyPath, headers: ['content-type: application/grpc', 'te: trailers'] } : {}),
  })
  return { ...result, cpuMicros: (cpuMicros(pid) - before) / result.requests, rssBytes: residentBytes(pid) }
}
