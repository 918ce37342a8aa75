import type { Closable } from '../core/lasting.ts'
import type { Link } from '../core/link.ts'
import type { Endpoint, NameMessage } from './discovery-spec.ts'
import { namesTopic } from './discovery-spec.ts'

const nowhere: readonly Endpoint[] = []

/** A worker's ear for where names lead. One per worker. */
export class NameBoard implements Closable {
  /** Resolves when main has told what it knows; never rejects. */
  readonly ready: Promise<void>
  readonly #endpoints = new Map<string, readonly Endpoint[]>()
  readonly #listeners = new Set<() => void>()
  readonly #stop: () => void

  constructor(link: Link) {
    this.#stop = link.hear(namesTopic, (messages) => this.#hear(messages as readonly NameMessage[]))
    this.ready = link.ask(namesTopic, undefined).then(
      (messages) => this.#hear(messages as readonly NameMessage[]),
      () => undefined,
    )
  }

  /** Where a name leads; empty while it was never resolved. */
  readonly endpoints = (key: string): readonly Endpoint[] => this.#endpoints.get(key) ?? nowhere

  /** Calls `run` whenever a name leads elsewhere. Returns how to stop that. */
  listen(run: () => void): () => void {
    this.#listeners.add(run)
    return () => void this.#listeners.delete(run)
  }

  close(): void {
    this.#stop()
  }

  #hear(messages: readonly NameMessage[]): void {
    for (const { key, endpoints } of messages) this.#endpoints.set(key, endpoints)
    if (messages.length > 0) for (const run of this.#listeners) run()
  }
}
