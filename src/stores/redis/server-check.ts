import type { Clock } from '../../core/clock.ts'
import type { Log } from '../../core/log.ts'
import { StoreUnusable } from '../../core/stores.ts'
import { layout, layoutKey } from './key-layout.ts'
import type { RedisConnection } from './redis-connection.ts'

const oldest = [6, 2] as const
/** Nodes decide by their own clocks: this far apart they may be before somebody is told. */
const maxClockSkewMs = 2000

/**
 * Whether this is a server that sessions can be trusted to: new enough, a master, and one that never evicts what it was
 * given, since an evicted session is a logout. Throws `StoreUnusable` with what to do. Other doubts are logged.
 */
export async function checkServers(redis: RedisConnection, clock: Clock, log: Log): Promise<void> {
  for (const reply of await redis.sendToAll(['INFO'])) checkInfo(infoFrom(String(reply)), log)
  await redis.send(0, ['SET', layoutKey, String(layout), 'NX'])
  const found = Number(await redis.send(0, ['GET', layoutKey]))
  if (found !== layout) {
    throw new StoreUnusable(`the store was laid out by another version of Velum (layout ${found}, this version knows ${layout})`)
  }
  const [seconds, microseconds] = (await redis.send(0, ['TIME'])) as [string, string]
  const skewMs = Math.round(clock.now() - (Number(seconds) * 1000 + Number(microseconds) / 1000))
  if (Math.abs(skewMs) > maxClockSkewMs)
    log.warn("this node's clock and the store's differ: is one of them not synchronised?", { skewMs })
}

/** The lines `name:value` of INFO. */
export function infoFrom(text: string): ReadonlyMap<string, string> {
  const pairs = text
    .split('\r\n')
    .filter((line) => line.includes(':'))
    .map((line): [string, string] => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)])
  return new Map(pairs)
}

/** One server's INFO. Throws `StoreUnusable`. */
export function checkInfo(info: ReadonlyMap<string, string>, log: Log): void {
  const version = info.get('redis_version') ?? ''
  const [major = 0, minor = 0] = version.split('.').map(Number)
  if (!(major > oldest[0] || (major === oldest[0] && minor >= oldest[1]))) {
    throw new StoreUnusable(`the store is Redis ${version}: Velum needs ${oldest.join('.')} or newer (or Valkey)`)
  }
  if (info.get('role') === 'slave') throw new StoreUnusable('the store is a replica: name its master in store.url')
  const policy = info.get('maxmemory_policy')
  if (policy !== undefined && policy !== 'noeviction') {
    throw new StoreUnusable(
      `the store may evict sessions when its memory is full (maxmemory-policy ${policy}): set it to noeviction, or use a Redis of its own`,
    )
  }
  if (info.get('aof_enabled') === '0') {
    log.warn('the store keeps no append-only file: when it restarts, it may have forgotten sessions and revocations', {
      remedy: 'set appendonly yes in its configuration',
    })
  }
}
