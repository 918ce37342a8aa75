import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startUpstream } from './peers/nginx.ts'
import type { BenchOptions } from './run.ts'
import { runOpen } from './support/open-load.ts'
import type { Running } from './support/processes.ts'
import { freePort } from './support/processes.ts'
import { saveResults } from './support/results.ts'
import { startVelum } from './support/start-velum.ts'
import { median, quantile, table } from './support/table.ts'
import { runWrk } from './support/wrk.ts'

const script = join(import.meta.dirname, 'wrk/get.lua')
const sockets = 50

/** Requests a second of the client that sends by the clock. */
const rate = 2000

/** A configuration of so many routes, under one kind of load, with the gateway's threads where they may run. */
interface Scenario {
  readonly routes: number
  /** What two configurations that alternate differ in: one route, or something in every route. */
  readonly changed: 'one' | 'every'
  readonly load: 'open' | 'closed'
  /** On one core, everything that a reload does is done instead of requests; a worker seldom has to share its core with main. */
  readonly cores: '0' | '0,1'
}

const scenarios: readonly Scenario[] = [
  { routes: 50, changed: 'one', load: 'open', cores: '0' },
  { routes: 50, changed: 'one', load: 'closed', cores: '0' },
  { routes: 500, changed: 'one', load: 'open', cores: '0,1' },
  { routes: 500, changed: 'one', load: 'open', cores: '0' },
  { routes: 500, changed: 'one', load: 'closed', cores: '0' },
  { routes: 5000, changed: 'one', load: 'open', cores: '0,1' },
  { routes: 5000, changed: 'one', load: 'open', cores: '0' },
  { routes: 10, changed: 'every', load: 'open', cores: '0' },
  { routes: 10, changed: 'every', load: 'closed', cores: '0' },
  { routes: 50, changed: 'every', load: 'open', cores: '0' },
  { routes: 50, changed: 'every', load: 'closed', cores: '0' },
  { routes: 500, changed: 'every', load: 'open', cores: '0,1' },
  { routes: 500, changed: 'every', load: 'open', cores: '0' },
  { routes: 500, changed: 'every', load: 'closed', cores: '0' },
  { routes: 5000, changed: 'every', load: 'open', cores: '0,1' },
  { routes: 5000, changed: 'every', load: 'open', cores: '0' },
]

function nameOf({ routes, changed, load, cores }: Scenario): string {
  return `${changeName(routes, changed)}, ${load}, ${cores === '0' ? 'one core' : 'both cores'}`
}

/** How many routes there are, and how many of them a reload changes, in words. */
export function changeName(routes: number, changed: Scenario['changed']): string {
  return `${routes.toLocaleString('en')} routes, ${changed === 'one' ? 'one' : 'every one'} changed`
}

/**
 * A gateway under load whose configuration is replaced every second, in turns with the same load without: by a client that sends
 * by the clock, and by one that keeps the gateway busy.
 */
export async function benchReload(options: BenchOptions): Promise<void> {
  const rounds = options.isQuick ? 2 : 6
  const seconds = options.isQuick ? 5 : 10
  const rows: string[][] = []
  const all: unknown[] = []
  for (const scenario of scenarios) {
    const name = nameOf(scenario)
    if (!options.matches(name, options.scenario)) continue
    const seen = await measure(scenario, rounds, seconds)
    all.push({ name, ...seen })
    const { calm, stormy } = seen
    for (const [what, { requests, failed, p50, p99 }] of [['no reloads', calm] as const, ['reloads', stormy] as const])
      rows.push([`${name}: ${what}`, requests.toLocaleString('en'), String(failed), ms(p50), ms(p99)])
    const took = seen.reloadMs
    rows.push([
      `  ${took.length} reloads, median ${median(took).toFixed(0)} ms; WebSockets dropped: ${seen.dropped} of ${sockets}`,
      '',
      '',
      '',
      `${(stormy.p99 / calm.p99).toFixed(2)} ×`,
    ])
  }
  console.log(
    `\n${rounds} rounds of ${seconds} s without reloads and ${seconds} s with; open: ${rate}/s by the clock; closed: 32 connections, as fast as they can; the client and the service are on the second core\n` +
      table(['', 'requests', 'failed', 'p50 ms', 'p99 ms'], rows),
  )
  saveResults('reload', { seconds, rounds, rate }, all)
}

function ms(micros: number): string {
  return (micros / 1000).toFixed(2)
}

interface Seen {
  readonly requests: number
  readonly failed: number
  /** Microseconds; over all rounds of an open load, the median of the rounds of a closed one. */
  readonly p50: number
  readonly p99: number
}

interface Measured {
  readonly calm: Seen
  readonly stormy: Seen
  readonly reloadMs: readonly number[]
  readonly dropped: number
}

async function measure(scenario: Scenario, rounds: number, seconds: number): Promise<Measured> {
  const { routes: otherRoutes, changed, cores } = scenario
  const folder = mkdtempSync(join(tmpdir(), 'velum-bench-'))
  const started: Running[] = []
  // All of thousands of routes every second would be most of a second of work for each: nobody does that, and the core would be full.
  const everyMs = otherRoutes > 1000 && changed === 'every' ? 5000 : 1000
  const echo = createServer()
  echo.on('upgrade', (_request, socket: Socket) => {
    socket.on('error', () => {})
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n')
    socket.on('data', (bytes: Buffer) => socket.write(bytes))
  })
  echo.listen(0, '127.0.0.1')
  await once(echo, 'listening')
  try {
    const [upstreamPort, port, adminPort] = [await freePort(), await freePort(), await freePort()]
    started.push(await startUpstream(join(folder, 'service'), upstreamPort, '1'))
    const echoPort = (echo.address() as AddressInfo).port
    const config = (turn: number): unknown =>
      reloadedConfig({ port, adminPort, upstreamPort, echoPort, folder, turn, otherRoutes, changed })
    started.push(await startVelum({ folder: join(folder, 'velum'), config: config(0), cores, port }))
    const lasting = await Promise.all(Array.from({ length: sockets }, () => openEcho(port)))
    const reload = reloaderOf(folder, adminPort, config)
    const load = (): Promise<Loaded> => (scenario.load === 'open' ? openly(port, seconds) : closely(port, seconds))
    await Promise.all([load(), reload()])

    const calm: Loaded[] = []
    const stormy: Loaded[] = []
    const reloadMs: number[] = []
    for (let round = 0; round < rounds; round++) {
      calm.push(await load())
      const done = new AbortController()
      const reloads = reloadEvery(everyMs, done.signal, reload)
      stormy.push(await load())
      done.abort()
      reloadMs.push(...(await reloads))
    }
    const dropped = sockets - (await Promise.all(lasting.map(isEchoing))).filter(Boolean).length
    for (const socket of lasting) socket.destroy()
    return { calm: seenIn(calm), stormy: seenIn(stormy), reloadMs, dropped }
  } finally {
    await Promise.all(started.map((running) => running.stop()))
    echo.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

/** One round of load: all latencies where they are known, else what of them is. */
interface Loaded extends Seen {
  readonly rising?: readonly number[]
}

async function openly(port: number, seconds: number): Promise<Loaded> {
  const { answered, failed, rising } = await runOpen({ port, path: '/130', rate, seconds, cores: '1' })
  return { requests: answered, failed, p50: quantile(rising, 0.5), p99: quantile(rising, 0.99), rising }
}

async function closely(port: number, seconds: number): Promise<Loaded> {
  const { requests, errors, p50, p99 } = await runWrk({
    url: `http://127.0.0.1:${port}/130`,
    seconds,
    connections: 32,
    cores: '1',
    script,
  })
  return { requests, failed: errors, p50, p99 }
}

function seenIn(rounds: readonly Loaded[]): Seen {
  const sum = (of: (round: Loaded) => number): number => rounds.reduce((total, round) => total + of(round), 0)
  const rising = rounds.flatMap((round) => round.rising ?? []).sort((a, b) => a - b)
  const at = (share: number, of: (round: Loaded) => number): number =>
    rising.length > 0 ? quantile(rising, share) : median(rounds.map(of))
  return {
    requests: sum(({ requests }) => requests),
    failed: sum(({ failed }) => failed),
    p50: at(0.5, ({ p50 }) => p50),
    p99: at(0.99, ({ p99 }) => p99),
  }
}

interface Places {
  readonly port: number
  readonly adminPort: number
  readonly upstreamPort: number
  readonly echoPort: number
  readonly folder: string
  readonly turn: number
  /** Routes besides those that are asked, so that a reload has something to do. */
  readonly otherRoutes: number
  readonly changed: Scenario['changed']
}

/** The configuration of a turn; those of two turns that follow each other differ in one route or in every one. */
export function reloadedConfig({ port, adminPort, upstreamPort, echoPort, folder, turn, otherRoutes, changed }: Places): unknown {
  const isTurned = turn % 2 === 1
  const others = Array.from({ length: otherRoutes }, (_, i) => {
    const timeout = isTurned && (changed === 'every' || i === otherRoutes >> 1) ? '2s' : '1s'
    return { name: `other-${i}`, match: { path: `/other/${i}/{id}` }, to: 'service', timeout }
  })
  return {
    name: 'bench',
    listeners: { plain: { host: '127.0.0.1', port, maxRequests: 1_000_000_000, timeouts: { idle: '1h' } } },
    admin: { port: adminPort },
    store: { kind: 'embedded', path: join(folder, 'store') },
    services: { service: { url: `http://127.0.0.1:${upstreamPort}` }, echo: { url: `http://127.0.0.1:${echoPort}`, idle: '1h' } },
    log: { format: 'json', file: join(folder, 'access.log') },
    defaults: { auth: 'public', headers: { response: { set: { 'x-turn': isTurned && changed === 'every' ? '1' : '0' } } } },
    routes: [
      { name: 'echo', match: { path: '/echo' }, to: 'echo', headers: {} },
      ...others,
      { name: 'all', match: { path: '/**' }, to: 'service' },
    ],
  }
}

/** What has the gateway that was started in `folder` serve the configuration of the next turn; that of turn 0 is served. */
export function reloaderOf(folder: string, adminPort: number, config: (turn: number) => unknown): () => Promise<void> {
  const authorization = `Bearer ${readFileSync(join(folder, 'store/admin.token'), 'utf8').trim()}`
  let turn = 0
  return async () => {
    writeFileSync(join(folder, 'velum/velum.json'), JSON.stringify(config(++turn)))
    const { status } = await fetch(`http://127.0.0.1:${adminPort}/api/reload`, { method: 'POST', headers: { authorization } })
    if (status !== 200) throw new Error(`a reload was answered with ${status}`)
  }
}

/** Reloads again and again until it is told to stop; gives how long each one took, in ms. */
async function reloadEvery(everyMs: number, done: AbortSignal, reload: () => Promise<void>): Promise<number[]> {
  const took: number[] = []
  while (!done.aborted) {
    const begun = performance.now()
    await reload()
    took.push(performance.now() - begun)
    await sleep(everyMs - Math.min(everyMs, performance.now() - begun), undefined, { signal: done }).catch(() => {})
  }
  return took
}

async function openEcho(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => {})
  socket.write('GET /echo HTTP/1.1\r\nHost: bench.example\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n')
  const [head] = (await once(socket, 'data')) as [Buffer]
  if (!head.toString().startsWith('HTTP/1.1 101')) throw new Error(`no tunnel: ${head.toString().slice(0, 300)}`)
  return socket
}

async function isEchoing(socket: Socket): Promise<boolean> {
  if (socket.destroyed) return false
  socket.write('ping')
  const heard = await Promise.race([once(socket, 'data'), once(socket, 'close'), sleep(5000)])
  return Array.isArray(heard) && String(heard[0]) === 'ping'
}
