import type { Clock } from '../../core/clock.ts'
import type { Log } from '../../core/log.ts'
import { StoreUnusable } from '../../core/stores.ts'
import type { Following, Stores } from '../../core/stores.ts'
import { createStores } from '../create-stores.ts'
import { Followers } from '../followers.ts'
import { runCall } from '../store-verbs.ts'
import type { CallStore, StoreVerbs } from '../store-verbs.ts'
import { connectRedis } from './redis-client.ts'
import { RedisConnection } from './redis-connection.ts'
import type { RedisDirect } from './redis-direct.ts'
import { RedisEngine } from './redis-engine.ts'
import { parseRedisUrl, targetWords } from './redis-url.ts'
import type { RedisTarget } from './redis-url.ts'
import { checkServers, infoFrom } from './server-check.ts'
import { StreamReader } from './stream-reader.ts'
import { WakeLine } from './wake-line.ts'

export interface RedisStoresOptions {
  /** `redis[s]://[user:password@]host[:port][,host[:port]…][/database]`. */
  readonly url: string
  readonly clock: Clock
  readonly log: Log
  /** Longest wait for an answer, and for a connection; 200 ms. */
  readonly answerMs?: number
  /** How long to go on trying when it does not answer at the start; 5 s. */
  readonly startMs?: number
  /** Whether what nodes compare is by the store's clock; false: by `clock`, as tests need that stop it. Default: true. */
  readonly comparesClocks?: boolean
}

/** A store on a Redis, as the main thread of a node opens it. */
export interface RedisStores {
  readonly stores: Stores
  readonly call: CallStore
  /** What a worker needs to connect by itself. */
  readonly direct: RedisDirect
}

const defaultAnswerMs = 200
const defaultStartMs = 5000
const startAgainMs = 200

/** Opens it. Rejects with `StoreUnusable` when it does not answer, or is not what sessions can be trusted to. */
export async function openRedisStores(options: RedisStoresOptions): Promise<RedisStores> {
  const { url, clock, log } = options
  const answerMs = options.answerMs ?? defaultAnswerMs
  const target = parseRedisUrl(url)
  const isCluster = await findOut(target, options, answerMs)
  if (isCluster && target.database !== 0)
    throw new StoreUnusable('a Redis Cluster has no databases: remove the number from store.url')
  const redis = new RedisConnection({ target, isCluster, clock, log, answerMs, comparesClocks: options.comparesClocks ?? true })
  try {
    await connectAndCheck(redis, options)
  } catch (thrown) {
    redis.close()
    throw thrown instanceof StoreUnusable ? thrown : noAnswer(target, thrown)
  }
  const call = callsOn(redis)
  const followers = new Followers()
  const live: () => Promise<ReturnType<StoreVerbs['live']>> = async () => call('live')
  let reader: { stream: StreamReader; wakes: WakeLine; started: Promise<void> } | undefined
  const follow = async (): Promise<StreamReader> => {
    if (reader === undefined) {
      const stream = new StreamReader({ redis, followers, live, clock })
      const wakes = new WakeLine({
        target,
        nodes: () => redis.nodes,
        clock,
        connectMs: answerMs,
        wake: (shard) => stream.wake(shard),
      })
      reader = { stream, wakes, started: startReading(stream, wakes) }
    }
    try {
      await reader.started
      return reader.stream
    } catch (thrown) {
      reader = undefined
      throw thrown
    }
  }
  const stores = createStores({
    kind: 'redis',
    call,
    async follow(listener): Promise<Following> {
      const stream = await follow()
      const stop = await followers.join(listener, live)
      return {
        get caughtUpAt() {
          return stream.caughtUpAt
        },
        stop,
      }
    },
    isUp: () => redis.isUp,
    now: () => clock.now(),
    async close() {
      reader?.wakes.close()
      reader?.stream.close()
      redis.close()
    },
  })
  return { stores, call, direct: { url, isCluster, answerMs } }
}

/** The verbs on a connection of their own, for a worker. It connects in the background; until then the store is down. */
export interface RedisCalls {
  readonly call: CallStore
  readonly isUp: boolean
  close(): void
}

/** Connects to what main has opened. */
export function createRedisCalls({ url, isCluster, answerMs }: RedisDirect, clock: Clock, log: Log): RedisCalls {
  const redis = new RedisConnection({ target: parseRedisUrl(url), isCluster, clock, log, answerMs })
  redis.start()
  return {
    call: callsOn(redis),
    get isUp() {
      return redis.isUp
    },
    close: () => redis.close(),
  }
}

function callsOn(redis: RedisConnection): CallStore {
  const engine = new RedisEngine(redis)
  return (verb, ...args) => runCall(engine, redis.now(), { verb, args }) as Promise<ReturnType<StoreVerbs[typeof verb]>>
}

async function startReading(stream: StreamReader, wakes: WakeLine): Promise<void> {
  await stream.start()
  await wakes.start()
}

/** A server, or a machine, that is busy at the start is given time. */
async function connectAndCheck(
  redis: RedisConnection,
  { clock, log, startMs = defaultStartMs }: RedisStoresOptions,
): Promise<void> {
  const until = clock.monotonic() + startMs
  for (;;) {
    try {
      await redis.connect()
      await checkServers(redis, clock, log)
      await redis.compareClocks()
      return
    } catch (thrown) {
      if (thrown instanceof StoreUnusable || clock.monotonic() >= until || isRefusal(thrown)) throw thrown
      await new Promise<void>((resolve) => void clock.after(startAgainMs, resolve))
    }
  }
}

/** Whether it is a cluster; tries until something answers, or it has been long enough. */
async function findOut(target: RedisTarget, options: RedisStoresOptions, connectMs: number): Promise<boolean> {
  const { clock } = options
  const until = clock.monotonic() + (options.startMs ?? defaultStartMs)
  for (;;) {
    try {
      const client = await connectRedis({ target: { ...target, database: 0 }, isCluster: false, clock, connectMs })
      try {
        const info = infoFrom(String(await client.send('', ['INFO', 'cluster'])))
        return info.get('cluster_enabled') === '1'
      } finally {
        client.close()
      }
    } catch (thrown) {
      if (clock.monotonic() >= until || isRefusal(thrown)) throw noAnswer(target, thrown)
      await new Promise<void>((resolve) => void clock.after(startAgainMs, resolve))
    }
  }
}

/** A wrong password does not become right by waiting. */
function isRefusal(thrown: unknown): boolean {
  return thrown instanceof Error && /^(?:WRONGPASS|NOAUTH|NOPERM|ERR AUTH|ERR invalid password)/.test(thrown.message)
}

function noAnswer(target: RedisTarget, thrown: unknown): StoreUnusable {
  const why =
    thrown instanceof Error && thrown.message !== '' ? thrown.message : ((thrown as NodeJS.ErrnoException).code ?? String(thrown))
  return new StoreUnusable(`the store at ${targetWords(target)} cannot be used: ${why}`, { cause: thrown })
}
