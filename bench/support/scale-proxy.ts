import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '../../src/core/clock.ts'
import { ensureDevCertificate } from '../../src/wire/tls/dev-certificate.ts'
import type { Cleanup } from '../../test/support/velum-process.ts'
import { filesServed, nginx, nginxWithLocations, startNginx } from '../peers/nginx.ts'
import type { Peer, PeerOptions } from '../peers/peer.ts'
import { velum } from '../peers/velum.ts'
import type { BenchOptions } from '../run.ts'
import { runH2load } from './h2load.ts'
import type { Running } from './processes.ts'
import { cpuMicros, freePort, residentBytes } from './processes.ts'
import { median } from './table.ts'
import { runWrk } from './wrk.ts'

const gatewayCore = '0'
const clientCore = '1'
const mebibyte = 1_048_576
const connectionsAtOnce = 64

/** What one contender cost at one size of something. */
export interface Cost {
  readonly contender: string
  /** Routes, connections, bytes of a body, workers. */
  readonly size: number
  /** NaN when nothing was answered in the time that counted. */
  readonly cpuMicros: number
  readonly requestsPerSecond: number
  readonly residentBytes: number
  readonly errors: number
}

/** What is varied, and how the contenders are asked at one size. */
interface Trial {
  readonly size: number
  readonly peers: readonly Peer[]
  readonly cores?: string
  readonly connections: number
  /** Said only where connections are what is varied. */
  readonly isTls?: boolean
  /** The path, or for many URLs what their number is put behind and how many there are. */
  readonly path: string
  readonly urls?: number
}

type Sample = Omit<Cost, 'contender' | 'size'>

interface Asked {
  readonly running: Running
  readonly port: number
  readonly tlsPort: number
}

/** A service behind the contenders, and what their sides of it need. */
export interface Scene {
  readonly folder: string
  readonly upstreamPort: number
  readonly cert: string
  readonly key: string
}

export const bodySizes = [1024, 16 * 1024, 256 * 1024, 4 * mebibyte, 16 * mebibyte]

/** Starts a service that answers every path with 130 bytes, and `/bytes/N` with so many. */
export async function startScene(folder: string, cleanup: Cleanup): Promise<Scene> {
  const www = join(folder, 'upstream/www/bytes')
  mkdirSync(www, { recursive: true })
  for (const size of bodySizes) writeFileSync(join(www, String(size)), Buffer.alloc(size, 'x'))
  const { cert, key } = await ensureDevCertificate(join(folder, 'ca'), [], systemClock)
  writeFileSync(join(folder, 'cert.pem'), cert)
  writeFileSync(join(folder, 'key.pem'), key, { mode: 0o600 })
  const upstreamPort = await freePort()
  const http = `${filesServed}
  default_type application/json;
  server {
    listen 127.0.0.1:${upstreamPort} backlog=4096;
    location / { return 200 '{"items":"${'x'.repeat(118)}"}'; }
    location /bytes/ { root ${folder}/upstream/www; }
  }`
  const upstream = await startNginx(join(folder, 'upstream'), upstreamPort, clientCore, http)
  cleanup.after(() => upstream.stop())
  return { folder, upstreamPort, cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') }
}

/** As routes grow from ten to ten thousand, asked for in turn. nginx has as many locations. */
export function byRoutes(scene: Scene, options: BenchOptions): Promise<Cost[]> {
  return costsOf(
    scene,
    options,
    [10, 100, 1000, 10_000].map((size) => ({
      size,
      peers: [nginxWithLocations(size), velum({ name: 'velum', workers: 1, routes: size, hasTls: false })],
      connections: connectionsAtOnce,
      path: '/r',
      urls: size,
    })),
  )
}

/** As connections grow from ten to ten thousand, all of them busy. */
export function byConnections(scene: Scene, options: BenchOptions, isTls: boolean): Promise<Cost[]> {
  return costsOf(
    scene,
    { ...options, rounds: options.isQuick ? 1 : Math.min(options.rounds, 3) },
    [10, 100, 1000, 10_000].map((size) => ({
      size,
      // nginx opens as many to the service as it needs.
      peers: [nginx, velum({ name: 'velum', workers: 1, serviceConnections: 10_000 })],
      path: '/x',
      connections: size,
      isTls,
    })),
  )
}

/** As bodies grow from 1 KiB to 16 MiB. */
export function byBodySize(scene: Scene, options: BenchOptions): Promise<Cost[]> {
  return costsOf(
    scene,
    options,
    bodySizes.map((size) => ({
      size,
      peers: [nginx, velum({ name: 'velum', workers: 1 })],
      path: `/bytes/${size}`,
      connections: size > mebibyte ? 8 : connectionsAtOnce,
    })),
  )
}

/** One worker and two; this machine has two cores, which the client and the service need as well. */
export function byWorkers(scene: Scene, options: BenchOptions): Promise<Cost[]> {
  return costsOf(
    scene,
    options,
    [1, 2].map((size) => ({
      size,
      peers: [velum({ name: 'velum', workers: size })],
      connections: connectionsAtOnce,
      path: '/x',
      cores: size === 1 ? gatewayCore : `${gatewayCore},${clientCore}`,
    })),
  )
}

async function costsOf(scene: Scene, options: BenchOptions, trials: readonly Trial[]): Promise<Cost[]> {
  const costs: Cost[] = []
  for (const trial of trials) costs.push(...(await costsAt(scene, options, trial)))
  return costs
}

/** Starts the contenders of one size, warms them up and loads them in turn. */
async function costsAt(scene: Scene, options: BenchOptions, trial: Trial): Promise<Cost[]> {
  const { folder, upstreamPort, cert, key } = scene
  const started = []
  try {
    for (const peer of trial.peers) {
      const place: PeerOptions = {
        port: await freePort(),
        tlsPort: await freePort(),
        upstreamPort,
        cores: trial.cores ?? gatewayCore,
        folder: join(folder, `${peer.name.replaceAll(/\W+/g, '-')}-${trial.size}`),
        cert,
        key,
      }
      started.push({
        ...place,
        name: peer.name,
        running: await peer.start(place),
        samples: [] as Sample[],
      })
    }
    // Loads of connections have a time of their own before counting begins.
    if (trial.isTls === undefined) for (const each of started) await load(each, trial, options.seconds)
    for (let round = 0; round < options.rounds; round++) {
      for (const each of round % 2 === 0 ? started : started.toReversed()) {
        each.samples.push(await load(each, trial, options.seconds))
      }
    }
    return started.map(({ name, samples }) => ({
      contender: name,
      size: trial.size,
      cpuMicros: median(samples.map((sample) => sample.cpuMicros)),
      requestsPerSecond: median(samples.map((sample) => sample.requestsPerSecond)),
      residentBytes: Math.max(...samples.map((sample) => sample.residentBytes)),
      errors: samples.reduce((sum, sample) => sum + sample.errors, 0),
    }))
  } finally {
    await Promise.all(started.map(({ running }) => running.stop()))
  }
}

async function load(asked: Asked, trial: Trial, seconds: number): Promise<Sample> {
  if (trial.isTls !== undefined) return loadConnections(asked, trial, seconds)
  const { running, port } = asked
  const { path, urls, connections } = trial
  const before = cpuMicros(running.pid)
  const { requests, errors, ...result } = await runWrk({
    url: `http://127.0.0.1:${port}${urls === undefined ? path : '/'}`,
    seconds,
    connections,
    cores: clientCore,
    script: join(import.meta.dirname, `../wrk/${urls === undefined ? 'get' : 'urls'}.lua`),
    ...(urls === undefined ? {} : { scriptArgs: [path, String(urls)] }),
  })
  return {
    cpuMicros: (cpuMicros(running.pid) - before) / requests,
    requestsPerSecond: requests / result.seconds,
    residentBytes: residentBytes(running.pid),
    errors,
  }
}

/** By h2load, which does not count before all connections are there. */
async function loadConnections(
  { running, port, tlsPort }: Asked,
  { isTls = false, path, connections }: Trial,
  seconds: number,
): Promise<Sample> {
  let marks: number[] = []
  const { requestsPerSecond, requests, errors } = await runH2load({
    url: `http${isTls ? 's' : ''}://127.0.0.1:${isTls ? tlsPort : port}${path}`,
    seconds,
    warmUpSeconds: 2 + Math.ceil(connections / (isTls ? 250 : 2000)),
    connections,
    streams: 1,
    cores: clientCore,
    isHttp1: true,
    counting: (phase) => {
      if (phase === 'began') marks = []
      marks.push(cpuMicros(running.pid))
    },
  })
  return {
    cpuMicros: requests === 0 ? Number.NaN : (marks[1] - marks[0]) / requests,
    requestsPerSecond,
    residentBytes: residentBytes(running.pid),
    errors,
  }
}
