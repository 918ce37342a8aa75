import { createRequire } from 'node:module'
import { Ratelimit } from '@upstash/ratelimit'
import { MemoryStore } from 'express-rate-limit'
import { RateLimiterMemory } from 'rate-limiter-flexible'

/** A limiter in the process, asked for one unit of a key's budget. */
export interface LimitPeer {
  readonly name: string
  readonly decide: (key: string) => unknown
}

/** So wide that nobody is refused: what is measured is a decision that passes. */
const capacity = 1_000_000

/** The memory stores of others, as a gateway would use them. */
export function limitPeers(maxKeys: number): LimitPeer[] {
  return [flexible(), fastify(maxKeys), express(), upstash()]
}

function flexible(): LimitPeer {
  const limiter = new RateLimiterMemory({ points: capacity, duration: 3600 })
  return { name: 'rate-limiter-flexible (fixed window)', decide: (key) => limiter.consume(key) }
}

interface FastifyStore {
  incr(key: string, done: (error: unknown, state: unknown) => void, timeWindow: number, max: number): void
}

function nothing(): void {}

function fastify(maxKeys: number): LimitPeer {
  const LocalStore = createRequire(import.meta.url)('@fastify/rate-limit/store/LocalStore.js') as new (
    ...options: readonly unknown[]
  ) => FastifyStore
  const store = new LocalStore(false, false, maxKeys)
  return { name: '@fastify/rate-limit, its store (fixed window)', decide: (key) => store.incr(key, nothing, 3_600_000, capacity) }
}

function express(): LimitPeer {
  const store = new MemoryStore()
  store.init({ windowMs: 3_600_000 } as Parameters<MemoryStore['init']>[0])
  return { name: 'express-rate-limit, its store (fixed window)', decide: (key) => store.increment(key) }
}

/** A bucket as its script keeps it in Redis. */
interface Bucket {
  refilledAt: number
  tokens: number
}

/**
 * @upstash/ratelimit has its algorithms in scripts for Redis and none in memory. This stands in for Redis with the same
 * steps as its script of the token bucket, without a network and without a copy: what is measured is its client, at its best.
 */
function upstash(): LimitPeer {
  const buckets = new Map<string, Bucket>()
  const evalsha = (_: string, [key]: readonly string[], args: readonly number[]): Promise<readonly number[]> => {
    const [most, intervalMs, refill, now, cost] = args
    let bucket = buckets.get(key)
    if (bucket === undefined) buckets.set(key, (bucket = { refilledAt: now, tokens: most }))
    if (now >= bucket.refilledAt + intervalMs) {
      const refills = Math.floor((now - bucket.refilledAt) / intervalMs)
      bucket.tokens = Math.min(most, bucket.tokens + refills * refill)
      bucket.refilledAt += refills * intervalMs
    }
    if (cost > 0 && bucket.tokens < cost) return Promise.resolve([-1, bucket.refilledAt + intervalMs, most])
    bucket.tokens -= cost
    return Promise.resolve([bucket.tokens, bucket.refilledAt + intervalMs, most])
  }
  const limiter = new Ratelimit({
    redis: { evalsha } as unknown as ConstructorParameters<typeof Ratelimit>[0]['redis'],
    limiter: Ratelimit.tokenBucket(1000, '1 s', capacity),
  })
  return { name: '@upstash/ratelimit, a Map for Redis (token bucket)', decide: (key) => limiter.limit(key) }
}
