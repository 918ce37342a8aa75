import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../src/core/clock.ts'
import { ensureDevCertificate } from '../src/wire/tls/dev-certificate.ts'
import { velum } from './peers/velum.ts'
import type { BenchOptions } from './run.ts'
import type { Running } from './support/processes.ts'
import { freePort, residentBytes, startServer } from './support/processes.ts'
import { saveResults } from './support/results.ts'
import { table } from './support/table.ts'

const clientCore = '1'
const mebibyte = 1_048_576

interface Row {
  readonly what: string
  readonly measured: number
  readonly unit: string
  readonly allowed: number
}

/** Velum's memory under what could fill it: large bodies both ways, a slow reader, ten thousand idle connections. */
export async function benchMemory(options: BenchOptions): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'velum-bench-'))
  const started: Running[] = []
  try {
    const { cert, key } = await ensureDevCertificate(join(folder, 'ca'), [], systemClock)
    writeFileSync(join(folder, 'cert.pem'), cert)
    writeFileSync(join(folder, 'key.pem'), key, { mode: 0o600 })
    const [upstreamPort, port, tlsPort] = [await freePort(), await freePort(), await freePort()]
    const program = join(import.meta.dirname, 'peers/bulk-upstream.ts')
    const upstream = { cores: clientCore, port: upstreamPort, output: join(folder, 'upstream') }
    started.push(await startServer(process.execPath, [program, String(upstreamPort)], upstream))
    const peer = velum({ name: 'velum', workers: 1 })
    const rows: Row[] = []
    const fresh = async (): Promise<Running> => {
      const files = { folder: join(folder, 'velum'), cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') }
      const gateway = await peer.start({ port, tlsPort, upstreamPort, cores: '0', ...files })
      started.push(gateway)
      // What is allocated once, at the first requests, is not what is asked about.
      await curl(['-o', '/dev/null', `http://127.0.0.1:${port}/bytes/${16 * mebibyte}`])
      return gateway
    }
    const bulk = options.isQuick ? 256 : 1024
    const url = (mib: number): string => `http://127.0.0.1:${port}/bytes/${mib * mebibyte}`
    for (const [what, args] of [
      [`${bulk} MiB downloaded`, ['-o', '/dev/null', url(bulk)]],
      [
        `${bulk} MiB downloaded by TLS`,
        ['-k', '-o', '/dev/null', url(bulk).replace('http', 'https').replace(String(port), String(tlsPort))],
      ],
      ['64 MiB downloaded at 16 MiB/s', ['-o', '/dev/null', '--limit-rate', '16M', url(64)]],
      [`${bulk} MiB uploaded`, ['upload', String(bulk), `http://127.0.0.1:${port}/`]],
    ] as const) {
      const gateway = await fresh()
      rows.push({ what, measured: (await growth(gateway, () => curl(args))) / mebibyte, unit: 'MiB more', allowed: 64 })
      await gateway.stop()
    }
    const gateway = await fresh()
    rows.push({
      what: '10,000 idle connections',
      measured: (await idle(gateway, port, 10_000)) / 1024,
      unit: 'KiB each',
      allowed: 12,
    })
    console.log(
      `\nmemory\n${table(
        ['', 'measured', '', 'allowed'],
        rows.map(({ what, measured, unit, allowed }) => [what, measured.toFixed(1), unit, String(allowed)]),
      )}`,
    )
    saveResults('memory', {}, rows)
  } finally {
    await Promise.all(started.map((running) => running.stop()))
    rmSync(folder, { recursive: true, force: true })
  }
}

/** How far the resident memory rises above where it was, at its highest, while `work` runs. */
async function growth(gateway: Running, work: () => Promise<void>): Promise<number> {
  const before = residentBytes(gateway.pid)
  let highest = before
  const look = setInterval(() => (highest = Math.max(highest, residentBytes(gateway.pid))), 50)
  await work()
  clearInterval(look)
  return highest - before
}

async function curl(args: readonly string[]): Promise<void> {
  const [first, mib, target] = args
  const command =
    first === 'upload'
      ? ['sh', '-c', `head -c $((${mib} * 1048576)) /dev/zero | curl -sS --fail -X POST -H 'Expect:' -T - -o /dev/null ${target}`]
      : ['curl', '-sS', '--fail', ...args]
  const child = spawn('taskset', ['-c', clientCore, ...command], { stdio: ['ignore', 'ignore', 'inherit'] })
  const [code] = (await once(child, 'close')) as [number]
  if (code !== 0) throw new Error(`curl ended with ${code}: ${args.join(' ')}`)
}

async function idle(gateway: Running, port: number, count: number): Promise<number> {
  const before = residentBytes(gateway.pid)
  const program = join(import.meta.dirname, 'support/idle-clients.ts')
  const clients = spawn('taskset', ['-c', clientCore, process.execPath, program, String(port), String(count)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const ready = once(clients.stdout, 'data')
  await Promise.race([ready, once(clients, 'exit').then(() => Promise.reject(new Error('the idle clients ended')))])
  await new Promise((resolve) => setTimeout(resolve, 3000))
  const after = residentBytes(gateway.pid)
  clients.stdin.end()
  await once(clients, 'exit')
  return (after - before) / count
}
