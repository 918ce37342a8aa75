import { spawnSync } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Cleanup } from '../../test/support/velum-process.ts'
import { freePort } from './nodes.ts'
import { StoreServer } from './single-store.ts'

/** Three masters that share the slots, each with a replica that takes over when it is gone. */
export interface StoreCluster {
  readonly url: string
  /** Kills one master; resolves once its replica serves in its place. */
  killMaster(): Promise<void>
  /** Brings what was killed back, as a replica. */
  restore(): Promise<void>
}

/** Longest silence of a master before its replica may take over. */
const nodeTimeoutMs = 1500

export async function startStoreCluster(t: Cleanup): Promise<StoreCluster> {
  const servers: StoreServer[] = []
  for (let i = 0; i < 6; i++) {
    const host = `127.0.0.${21 + i}`
    const place = { prefix: [], host, at: host, port: await freePort(host) }
    const announced = ['--cluster-announce-ip', host]
    const timeouts = ['--cluster-node-timeout', String(nodeTimeoutMs), '--cluster-replica-validity-factor', '0']
    servers.push(new StoreServer(t, place, ['--cluster-enabled', 'yes', ...announced, ...timeouts]))
  }
  await Promise.all(servers.map((server) => server.start()))
  const addresses = servers.map(({ place }) => `${place.host}:${place.port}`)
  const create = ['--cluster', 'create', ...addresses, '--cluster-replicas', '1', '--cluster-yes']
  const { status, stdout } = spawnSync('redis-cli', create, { encoding: 'utf8', timeout: 60_000 })
  if (status !== 0) throw new Error(`the cluster could not be made: ${stdout}`)
  for (const server of servers) while (!(await isWhole(server))) await sleep(50)
  for (const server of servers) {
    while (/role:slave[^]*master_link_status:down/.test(await server.cli('info', 'replication'))) await sleep(50)
  }
  let killed: StoreServer | undefined
  return {
    url: `redis://${addresses.slice(0, 3).join(',')}`,
    async killMaster() {
      killed = (await mastersOf(servers))[0]
      await killed.kill()
      const alive = servers.filter((server) => server !== killed)
      while ((await mastersOf(alive)).length < 3) await sleep(400)
      for (const server of alive) while (!(await isWhole(server))) await sleep(400)
    },
    async restore() {
      await killed?.start()
    },
  }
}

async function isWhole(server: StoreServer): Promise<boolean> {
  return (await server.cli('cluster', 'info')).includes('cluster_state:ok')
}

async function mastersOf(servers: readonly StoreServer[]): Promise<StoreServer[]> {
  const said = await Promise.all(servers.map((server) => server.cli('info', 'replication')))
  return servers.filter((_, i) => said[i].includes('role:master'))
}
