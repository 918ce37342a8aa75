import { createClient, createCluster } from 'redis'
import type { Clock } from '../../core/clock.ts'
import type { RedisTarget } from './redis-url.ts'

/** One node as it is reached. */
export type RedisNode = RedisTarget['nodes'][number]

/** A connection to one Redis, or connections to all masters of a cluster. It reconnects by itself until it is closed. */
export interface RedisClient {
  /** Every node known by now, for who connects anew. */
  readonly nodes: readonly RedisNode[]
  /** Sends a command to where the key lies. Rejects at once while there is no connection. Waits for its answer without end. */
  send(key: string, args: string[]): Promise<unknown>
  /** Sends a command to every master; the replies of those that answer. Rejects when none does. */
  sendToAll(args: string[]): Promise<unknown[]>
  /** Ends at once; what is under way rejects. */
  close(): void
}

export interface ConnectOptions {
  readonly target: RedisTarget
  readonly isCluster: boolean
  readonly clock: Clock
  /** Longest wait for a connection, and for the handshake on it. */
  readonly connectMs: number
}

const maxReconnectMs = 500

/**
 * Among the options of every client: its library makes a class of some thousand commands for each set of options, which takes
 * a tenth of a second of the event loop, and knows the set again by its JSON. So all have the same. Nothing that we set
 * matters to the class.
 */
export const sharedClass: object = { toJSON: () => 'velum' }

/** Connects to the first node that answers. Rejects when none does; some nodes of a cluster may be missing. */
export async function connectRedis(options: ConnectOptions): Promise<RedisClient> {
  let last: unknown
  for (const node of options.target.nodes) {
    try {
      return await (options.isCluster ? connectCluster(options, node) : connectOne(options, node))
    } catch (thrown) {
      last = thrown
    }
  }
  throw last
}

/** What a subscriber is told. */
export interface Subscription {
  readonly channel: string
  readonly heard: (message: string) => void
  /** The connection has ended; said once. */
  readonly lost: () => void
}

/** Connects to one node to hear a channel. Rejects when it does not answer. Returns how to end it. */
export async function connectSubscriber(options: ConnectOptions, node: RedisNode, subscription: Subscription): Promise<() => void> {
  const client = createClient({ ...clientOptions(options.target), socket: socketOptions(options, node, false) })
  let isOver = false
  const lost = (): void => {
    if (!isOver) subscription.lost()
    isOver = true
  }
  const destroy = destroyerOf(client)
  const end = (): void => {
    isOver = true
    destroy()
  }
  client.on('error', () => {})
  try {
    await within(options, async () => {
      await client.connect()
      await client.subscribe(subscription.channel, subscription.heard)
    })
  } catch (thrown) {
    end()
    throw thrown
  }
  client.on('terminated', lost)
  client.on('end', lost)
  return end
}

async function connectOne(options: ConnectOptions, node: RedisNode): Promise<RedisClient> {
  const { target } = options
  const client = createClient({
    ...clientOptions(target),
    database: target.database,
    socket: socketOptions(options, node, true),
  })
  const failed = new Promise<never>((_, reject) => client.once('error', reject))
  client.on('error', () => {})
  const destroy = destroyerOf(client)
  try {
    // Its own attempts would go on for ever: here one is enough.
    await within(options, () => Promise.race([client.connect(), failed]))
  } catch (thrown) {
    destroy()
    throw thrown
  }
  return {
    nodes: target.nodes,
    send: (_key, args) => client.sendCommand(args),
    sendToAll: async (args) => [await within(options, () => client.sendCommand(args))],
    close: destroy,
  }
}

async function connectCluster(options: ConnectOptions, node: RedisNode): Promise<RedisClient> {
  const cluster = createCluster({
    ...sharedClass,
    rootNodes: [{ socket: socketOptions(options, node, false) }],
    defaults: { ...clientOptions(options.target), socket: socketOptions(options, undefined, true) },
    // Connect when something is sent: one dead master must not keep the others from being used.
    minimizeConnections: true,
    maxCommandRedirections: 4,
    topologyRefreshOnReconnectionAttemptStrategy: maxReconnectMs,
    ...withoutTimeout,
  })
  cluster.on('error', () => {})
  try {
    await within(options, () => cluster.connect())
  } catch (thrown) {
    cluster.destroy()
    throw thrown
  }
  return {
    get nodes() {
      const known = cluster.masters.map(({ host, port }) => ({ host, port }))
      return [...known, ...options.target.nodes.filter((a) => !known.some((b) => a.host === b.host && a.port === b.port))]
    },
    send: (key, args) => cluster.sendCommand(key, false, args),
    async sendToAll(args) {
      const replies = cluster.masters.map((master) =>
        within(options, async () => {
          const client = await cluster.nodeClient(master)
          return client.sendCommand(args)
        }),
      )
      const outcomes = await Promise.allSettled(replies)
      const answered = outcomes.filter((outcome) => outcome.status === 'fulfilled').map(({ value }) => value as unknown)
      return answered.length > 0 ? answered : Promise.all(replies)
    },
    close: () => cluster.destroy(),
  }
}

/** What ends a client for good: one that is destroyed while its socket is still connecting would otherwise come alive. */
function destroyerOf(client: { on(event: 'connect', run: () => void): unknown; destroy(): void }): () => void {
  let isDestroyed = false
  client.on('connect', () => {
    if (isDestroyed) client.destroy()
  })
  return () => {
    isDestroyed = true
    client.destroy()
  }
}

/** A server that took the connection but does not speak would hold it up for ever. */
async function within<T>({ clock, connectMs }: ConnectOptions, run: () => Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>()
  const timer = clock.after(2 * connectMs, () => late.reject(new Error('no answer in time')))
  try {
    return await Promise.race([run(), late.promise])
  } finally {
    timer.cancel()
  }
}

/** Deadlines are the caller's: redis's own end with the sending of a command, and cost an AbortSignal each. */
const withoutTimeout = { commandOptions: { timeout: 0 } }

/** No queue while there is no connection: a request must not wait for a reconnect. */
function clientOptions({ username, password }: RedisTarget) {
  return {
    ...sharedClass,
    RESP: 2 as const,
    name: 'velum',
    disableOfflineQueue: true,
    maintNotifications: 'disabled' as const,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...withoutTimeout,
  }
}

function reconnectAfter(attempts: number): number {
  return Math.min(20 * 2 ** attempts, maxReconnectMs)
}

function socketOptions({ target, connectMs }: ConnectOptions, node: RedisNode | undefined, isLasting: boolean) {
  return {
    ...node,
    ...(target.isTls ? { tls: true as const } : {}),
    connectTimeout: connectMs,
    reconnectStrategy: isLasting ? reconnectAfter : (false as const),
  }
}
