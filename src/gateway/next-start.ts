import { defaultCacheBytes } from '../cache/cache-memory.ts'
import type { Finding } from '../config/finding.ts'
import type { GatewayModel } from '../config/model.ts'
import { stableJson } from '../lib/stable-json.ts'

/** What main opens when it starts, and how it is compared. Certificates are not in it: new ones are served at once. */
const fixed: readonly (readonly [path: string, of: (model: GatewayModel) => unknown])[] = [
  ['admin', ({ admin }) => admin !== undefined],
  ['admin.host', ({ admin }) => admin?.host],
  ['admin.port', ({ admin }) => admin?.port],
  ['admin.names', ({ admin }) => admin?.names],
  ['admin.tls', ({ admin }) => admin !== undefined && admin.tls !== undefined],
  ['probes', ({ probes }) => probes],
  ['secret', ({ secrets }) => secrets],
  ['cache.memory', ({ cacheBytes }) => cacheBytes ?? defaultCacheBytes],
]

/**
 * Where a configuration that was just taken over differs from the one that the process was started with in what only a
 * start changes: a warning each, so that nobody takes it for done.
 */
export function waitingForStart(started: GatewayModel, now: GatewayModel, file: string): Finding[] {
  const paths = fixed.filter(([, of]) => textOf(of(started)) !== textOf(of(now))).map(([path]) => path)
  // Where all of the admin server comes or goes, its parts say nothing more.
  const told = paths.includes('admin') ? paths.filter((path) => !path.startsWith('admin.')) : paths
  return told.map((path): Finding => {
    const message = 'this differs from what the gateway was started with, and takes effect at the next start'
    return { severity: 'warning', file, path, message, remedy: remedyOf(path, now) }
  })
}

function remedyOf(path: string, { admin }: GatewayModel): string {
  const still = admin?.tls === undefined ? 'HTTPS' : 'plain HTTP'
  return path === 'admin.tls' ? `start the gateway anew; until then its admin port speaks ${still}` : 'start the gateway anew'
}

function textOf(value: unknown): string {
  return stableJson(value ?? null)
}
