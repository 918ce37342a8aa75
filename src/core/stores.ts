import type { MaybePromise } from './handler.ts'

/** A stored thing with the version that a compare-and-set must name. Values are JSON. */
export interface StoredRecord {
  readonly value: unknown
  readonly version: number
}

/**
 * Sessions, token families, users, keys: small records by key, with expiry and compare-and-set. Every verb is atomic.
 * A store that cannot answer throws the Fault `store-down`: never to be read as "not found".
 */
export interface Records {
  get(key: string): MaybePromise<StoredRecord | undefined>
  /** Writes only if nothing (version 0) or exactly that version is there. Returns the new version, or undefined if it lost. */
  put(key: string, value: unknown, expected: number, expiresAt?: number): MaybePromise<number | undefined>
  /** Removes whatever is there; true if something was. */
  delete(key: string): MaybePromise<boolean>
  /** Keys with this prefix, in order, after `after`; at most `limit`. Administrative, not for the request path. */
  list(prefix: string, after: string, limit: number): MaybePromise<readonly string[]>
  close(): void
}

/** A message on the bus, with its place in the stream. */
export interface BusMessage {
  readonly id: string
  readonly topic: string
  readonly data: unknown
}

/**
 * An append-only stream that every node reads: revocations, purges, penalties. A reader that missed messages catches
 * up from its last id; one that has no place left in the stream is told so and must load a snapshot.
 */
export interface Bus {
  /** Appends; resolves when the store holds it. Throws `store-down`. */
  append(topic: string, data: unknown): MaybePromise<string>
  /** Hears everything after `from` ('' = only what is new) until the returned function is called. */
  follow(from: string, listener: (message: BusMessage) => void, lost: () => void): () => void
  close(): void
}
