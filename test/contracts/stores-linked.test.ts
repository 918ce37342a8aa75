import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import { silentLog } from '../../src/core/log.ts'
import { openRedisStores } from '../../src/stores/redis/redis-stores.ts'
import { openSqliteStores } from '../../src/stores/sqlite/sqlite-stores.ts'
import { attachStoresToHub, createLinkedStores } from '../../src/stores/store-link.ts'
import { FrozenClock } from '../support/frozen-clock.ts'
import { LocalHub } from '../support/local-hub.ts'
import { noRedis, startRedis } from '../support/redis-server.ts'
import type { RedisServer } from '../support/redis-server.ts'
import { busContract } from './bus.ts'
import { familiesContract } from './families.ts'
import { recordsContract } from './records.ts'
import { until } from './store-harness.ts'
import type { StoreHarness } from './store-harness.ts'

const answerMs = 10_000

/** Two workers of one node on the embedded store. */
async function openLinked(): Promise<StoreHarness> {
  const clock = new FrozenClock()
  const folder = mkdtempSync(join(tmpdir(), 'velum-store-'))
  const { stores: held, call } = await openSqliteStores({ folder, name: 'test', clock, log: silentLog, answerMs })
  const hub = new LocalHub()
  const attached = await attachStoresToHub(hub, held, call, clock)
  const stores = createLinkedStores(hub.link(0), clock)
  const peer = createLinkedStores(hub.link(1), clock)
  const close = async (): Promise<void> => {
    await stores.close()
    await peer.close()
    attached.close()
    await held.close()
    rmSync(folder, { recursive: true })
  }
  return { stores, peer, clock, close }
}

let server: Promise<RedisServer> | undefined
after(async () => (await server)?.stop())

/** A worker that has its own connection to Redis, and the main thread of another node. */
async function openDirect(): Promise<StoreHarness> {
  server ??= startRedis()
  const redis = await server
  const { url } = redis
  redis.cli('flushall')
  const clock = new FrozenClock()
  const { stores: held, call, direct } = await openRedisStores({ url, clock, log: silentLog, answerMs })
  const { stores: peer } = await openRedisStores({ url, clock, log: silentLog, answerMs })
  const hub = new LocalHub()
  const attached = await attachStoresToHub(hub, held, call, clock, direct)
  const stores = createLinkedStores(hub.link(), clock)
  const connections = (): number => redis.cli('client', 'list', 'type', 'normal').split('name=velum ').length - 1
  await until(() => connections() === 3 && stores.kind === 'redis')
  const close = async (): Promise<void> => {
    await stores.close()
    attached.close()
    await held.close()
    await peer.close()
  }
  return { stores, peer, clock, close }
}

for (const [name, open, skip] of [
  ['a worker through main', openLinked, false],
  ['a worker on Redis', openDirect, noRedis],
] as const) {
  recordsContract(name, open, { skip })
  familiesContract(name, open, { skip })
  busContract(name, open, { skip })
}
