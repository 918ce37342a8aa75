import type { Clock } from '../core/clock.ts'
import type { Log } from '../core/log.ts'
import { StoreUnusable } from '../core/stores.ts'
import type { Stores } from '../core/stores.ts'
import type { Direct } from './link-messages.ts'
import { loadSecret } from './sqlite/secret-file.ts'
import { openSqliteStores } from './sqlite/sqlite-stores.ts'
import type { CallStore } from './store-verbs.ts'

/** Which store, as the configuration says it. */
export type StoreChoice = { readonly kind: 'embedded'; readonly path: string } | { readonly kind: 'redis'; readonly url: string }

export interface OpenStoresOptions {
  readonly store: StoreChoice
  /** What this process is (the gateway's name), for whoever finds an embedded store taken. */
  readonly name: string
  /** Current, previous; none: an embedded store makes its own. */
  readonly secrets: readonly string[]
  readonly clock: Clock
  readonly log: Log
}

/** A store, open, as main or a command holds it. */
export interface OpenedStores {
  readonly stores: Stores
  /** Never empty. */
  readonly secrets: readonly string[]
  /** For `attachStoresToHub`. */
  readonly call: CallStore
  readonly direct: Direct
  /** Says where the admin API answers, to commands that find an embedded store taken. */
  readonly setAdmin: (url: string) => void
}

/** Opens the store that a configuration names. Rejects with `StoreUnusable`, leaving nothing open. */
export async function openStores(options: OpenStoresOptions): Promise<OpenedStores> {
  return options.store.kind === 'embedded' ? openEmbedded(options, options.store.path) : openRedis(options, options.store.url)
}

async function openEmbedded({ name, secrets, clock, log }: OpenStoresOptions, folder: string): Promise<OpenedStores> {
  const { stores, call, setAdmin } = await openSqliteStores({ folder, name, clock, log })
  try {
    return { stores, call, setAdmin, direct: undefined, secrets: secrets.length > 0 ? secrets : [loadSecret(folder, log)] }
  } catch (thrown) {
    await stores.close()
    throw thrown
  }
}

async function openRedis({ secrets, clock, log }: OpenStoresOptions, url: string): Promise<OpenedStores> {
  if (secrets.length === 0) throw new StoreUnusable('a fleet needs one secret: set `secret` in the configuration of every node')
  // Loaded only here: who uses the embedded store does without it.
  const { openRedisStores } = await import('./redis/redis-stores.ts')
  const { stores, call, direct } = await openRedisStores({ url, clock, log })
  return { stores, call, direct, secrets, setAdmin: () => {} }
}
