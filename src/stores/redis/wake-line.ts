import type { Clock, Timer } from '../../core/clock.ts'
import { shardOfStream, wakeChannel } from './key-layout.ts'
import { connectSubscriber } from './redis-client.ts'
import type { RedisNode } from './redis-client.ts'
import type { RedisTarget } from './redis-url.ts'

export interface WakeLineOptions {
  readonly target: RedisTarget
  /** The nodes to try; in a cluster every one of them passes on what was published at any. */
  readonly nodes: () => readonly RedisNode[]
  readonly clock: Clock
  readonly connectMs: number
  /** Something was announced in a part; without one, it may have been anywhere, while there was no connection. */
  readonly wake: (shard?: number) => void
}

const retryMs = 500

/** Hears at once that something was announced. Only saves time: who reads the stream looks without it, too. */
export class WakeLine {
  readonly #options: WakeLineOptions
  #attempt = 0
  #end: (() => void) | undefined
  #timer: Timer | undefined
  #isClosed = false

  constructor(options: WakeLineOptions) {
    this.#options = options
  }

  /** Resolves after the first attempt, whatever came of it; goes on trying by itself. */
  async start(): Promise<void> {
    const { target, clock, connectMs, wake } = this.#options
    const nodes = this.#options.nodes()
    const node = nodes[this.#attempt++ % nodes.length]
    try {
      const subscription = {
        channel: wakeChannel,
        heard: (stream: string) => wake(shardOfStream.get(stream)),
        lost: () => this.#again(),
      }
      const end = await connectSubscriber({ target, isCluster: false, clock, connectMs }, node, subscription)
      if (this.#isClosed) end()
      else this.#end = end
      wake()
    } catch {
      this.#again()
    }
  }

  close(): void {
    this.#isClosed = true
    this.#timer?.cancel()
    this.#end?.()
  }

  #again(): void {
    this.#end = undefined
    if (!this.#isClosed) this.#timer = this.#options.clock.after(retryMs, () => void this.start())
  }
}
