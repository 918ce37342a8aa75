import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startUpstream } from './peers/nginx.ts'
import type { BenchOptions } from './run.ts'
import type { Running } from './support/processes.ts'
import { freePort, startServer } from './support/processes.ts'
import { saveResults } from './support/results.ts'
import { median, table } from './support/table.ts'
import { runWrk } from './support/wrk.ts'

const launcher = join(import.meta.dirname, '../bin/velum.js')
const script = join(import.meta.dirname, 'wrk/get.lua')
const sockets = 50
/** Routes besides those that are asked, so that a reload has something to do. */
const otherRoutes = 500

/** A gateway under load whose configuration is replaced every second, beside the same load without. */
export async function benchReload(options: BenchOptions): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'velum-bench-'))
  const started: Running[] = []
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
    mkdirSync(join(folder, 'velum'))
    const file = join(folder, 'velum/velum.json')
    const config = (turn: number): string => {
      return configOf({ port, adminPort, upstreamPort, echoPort: (echo.address() as AddressInfo).port, folder, turn })
    }
    writeFileSync(file, config(0))
    const args = [launcher, 'run', '--config', file, '--workers', '1']
    started.push(await startServer(process.execPath, args, { cores: '0', port, output: join(folder, 'velum/output') }))
    const lasting = await Promise.all(Array.from({ length: sockets }, () => openEcho(port)))
    const load = (seconds: number): ReturnType<typeof runWrk> =>
      runWrk({ url: `http://127.0.0.1:${port}/130`, seconds, connections: 32, cores: '1', script })
    await load(options.seconds * 2)

    const seconds = options.isQuick ? 10 : 60
    const calm = await load(seconds)
    const authorization = `Bearer ${readFileSync(join(folder, 'store/admin.token'), 'utf8').trim()}`
    const done = new AbortController()
    const reloads = reloadEverySecond(done.signal, async (turn) => {
      writeFileSync(file, config(turn))
      const { status } = await fetch(`http://127.0.0.1:${adminPort}/api/reload`, { method: 'POST', headers: { authorization } })
      if (status !== 200) throw new Error(`a reload was answered with ${status}`)
    })
    const stormy = await load(seconds)
    done.abort()
    const took = await reloads
    const dropped = sockets - (await Promise.all(lasting.map(isEchoing))).filter(Boolean).length

    const row = (name: string, { requests, errors, p50, p99 }: typeof calm): string[] => {
      return [name, requests.toLocaleString('en'), String(errors), (p50 / 1000).toFixed(2), (p99 / 1000).toFixed(2)]
    }
    console.log(
      `\n${seconds} s of load, ${otherRoutes} routes; ${took.length} reloads, median ${median(took).toFixed(0)} ms\n` +
        table(['', 'requests', 'failed', 'p50 ms', 'p99 ms'], [row('no reloads', calm), row('a reload every second', stormy)]) +
        `\np99: ${(stormy.p99 / calm.p99).toFixed(2)} × that without reloads; WebSockets dropped: ${dropped} of ${sockets}`,
    )
    saveResults('reload', { seconds }, { calm, stormy, reloadMs: took, dropped })
    for (const socket of lasting) socket.destroy()
  } finally {
    await Promise.all(started.map((running) => running.stop()))
    echo.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

interface Places {
  readonly port: number
  readonly adminPort: number
  readonly upstreamPort: number
  readonly echoPort: number
  readonly folder: string
  readonly turn: number
}

function configOf({ port, adminPort, upstreamPort, echoPort, folder, turn }: Places): string {
  const others = Array.from({ length: otherRoutes }, (_, i) => {
    return { name: `other-${i}`, match: { path: `/other/${i}/{id}` }, to: 'service', timeout: `${1 + (turn % 2)}s` }
  })
  return JSON.stringify({
    name: 'bench',
    listeners: { plain: { host: '127.0.0.1', port, maxRequests: 1_000_000_000, timeouts: { idle: '1h' } } },
    admin: { port: adminPort },
    store: { kind: 'embedded', path: join(folder, 'store') },
    services: { service: { url: `http://127.0.0.1:${upstreamPort}` }, echo: { url: `http://127.0.0.1:${echoPort}`, idle: '1h' } },
    log: { format: 'json', file: join(folder, 'access.log') },
    defaults: { auth: 'public', headers: { response: { set: { 'x-turn': String(turn % 2) } } } },
    routes: [
      { name: 'echo', match: { path: '/echo' }, to: 'echo', headers: {} },
      ...others,
      { name: 'all', match: { path: '/**' }, to: 'service' },
    ],
  })
}

/** Reloads once a second until it is told to stop; gives how long each one took, in ms. */
async function reloadEverySecond(done: AbortSignal, reload: (turn: number) => Promise<void>): Promise<number[]> {
  const took: number[] = []
  while (!done.aborted) {
    const begun = performance.now()
    await reload(took.length + 1)
    took.push(performance.now() - begun)
    await sleep(1000 - Math.min(1000, performance.now() - begun), undefined, { signal: done }).catch(() => {})
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
