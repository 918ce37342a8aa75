import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startUpstream } from '../peers/nginx.ts'
import { velum } from '../peers/velum.ts'
import type { Running } from './processes.ts'
import { cpuMicros, freePort } from './processes.ts'
import { median } from './table.ts'
import { runWrk } from './wrk.ts'

const script = join(import.meta.dirname, '../wrk/get.lua')

/** CPU per proxied request in µs, without limits and with three levels, of two gateways in interleaved rounds. */
export async function limitedProxy(rounds: number, seconds: number): Promise<{ without: number; levels: number; added: number }> {
  const folder = mkdtempSync(join(tmpdir(), 'velum-bench-'))
  const started: Running[] = []
  try {
    const upstreamPort = await freePort()
    started.push(await startUpstream(join(folder, 'upstream'), upstreamPort, '1'))
    const gateways: { readonly pid: number; readonly port: number; readonly costs: number[] }[] = []
    for (const isLimited of [false, true]) {
      const port = await freePort()
      const peer = velum({ name: isLimited ? 'limited' : 'plain', workers: 1, isLimited, hasTls: false })
      const running = await peer.start({
        port,
        tlsPort: 0,
        upstreamPort,
        cores: '0',
        folder: join(folder, peer.name),
        cert: '',
        key: '',
      })
      started.push(running)
      gateways.push({ pid: running.pid, port, costs: [] })
    }
    const load = async ({ pid, port }: { pid: number; port: number }): Promise<number> => {
      const before = cpuMicros(pid)
      const { requests, errors } = await runWrk({
        url: `http://127.0.0.1:${port}/130`,
        seconds,
        connections: 64,
        cores: '1',
        script,
      })
      if (errors > 0) throw new Error(`${errors} requests of the bench failed`)
      return (cpuMicros(pid) - before) / requests
    }
    for (const gateway of [...gateways, ...gateways]) await load(gateway)
    for (let round = 0; round < rounds; round++) {
      for (const gateway of round % 2 === 0 ? gateways : gateways.toReversed()) gateway.costs.push(await load(gateway))
    }
    const [plain, limited] = gateways
    const added = median(limited.costs.map((cost, round) => cost - plain.costs[round]))
    return { without: median(plain.costs), levels: median(limited.costs), added }
  } finally {
    await Promise.all(started.map((running) => running.stop()))
    rmSync(folder, { recursive: true, force: true })
  }
}
