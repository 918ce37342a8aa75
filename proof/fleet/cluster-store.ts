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
    const timeouts = ['--cluster-node-timeout', String(nodeTimeoutMs), '--cluster-replica-validity-factor', '0']
    servers.push(new StoreServer(t, place, ['--cluster-enabled', 'yes', ...timeouts]))
  }
  await Promise.all(servers.map((server) => server.start()))
  const addresses = servers.map(({ place }) => `${place.host}:${place.port}`)
  const create = ['--cluster', 'create', ...addresses, '--cluster-replicas', '1', '--cluster-yes']
  const { status, stdout } = spawnSync('redis-cli', create, { encoding: 'utf8', timeout: 60_000 })
  if (status !== 0) throw new Error(`the cluster could not be made: ${stdout}`)
  for (const server of servers) while (!isWhole(server)) await sleep(50)
  for (const server of servers) {
    while (roleOf(server) === 'slave' && !server.cli('info', 'replication').includes('master_link_status:up')) await sleep(50)
  }
  let killed: StoreServer | undefined
  return {
    url: `redis://${addresses.slice(0, 3).join(',')}`,
    async killMaster() {
      killed = servers.find((server) => roleOf(server) === 'master')!
      await killed.kill()
      const alive = servers.filter((server) => server !== killed)
      while (alive.filter((server) => roleOf(server) === 'master').length < 3) await sleep(50)
      while (!alive.every(isWhole)) await sleep(50)
    },
    async restore() {
      await killed?.start()
    },
  }
}

function isWhole(server: StoreServer): boolean {
  return server.cli('cluster', 'info').includes('cluster_state:ok')
}

function roleOf(server: StoreServer): string {
  return /role:(\w+)/.exec(server.cli('info', 'replication'))![1]
}
