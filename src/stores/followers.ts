import type { BusListener, BusMessage } from '../core/stores.ts'
import type { PackedMessage } from './store-verbs.ts'

interface Follower {
  readonly listener: BusListener
  /** What came while the live set is still being loaded; undefined once it was handed over. */
  pending: BusMessage[] | undefined
  /** A live set that came meanwhile and is newer than the one being loaded. */
  newer: readonly BusMessage[] | undefined
}

/** Those who follow the bus in this thread. A follower gets the live set first, then everything that came since it joined. */
export class Followers {
  readonly #followers = new Set<Follower>()

  get size(): number {
    return this.#followers.size
  }

  /** Joins; resolves once the listener had the live set. Rejects, without having joined, when `loadLive` does. */
  async join(listener: BusListener, loadLive: () => PromiseLike<readonly PackedMessage[]>): Promise<() => void> {
    const follower: Follower = { listener, pending: [], newer: undefined }
    // Before loading: what is appended meanwhile must not fall between the two.
    this.#followers.add(follower)
    let live: readonly BusMessage[]
    try {
      live = (await loadLive()).map(messageFrom)
    } catch (thrown) {
      this.#followers.delete(follower)
      throw thrown
    }
    const pending = follower.pending ?? []
    follower.pending = undefined
    tell(() => listener.reload(follower.newer ?? live, true))
    for (const message of pending) tell(() => listener.hear(message))
    return () => void this.#followers.delete(follower)
  }

  /** Everybody hears these. */
  deliver(messages: readonly PackedMessage[]): void {
    if (this.#followers.size === 0) return
    for (const packed of messages) {
      const message = messageFrom(packed)
      for (const { pending, listener } of this.#followers) {
        if (pending === undefined) tell(() => listener.hear(message))
        else pending.push(message)
      }
    }
  }

  /** The place in the stream was lost: everybody starts again from the live set. */
  reload(live: readonly PackedMessage[]): void {
    const messages = live.map(messageFrom)
    for (const follower of this.#followers) {
      if (follower.pending === undefined) tell(() => follower.listener.reload(messages, false))
      else {
        follower.newer = messages
        follower.pending = []
      }
    }
  }
}

/** What a listener throws is a bug of its own, which must neither stop the stream nor pass unseen. */
function tell(run: () => void): void {
  try {
    run()
  } catch (thrown) {
    queueMicrotask(() => {
      throw thrown
    })
  }
}

function messageFrom(packed: PackedMessage): BusMessage {
  return { ...packed, data: JSON.parse(packed.data) as unknown }
}
