import type { Hub, Link } from '../../src/core/link.ts'

/** A hub and its links in one thread; messages are cloned as they are between threads. */
export class LocalHub implements Hub {
  readonly #handlers = new Map<string, (message: unknown) => unknown>()
  readonly #listeners = new Map<string, Set<(message: unknown) => void>>()
  readonly #hubListeners = new Map<string, Set<(message: unknown, worker: number) => void>>()
  /** How often workers asked for anything. */
  asked = 0
  /** Whether main is gone: whatever is asked fails. */
  isDown = false

  answer(topic: string, handler: (message: unknown) => unknown): () => void {
    this.#handlers.set(topic, handler)
    return () => void this.#handlers.delete(topic)
  }

  hear(topic: string, listener: (message: unknown, worker: number) => void): () => void {
    return added(this.#hubListeners, topic, listener)
  }

  tellAll(topic: string, message: unknown): void {
    for (const listener of this.#listeners.get(topic) ?? []) listener(structuredClone(message))
  }

  /** A worker's end. */
  link(worker = 0): Link {
    return {
      ask: async (topic, message) => {
        this.asked++
        const handler = this.#handlers.get(topic)
        if (this.isDown || handler === undefined) throw new Error(`nobody answers ${topic}`)
        return structuredClone(await handler(structuredClone(message)))
      },
      tell: (topic, message) => {
        for (const listener of this.#hubListeners.get(topic) ?? []) listener(structuredClone(message), worker)
      },
      hear: (topic, listener) => added(this.#listeners, topic, listener),
    }
  }
}

function added<T>(sets: Map<string, Set<T>>, topic: string, listener: T): () => void {
  const set = sets.get(topic) ?? new Set()
  sets.set(topic, set.add(listener))
  return () => void set.delete(listener)
}
