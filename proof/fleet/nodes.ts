import type { Agent } from 'node:http'
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { startVelum, workFolder } from '../../test/support/velum-process.ts'
import type { Cleanup, VelumProcess } from '../../test/support/velum-process.ts'
import { fleetConfig } from './config.ts'
import { ask, newAgent } from './told.ts'
import type { Asking, Told } from './told.ts'

/** The token that the admin surface of every node knows. */
const adminToken = 'an-admin-token-of-the-fleet-for-proofs'

export interface NodesOptions {
  /** Where node number n finds the store. */
  readonly redis: (node: number) => string
  readonly upstream: string
  /** How wrong the clock of node number n is. */
  readonly skewMs?: (node: number) => number
}

interface Ports {
  readonly web: number
  readonly admin: number
  readonly probes: number
}

/** One gateway process after the other at one address. */
export class FleetNode {
  readonly number: number
  readonly host: string
  readonly agent: Agent = newAgent()
  /** The launcher of the version it is started with next; undefined: this checkout's. */
  launcher: string | undefined
  readonly #t: Cleanup
  readonly #ports: Ports
  readonly #options: NodesOptions
  #velum: VelumProcess | undefined

  constructor(t: Cleanup, number: number, host: string, ports: Ports, options: NodesOptions) {
    this.#t = t
    this.number = number
    this.host = host
    this.#ports = ports
    this.#options = options
    t.after(() => this.agent.destroy())
  }

  get env(): Record<string, string> {
    const { web, admin, probes } = this.#ports
    const places = { HOST: this.host, WEB_PORT: String(web), ADMIN_PORT: String(admin), PROBES_PORT: String(probes) }
    const { redis, upstream } = this.#options
    return { ...places, REDIS: redis(this.number), UPSTREAM: upstream, VELUM_ADMIN_TOKEN: adminToken }
  }

  /** Starts it and waits until it is ready. */
  async start(): Promise<void> {
    const folder = workFolder(this.#t)
    folder.write('velum.config.yaml', fleetConfig)
    const skewMs = this.#options.skewMs?.(this.number) ?? 0
    const skewed = new URL(`../../test/support/skewed-clock.mjs?ms=${skewMs}`, import.meta.url).href
    const nodeArgs = skewMs === 0 ? [] : ['--import', skewed]
    const args = ['run', '--workers', '1', '--shutdown-delay', '1s', '--shutdown-deadline', '10s']
    const { launcher, env } = this
    this.#velum = startVelum(this.#t, args, { folder: folder.path, env, nodeArgs, ...(launcher && { launcher }) })
    await this.#velum.printed(/^\{.*"msg":"the gateway is ready".*\}$/m)
  }

  ask(path: string, asking?: Asking): Promise<Told> {
    return ask(this.agent, this.number, `http://${this.host}:${this.#ports.web}${path}`, asking)
  }

  /** Calls its admin surface. */
  admin(path: string, body: object): Promise<Told> {
    const headers = { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' }
    const asking = { method: 'POST', headers, body: JSON.stringify(body) }
    return ask(this.agent, this.number, `http://${this.host}:${this.#ports.admin}${path}`, asking)
  }

  /** How many decisions of each limit it made without the store since its start; undefined when it does not say. */
  async decidedAlone(limits: readonly string[]): Promise<number[] | undefined> {
    const headers = { authorization: `Bearer ${adminToken}` }
    const url = `http://${this.host}:${this.#ports.admin}/metrics`
    const { status, text } = await ask(this.agent, this.number, url, { headers, waitMs: 1000 })
    if (status !== 200) return undefined
    const counts = [...text.matchAll(/^velum_limit_store_failures_total\{([^}]*)\} (\d+)/gm)]
    return limits.map((limit) =>
      counts.reduce((sum, [, labels, count]) => sum + (labels.includes(`limit="${limit}"`) ? Number(count) : 0), 0),
    )
  }

  async isReady(): Promise<boolean> {
    const url = `http://${this.host}:${this.#ports.probes}/readyz`
    return (await ask(this.agent, this.number, url, { waitMs: 500 })).status === 200
  }

  kill(signal: NodeJS.Signals): void {
    this.#velum?.kill(signal)
  }

  /** Ends it in order; gives its exit code. */
  async stop(): Promise<number | null> {
    this.kill('SIGTERM')
    return this.ended()
  }

  async ended(): Promise<number | null> {
    return (await this.#velum!.ended).code
  }

  /** What it said on stderr, for when something went wrong. */
  get said(): string {
    return this.#velum?.err ?? ''
  }
}

/** Nodes with addresses and ports of their own, not yet started. */
export async function createNodes(t: Cleanup, count: number, options: NodesOptions): Promise<FleetNode[]> {
  const nodes: FleetNode[] = []
  for (let number = 0; number < count; number++) {
    const host = process.platform === 'linux' ? `127.0.0.${11 + number}` : '127.0.0.1'
    const ports = { web: await freePort(host), admin: await freePort(host), probes: await freePort(host) }
    nodes.push(new FleetNode(t, number, host, ports, options))
  }
  return nodes
}

/** Free now. A Redis Cluster also listens 10000 above, so it stays below 55536. */
export async function freePort(host: string): Promise<number> {
  for (;;) {
    const probe = createServer().listen(0, host)
    await once(probe, 'listening')
    const { port } = probe.address() as AddressInfo
    probe.close()
    await once(probe, 'close')
    if (port < 55_536) return port
  }
}
