import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { noRedis } from '../test/support/redis-server.ts'
import type { BenchOptions } from './run.ts'
import { cleaningUp } from './support/cleanup.ts'
import { plotsFolder } from './support/files.ts'
import { storeCosts } from './support/fleet-decisions.ts'
import type { StoreCost } from './support/fleet-decisions.ts'
import type { Line, Plot } from './support/plot.ts'
import { plotSvg } from './support/plot.ts'
import { saveResults } from './support/results.ts'
import type { KeptCost } from './support/scale-memory.ts'
import { limiterKeys, sessions } from './support/scale-memory.ts'
import type { Cost } from './support/scale-proxy.ts'
import { byBodySize, byConnections, byRoutes, byWorkers, startScene } from './support/scale-proxy.ts'
import { table } from './support/table.ts'

/** How cost grows: what `capacity.ts` reckons with. */
export interface Scale {
  readonly routes: readonly Cost[]
  readonly connections: readonly Cost[]
  readonly connectionsByTls: readonly Cost[]
  readonly bodies: readonly Cost[]
  readonly workers: readonly Cost[]
  readonly limiterKeys: readonly KeptCost[]
  readonly sessions: readonly KeptCost[]
  readonly store: readonly StoreCost[]
}

/**
 * How the cost of a request grows with routes, connections, the size of bodies and workers, beside nginx; how that of a
 * decision and of a session does with how many there are of them; and what one decision of a fleet costs its store. Prints
 * tables and draws plots.
 */
export async function benchScale(options: BenchOptions): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'velum-bench-'))
  const counts = [1000, 10_000, 100_000, 1_000_000]
  try {
    await cleaningUp(async (cleanup) => {
      cleanup.after(() => rmSync(folder, { recursive: true, force: true }))
      const keys = limiterKeys(counts)
      showKept('limiter keys', keys)
      const kept = await sessions(counts)
      showKept('sessions', kept)
      const store = noRedis === false ? await storeCosts() : []
      showStore(store)
      const scene = await startScene(folder, cleanup)
      const routes = await byRoutes(scene, options)
      showCosts('routes', routes)
      const connections = await byConnections(scene, options, false)
      showCosts('connections', connections)
      const connectionsByTls = await byConnections(scene, options, true)
      showCosts('connections, TLS', connectionsByTls)
      const bodies = await byBodySize(scene, options)
      showCosts('bytes of a body', bodies)
      const workers = await byWorkers(scene, options)
      showCosts('workers', workers)
      const scale: Scale = { routes, connections, connectionsByTls, bodies, workers, limiterKeys: keys, sessions: kept, store }
      draw(scale)
      saveResults('scale', { seconds: options.seconds, rounds: options.rounds }, scale)
    })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function showCosts(what: string, costs: readonly Cost[]): void {
  const rows = costs.map((cost) => [
    `${cost.size.toLocaleString('en')}, ${cost.contender}`,
    Number.isNaN(cost.cpuMicros) ? 'none answered' : cost.cpuMicros.toFixed(1),
    Math.round(cost.requestsPerSecond).toLocaleString('en'),
    (cost.residentBytes / 1_048_576).toFixed(0),
    String(cost.errors),
  ])
  console.log(`\n${table([what, 'CPU µs/request', 'requests/s', 'RSS MiB', 'errors'], rows)}`)
}

function showKept(what: string, costs: readonly KeptCost[]): void {
  const rows = costs.map(({ count, cpuMicros, bytesEach }) => [
    count.toLocaleString('en'),
    cpuMicros.toFixed(2),
    bytesEach.toFixed(0),
  ])
  console.log(`\n${table([what, 'CPU µs each', 'bytes each'], rows)}`)
}

function showStore(costs: readonly StoreCost[]): void {
  const rows = costs.map(({ name, storeMicros, gatewayMicros }) => [name, storeMicros.toFixed(2), gatewayMicros.toFixed(2)])
  console.log(`\n${table(['a decision over Redis', 'CPU µs of Redis', 'CPU µs of the node'], rows)}`)
}

function draw(scale: Scale): void {
  mkdirSync(plotsFolder, { recursive: true })
  const cpu = { y: 'CPU µs per request' }
  const plots: Record<string, Plot> = {
    routes: { title: 'Routes', x: 'routes', ...cpu, lines: costLines(scale.routes) },
    connections: {
      title: 'Connections, all busy',
      x: 'connections',
      ...cpu,
      lines: [...costLines(scale.connections), ...costLines(scale.connectionsByTls, ', TLS')],
    },
    bodies: {
      title: 'Size of bodies',
      x: 'bytes',
      y: 'MiB per second of CPU',
      lines: costLines(scale.bodies, '', ({ size, cpuMicros }) => (size / 1_048_576 / cpuMicros) * 1e6),
    },
    'limiter-keys': { title: 'Limiter keys', x: 'keys', y: 'CPU µs per decision', lines: keptLines('velum', scale.limiterKeys) },
    sessions: { title: 'Sessions', x: 'sessions', y: 'CPU µs per request', lines: keptLines('velum', scale.sessions) },
  }
  for (const [name, plot] of Object.entries(plots)) writeFileSync(join(plotsFolder, `${name}.svg`), plotSvg(plot))
}

function costLines(costs: readonly Cost[], suffix = '', y: (cost: Cost) => number = ({ cpuMicros }) => cpuMicros): Line[] {
  return [...new Set(costs.map(({ contender }) => contender))].map((name) => ({
    name: name + suffix,
    points: costs
      .filter(({ contender, cpuMicros }) => contender === name && !Number.isNaN(cpuMicros))
      .map((cost) => [cost.size, y(cost)]),
  }))
}

function keptLines(name: string, costs: readonly KeptCost[]): Line[] {
  return [{ name, points: costs.map(({ count, cpuMicros }) => [count, cpuMicros]) }]
}
