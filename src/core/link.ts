/**
 * What a worker and its node's main thread say to each other. Main owns what exists once per node (keys of foreign
 * issuers, the store, health); workers ask for it and are told of changes. Messages are plain, cloneable data.
 */
export interface Link {
  /** Asks main's handler for `topic`. Rejects when there is none, it failed, or main is gone. */
  ask(topic: string, message: unknown): Promise<unknown>
  /** Tells main something without waiting for an answer. */
  tell(topic: string, message: unknown): void
  /** Hears what main tells every worker on `topic`. Returns how to stop hearing. */
  hear(topic: string, listener: (message: unknown) => void): () => void
}

/** Main's side: answers what workers ask, hears what they tell, and tells all of them. */
export interface Hub {
  answer(topic: string, handler: (message: unknown) => unknown): () => void
  hear(topic: string, listener: (message: unknown, worker: number) => void): () => void
  tellAll(topic: string, message: unknown): void
}
