import { after } from 'node:test'
import { silentLog } from '../../src/core/log.ts'
import { openRedisStores } from '../../src/stores/redis/redis-stores.ts'
import { FrozenClock } from '../support/frozen-clock.ts'
import { noRedis, startCluster, startRedis } from '../support/redis-server.ts'
import type { RedisServer } from '../support/redis-server.ts'
import { busContract } from './bus.ts'
import { familiesContract } from './families.ts'
import { recordsContract } from './records.ts'
import type { StoreHarness } from './store-harness.ts'

/** Far above what is needed, since the machine may be busy: that it gives up in time is tested elsewhere. */
const answerMs = 10_000

async function openOn(servers: readonly RedisServer[]): Promise<StoreHarness> {
  for (const server of servers) server.cli('flushall')
  const clock = new FrozenClock()
  const url = `redis://${servers.map(({ port }) => `127.0.0.1:${port}`).join(',')}`
  const { stores } = await openRedisStores({ url, clock, log: silentLog, answerMs, comparesClocks: false })
  const { stores: peer } = await openRedisStores({ url, clock, log: silentLog, answerMs, comparesClocks: false })
  const close = async (): Promise<void> => {
    await peer.close()
    await stores.close()
  }
  return { stores, peer, clock, close }
}

let single: Promise<RedisServer> | undefined
let cluster: ReturnType<typeof startCluster> | undefined

async function openSingle(): Promise<StoreHarness> {
  single ??= startRedis()
  return openOn([await single])
}

async function openCluster(): Promise<StoreHarness> {
  cluster ??= startCluster()
  return openOn((await cluster).servers)
}

after(async () => {
  await (await single)?.stop()
  await (await cluster)?.stop()
})

for (const [name, open] of [
  ['Redis', openSingle],
  ['a Redis Cluster', openCluster],
] as const) {
  recordsContract(name, open, { skip: noRedis })
  familiesContract(name, open, { skip: noRedis })
  busContract(name, open, { skip: noRedis })
}
