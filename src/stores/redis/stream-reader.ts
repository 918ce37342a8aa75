import type { Clock, Timer } from '../../core/clock.ts'
import type { Followers } from '../followers.ts'
import type { PackedMessage } from '../store-verbs.ts'
import { busKeys, shards } from './key-layout.ts'
import type { RedisConnection } from './redis-connection.ts'
import { messageFrom } from './replies.ts'

export interface StreamReaderOptions {
  readonly redis: RedisConnection
  readonly followers: Followers
  readonly live: () => Promise<readonly PackedMessage[]>
  readonly clock: Clock
  /** How often it looks when nothing wakes it up. */
  readonly pollMs?: number
}

const defaultPollMs = 250
/** What wakes it up within this time is read together. */
const gatherMs = 5
const pageSize = 1000

/** What a part's stream was read up to: the id of its last announcement; '' when there was none. */
type Place = string

/** The chain is broken: what the reader heard last is not what comes before what it reads now. */
class PlaceLost extends Error {}

/**
 * Reads the streams of all parts and tells the followers. Each announcement names the one before it, so a gap shows
 * whatever made it: a stream that was trimmed, a server that restarted empty, a failover to a replica that lacked the
 * newest. Then everybody starts again from what is kept.
 */
export class StreamReader {
  readonly #options: StreamReaderOptions
  readonly #pollMs: number
  readonly #woken = new Set<number>()
  #places: Place[] = []
  #caughtUpAt = -Infinity
  #lookAt = 0
  #timer: Timer | undefined
  #isReading = false
  #isLost = false
  #isClosed = false

  constructor(options: StreamReaderOptions) {
    this.#options = options
    this.#pollMs = options.pollMs ?? defaultPollMs
  }

  /** Monotonic ms: everything appended before was heard. */
  get caughtUpAt(): number {
    return this.#caughtUpAt
  }

  /** Takes today's place. Rejects with `store-down`. What is appended from now on will be heard. */
  async start(): Promise<void> {
    const startedAt = this.#options.clock.monotonic()
    this.#places = await this.#lastPlaces()
    this.#caughtUpAt = startedAt
    this.#lookAt = startedAt + this.#pollMs
    this.#schedule()
  }

  /** There is something new in this part; without one, there may be anywhere. */
  wake(shard?: number): void {
    if (shard === undefined) this.#lookAt = 0
    else if (this.#woken.has(shard)) return
    else this.#woken.add(shard)
    if (!this.#isReading) this.#schedule()
  }

  close(): void {
    this.#isClosed = true
    this.#timer?.cancel()
  }

  #schedule(): void {
    this.#timer?.cancel()
    if (this.#isClosed) return
    const waitMs = Math.max(0, this.#lookAt - this.#options.clock.monotonic())
    const delayMs = this.#woken.size > 0 ? Math.min(gatherMs, waitMs) : waitMs
    this.#timer = this.#options.clock.after(delayMs, () => void this.#read())
  }

  async #read(): Promise<void> {
    const startedAt = this.#options.clock.monotonic()
    const isEverything = this.#isLost || startedAt >= this.#lookAt
    const parts = isEverything ? shards : [...this.#woken]
    this.#woken.clear()
    if (isEverything) this.#lookAt = startedAt + this.#pollMs
    this.#isReading = true
    try {
      if (this.#isLost) await this.#startAgain()
      else await this.#readAll(parts)
      if (isEverything) this.#caughtUpAt = startedAt
    } catch (thrown) {
      // Anything else is the store being down: it is asked again, and the lag shows it.
      if (thrown instanceof PlaceLost) {
        this.#isLost = true
        this.#lookAt = 0
      }
    }
    this.#isReading = false
    this.#schedule()
  }

  /** Reads parts, also when one of them does not answer; throws then, in the end. */
  async #readAll(parts: readonly number[]): Promise<void> {
    const outcomes = await Promise.allSettled(parts.map((shard) => this.#readOne(shard)))
    const failed = outcomes.filter((outcome) => outcome.status === 'rejected').map(({ reason }) => reason as unknown)
    const lost = failed.find((reason) => reason instanceof PlaceLost)
    if (failed.length > 0) throw lost ?? failed[0]
  }

  async #readOne(shard: number): Promise<void> {
    const { redis, followers } = this.#options
    const [stream, lastKey] = busKeys[shard]
    for (;;) {
      const last = ((await redis.send(shard, ['GET', lastKey])) as string | null) ?? ''
      const place = this.#places[shard]
      if (last === place) return
      const from = place === '' ? '-' : `(${place}`
      const command = ['XRANGE', stream, from, '+', 'COUNT', String(pageSize)]
      const entries = (await redis.send(shard, command)) as [string, string[]][]
      // Something is the last one that is neither what was heard last nor after it.
      if (entries.length === 0) throw new PlaceLost()
      const messages: PackedMessage[] = []
      let before = place
      for (const [id, [, text, , previous]] of entries) {
        if (previous !== before) break
        messages.push(messageFrom(text))
        before = id
      }
      followers.deliver(messages)
      this.#places[shard] = before
      if (messages.length < entries.length) throw new PlaceLost()
    }
  }

  async #startAgain(): Promise<void> {
    // Places first: what is appended while the rest is loaded is heard again afterwards.
    const places = await this.#lastPlaces()
    this.#options.followers.reload(await this.#options.live())
    this.#places = places
    this.#isLost = false
  }

  #lastPlaces(): Promise<Place[]> {
    return Promise.all(
      shards.map(async (shard) => ((await this.#options.redis.send(shard, ['GET', busKeys[shard][1]])) as string | null) ?? ''),
    )
  }
}
