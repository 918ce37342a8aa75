import { ErrorReply } from 'redis'
import type { Clock, Timer } from '../../core/clock.ts'
import { Fault } from '../../core/fault.ts'
import type { Log } from '../../core/log.ts'
import { Deadlines, endWait } from '../../core/deadlines.ts'
import { probeKey, shards } from './key-layout.ts'
import { connectRedis } from './redis-client.ts'
import type { RedisClient, RedisNode } from './redis-client.ts'
import { targetWords } from './redis-url.ts'
import type { RedisTarget } from './redis-url.ts'
import type { Script } from './scripts.ts'

export interface RedisConnectionOptions {
  readonly target: RedisTarget
  readonly isCluster: boolean
  readonly clock: Clock
  readonly log: Log
  /** Longest wait for an answer, and for a connection. */
  readonly answerMs: number
  /** A key in each part of the data that holds nothing; default: of those of `key-layout`. */
  readonly probeKeys?: readonly string[]
  /** Longest wait for a connection where it is not the same. */
  readonly connectMs?: number
  /** Whether `now` is by the store's clock; false: by this node's. Default: true. */
  readonly comparesClocks?: boolean
}

/** Whether one part of the data can be reached. */
interface Breaker {
  /** Any part that shares this breaker, and a key there that nobody uses. */
  readonly key: string
  /** When it was found not to answer; undefined while it does. */
  openedAt: number | undefined
  isProbing: boolean
}

const probeMs = 50
/** A connection on which probes get no answer for so long is given up for a new one. */
const replaceMs = 1000
/** Errors of one kind would otherwise fill the log. */
const errorsLoggedMs = 1000

/** What a server answers when it cannot serve now, or not any more, such as a master that became a replica. */
const cannotServe = /^(?:LOADING|MASTERDOWN|CLUSTERDOWN|READONLY|BUSY|TRYAGAIN|NOREPLICAS)\b/
/** How often the clocks are compared, and what an answer may take for that to be worth something. */
const compareEveryMs = 60_000
const comparedWithinMs = 200
/** Less is not worth a correction; a clock that is further off is no clock, and was warned of at the start. */
const leastSkewMs = 500
const mostSkewMs = 30_000

const isDemoted = /^(?:READONLY|MASTERDOWN)\b/

/**
 * A connection with a breaker. The first command that gets no answer in time, or finds no connection, opens the breaker of
 * its part of the data: from then on everything there fails at once, while probes in the background look for the moment
 * when it answers again. A single Redis has one breaker, a cluster one for each part, so that a dead master takes only its
 * parts with it. A connection that stays silent is replaced, by one that is open before the old one is let go.
 */
export class RedisConnection {
  readonly #options: RedisConnectionOptions
  readonly #deadlines: Deadlines
  readonly #breakers: readonly Breaker[]
  readonly #retired = new Set<RedisClient>()
  #client: RedisClient | undefined
  #nodes: readonly RedisNode[]
  #probe: Timer | undefined
  #skewMs = 0
  #comparedAt = -Infinity
  #isReplacing = false
  #replacedAt = -Infinity
  #loggedAt = -Infinity
  #isClosed = false

  constructor(options: RedisConnectionOptions) {
    this.#options = options
    this.#nodes = options.target.nodes
    this.#deadlines = new Deadlines(options.clock, options.answerMs)
    const probeKeys = options.probeKeys ?? shards.map(probeKey)
    const breakers = probeKeys.map((key): Breaker => ({ key, openedAt: undefined, isProbing: false }))
    this.#breakers = options.isCluster ? breakers : breakers.map(() => breakers[0])
  }

  get isUp(): boolean {
    return this.#client !== undefined && this.#breakers.every(({ openedAt }) => openedAt === undefined)
  }

  /**
   * The time by the store's clock, as far as this node's is known to differ: what several nodes compare must be of one
   * clock. Milliseconds since 1970.
   */
  now(): number {
    const { clock } = this.#options
    if (clock.monotonic() - this.#comparedAt > compareEveryMs) void this.compareClocks()
    return clock.now() - this.#skewMs
  }

  /** Asks the store for its time. Leaves everything as it is where it does not say soon. */
  async compareClocks(): Promise<void> {
    const { clock, comparesClocks = true } = this.#options
    const client = this.#client
    if (client === undefined || !comparesClocks) return
    const askedAt = clock.monotonic()
    this.#comparedAt = askedAt
    try {
      const [seconds, microseconds] = (await client.send(this.#breakers[0].key, ['TIME'])) as [string, string]
      const tookMs = clock.monotonic() - askedAt
      if (tookMs > comparedWithinMs) return
      const skewMs = Math.round(clock.now() - tookMs / 2 - (Number(seconds) * 1000 + Number(microseconds) / 1000))
      this.#skewMs = Math.abs(skewMs) < leastSkewMs || Math.abs(skewMs) > mostSkewMs ? 0 : skewMs
    } catch {
      // It is down, which others find out.
    }
  }

  /** The nodes to connect to, those learnt from a cluster among them. */
  get nodes(): readonly RedisNode[] {
    return this.#nodes
  }

  /** Connects once; rejects when nothing answers. */
  async connect(): Promise<void> {
    const { target, isCluster, clock, answerMs, connectMs = answerMs } = this.#options
    const client = await connectRedis({ target: { ...target, nodes: this.#nodes }, isCluster, clock, connectMs })
    const before = this.#client
    if (this.#isClosed) return client.close()
    this.#client = client
    this.#nodes = client.nodes
    // What is under way there on parts that do answer may still be answered.
    if (before !== undefined) this.#retire(before)
    void this.compareClocks()
  }

  #retire(client: RedisClient): void {
    this.#retired.add(client)
    this.#options.clock.after(2 * this.#options.answerMs, () => {
      if (this.#retired.delete(client)) client.close()
    })
  }

  /** Connects in the background, and goes on trying. Until then everything is down. */
  start(): void {
    for (const breaker of this.#breakers) breaker.openedAt ??= this.#options.clock.monotonic()
    this.#replace()
    this.#probeSoon()
  }

  /** Runs a script on keys of one part. Rejects with `store-down`. `late` is told of an answer that came after that. */
  async run(
    shard: number,
    script: Script,
    keys: readonly string[],
    args: readonly string[],
    late?: (reply: unknown) => void,
  ): Promise<unknown> {
    const rest = [String(keys.length), ...keys, ...args]
    try {
      return await this.send(shard, ['EVALSHA', script.sha, ...rest], late)
    } catch (thrown) {
      const { cause } = thrown as Fault
      if (!(cause instanceof Error) || !cause.message.startsWith('NOSCRIPT')) throw thrown
      return this.send(shard, ['EVAL', script.text, ...rest], late)
    }
  }

  /**
   * Sends a command on keys of one part. Rejects with `store-down`, at once when the part is known not to answer. `late` is
   * told of an answer that came after that.
   */
  send(shard: number, args: string[], late?: (reply: unknown) => void): Promise<unknown> {
    const breaker = this.#breakers[shard]
    const client = this.#client
    if (client === undefined || breaker.openedAt !== undefined) return Promise.reject(down('the store does not answer'))
    return new Promise((resolve, reject) => {
      const wait = this.#deadlines.add(() => {
        this.#open(breaker, client, 'no answer in time')
        reject(down('the store did not answer in time'))
      })
      client.send(breaker.key, args).then(
        (reply) => {
          if (wait.isOver) late?.(reply)
          endWait(wait)
          resolve(reply)
          return undefined
        },
        (thrown: unknown) => {
          if (!wait.isOver) reject(this.#faultOf(thrown, breaker, client))
          endWait(wait)
        },
      )
    })
  }

  /** Asks every master that answers. Rejects when none does. For the start. */
  async sendToAll(args: string[]): Promise<unknown[]> {
    if (this.#client === undefined) throw down('the store does not answer')
    return this.#client.sendToAll(args)
  }

  /** What is under way ends with `store-down`. */
  close(): void {
    this.#isClosed = true
    this.#probe?.cancel()
    const client = this.#client
    this.#client = undefined
    this.#deadlines.endAll()
    client?.close()
    for (const retired of this.#retired) retired.close()
    this.#retired.clear()
  }

  #faultOf(thrown: unknown, breaker: Breaker, client: RedisClient): Fault {
    const message = thrown instanceof Error ? thrown.message : String(thrown)
    if (!isAnswer(thrown) || cannotServe.test(message)) this.#open(breaker, client, message)
    else if (!message.startsWith('NOSCRIPT')) this.#logError(message)
    if (isDemoted.test(message)) this.#replace()
    return new Fault('store-down', `the store cannot serve: ${message}`, { cause: thrown })
  }

  #open(breaker: Breaker, client: RedisClient, why: string): void {
    // Whatever ends on a connection that has been replaced says nothing about the new one.
    if (this.#isClosed || breaker.openedAt !== undefined || client !== this.#client) return
    if (this.isUp) this.#options.log.error('the store does not answer', { store: targetWords(this.#options.target), why })
    breaker.openedAt = this.#options.clock.monotonic()
    this.#probeSoon()
  }

  #probeSoon(): void {
    if (!this.#isClosed) this.#probe ??= this.#options.clock.after(probeMs, () => this.#probeOpen())
  }

  #probeOpen(): void {
    this.#probe = undefined
    const now = this.#options.clock.monotonic()
    let isAnyOpen = false
    for (const breaker of new Set(this.#breakers)) {
      if (breaker.openedAt === undefined) continue
      isAnyOpen = true
      if (now - breaker.openedAt > replaceMs) this.#replace()
      if (!breaker.isProbing && this.#client !== undefined) this.#probeOne(breaker, this.#client)
    }
    if (isAnyOpen) this.#probeSoon()
  }

  /** A write, so that a replica does not pass for its master, and one that needs no memory. */
  #probeOne(breaker: Breaker, client: RedisClient): void {
    breaker.isProbing = true
    const passed = (didPass: boolean): void => {
      if (!breaker.isProbing) return
      breaker.isProbing = false
      if (didPass && client === this.#client) this.#closeBreaker(breaker)
    }
    const wait = this.#deadlines.add(() => passed(false))
    client.send(breaker.key, ['DEL', breaker.key]).then(
      () => {
        if (!wait.isOver) passed(true)
        wait.isOver = true
        return undefined
      },
      (thrown: unknown) => {
        if (!wait.isOver) passed(isAnswer(thrown) && !cannotServe.test(thrown.message))
        wait.isOver = true
      },
    )
  }

  #closeBreaker(breaker: Breaker): void {
    const downMs = Math.round(this.#options.clock.monotonic() - (breaker.openedAt ?? 0))
    breaker.openedAt = undefined
    if (this.isUp) this.#options.log.info('the store answers', { store: targetWords(this.#options.target), downMs })
  }

  #replace(): void {
    const now = this.#options.clock.monotonic()
    if (this.#isReplacing || this.#isClosed || now - this.#replacedAt < replaceMs) return
    this.#isReplacing = true
    this.#replacedAt = now
    void this.#tryConnect()
  }

  async #tryConnect(): Promise<void> {
    try {
      await this.connect()
    } catch {
      // The probes go on, and come back here.
    } finally {
      this.#isReplacing = false
    }
  }

  #logError(message: string): void {
    const now = this.#options.clock.monotonic()
    if (now - this.#loggedAt < errorsLoggedMs) return
    this.#loggedAt = now
    this.#options.log.error('the store refused a command', { store: targetWords(this.#options.target), error: message })
  }
}

/** The server's own answer, as opposed to a connection that failed. */
function isAnswer(thrown: unknown): thrown is ErrorReply {
  return thrown instanceof ErrorReply
}

function down(why: string): Fault {
  return new Fault('store-down', why)
}
