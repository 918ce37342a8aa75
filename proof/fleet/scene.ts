import { spawnSync } from 'node:child_process'
import { mkdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { seedSessions } from '../../test/support/identity-fleet.ts'
import { runVelum, workFolder } from '../../test/support/velum-process.ts'
import type { Cleanup } from '../../test/support/velum-process.ts'
import { startStoreCluster } from './cluster-store.ts'
import type { StoreCluster } from './cluster-store.ts'
import { fleetConfig } from './config.ts'
import { nodeCount, openLinks } from './links.ts'
import type { Links } from './links.ts'
import { createNodes, freePort } from './nodes.ts'
import type { FleetNode } from './nodes.ts'
import { StoreServer } from './single-store.ts'
import { startUpstream } from './upstream.ts'
import type { Upstream } from './upstream.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const person = { username: 'ada', password: 'a password of the proof' }

/** A fleet at work, and its store. */
export interface Scene {
  readonly nodes: readonly FleetNode[]
  readonly upstream: Upstream
  /** One server, which may be replaced by another, and the ways to it. */
  server: StoreServer | undefined
  readonly links: Links | undefined
  readonly cluster: StoreCluster | undefined
  /** The launcher of the older version, where this is a fleet of two. */
  readonly older: string | undefined
  /** Sessions of one subject, written beside the fleet; their cookies. */
  seed(count: number): Promise<string[]>
  /** Somebody who can log in; again where the store has forgotten. */
  addPerson(): Promise<void>
}

export const scenes = ['single', 'skewed', 'cluster', 'versions'] as const
export type SceneName = (typeof scenes)[number]

/** What a login says. */
export function loginAsking(deliver: 'session' | 'memory') {
  const headers = { 'content-type': 'application/json', 'sec-fetch-site': 'same-origin' }
  return { method: 'POST', headers, body: JSON.stringify({ ...person, deliver }) }
}

/** Starts it; undefined where this machine or checkout cannot have it, which is said. */
export async function startScene(t: Cleanup, name: SceneName, olderRevision: string): Promise<Scene | undefined> {
  const older = name === 'versions' ? checkOut(t, olderRevision) : undefined
  if (name === 'versions' && older === undefined) return undefined
  const upstream = await startUpstream(t)
  const cluster = name === 'cluster' ? await startStoreCluster(t) : undefined
  const port = await freePort('127.0.0.1')
  const links = cluster === undefined ? await openLinks(t, port) : undefined
  const server = links && new StoreServer(t, { prefix: links.prefix, host: links.host, at: '127.0.0.1', port })
  await server?.start()
  const redis = (node: number): string => cluster?.url ?? `redis://${links!.hostFor(node)}:${links!.portFor(node)}`
  const skewMs = (node: number): number => (name === 'skewed' ? [-5000, 0, 5000][node] : 0)
  const nodes = await createNodes(t, nodeCount, { redis, upstream: upstream.url, skewMs })
  for (const node of nodes) node.launcher = older
  await Promise.all(nodes.map((node) => node.start()))
  return {
    nodes,
    upstream,
    server,
    links,
    cluster,
    older,
    seed: (count) => seedSessions(redis(0), count),
    async addPerson() {
      const folder = workFolder(t)
      folder.write('velum.config.yaml', fleetConfig)
      const { env } = nodes[0]
      const args = ['user', 'add', person.username, '--password-stdin', '--roles', 'staff']
      const { code, err } = await runVelum(t, args, { folder: folder.path, env, input: person.password })
      if (code !== 0) throw new Error(err)
    },
  }
}

/** An older version of this repository, with the packages of this one. */
function checkOut(t: Cleanup, revision: string): string | undefined {
  const { path } = workFolder(t)
  const folder = join(path, 'older')
  mkdirSync(folder)
  const script = `git -C "${root}" archive "${revision}" | tar -x -C "${folder}"`
  const { status, stderr } = spawnSync('bash', ['-o', 'pipefail', '-c', script], { encoding: 'utf8' })
  if (status !== 0) {
    console.log(`two versions: not run, there is no revision ${revision} here: ${stderr.trim()}`)
    return undefined
  }
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  return join(folder, 'bin/velum.js')
}
