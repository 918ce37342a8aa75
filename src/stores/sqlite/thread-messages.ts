import type { Batch, BatchReply } from './batch.ts'

/** What the store thread is born with. */
export interface StoreThreadBirth {
  readonly file: string
}

/** What is said to the store thread. After `close` it ends by itself. */
export type ToStoreThread = ({ readonly kind: 'batch' } & Batch) | { readonly kind: 'close' }

/** What it says: it serves; it cannot (and ends); the answer to the oldest batch. */
export type FromStoreThread =
  | { readonly kind: 'ready' }
  | { readonly kind: 'unusable'; readonly message: string; readonly isTaken: boolean }
  | ({ readonly kind: 'reply' } & BatchReply)
