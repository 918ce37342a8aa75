import type { GatewayModel } from '../config/model.ts'
import type { Clock } from '../core/clock.ts'
import { EnvironmentFault } from '../core/environment-fault.ts'
import type { Hub } from '../core/link.ts'
import type { Log } from '../core/log.ts'
import type { Stores } from '../core/stores.ts'
import { loadSecret } from '../stores/sqlite/secret-file.ts'
import { openSqliteStores } from '../stores/sqlite/sqlite-stores.ts'
import { attachStoresToHub } from '../stores/store-link.ts'
import { stableJson } from '../lib/stable-json.ts'

/** The store of a node, open: held by main, used by workers through the hub. */
export interface NodeStore {
  readonly stores: Stores
  /** Current, previous; what is sealed in the store is sealed by them. */
  readonly secrets: readonly string[]
  /** Tells commands where the admin API answers, in the store's lock file. */
  setAdmin(url: string): void
  /** Whether a configuration names this store. */
  isOf(model: GatewayModel): boolean
  close(): Promise<void>
}

/** Opens what the configuration names. Rejects with an `EnvironmentFault` when it cannot be used. */
export async function openNodeStore(model: GatewayModel, hub: Hub, clock: Clock, log: Log): Promise<NodeStore> {
  const { store, name } = model
  if (store.kind !== 'embedded') throw new EnvironmentFault(`the store ${store.kind} is not available yet`)
  const opening = await openSqliteStores({ folder: store.path, name, clock, log })
  const { stores, call } = opening
  try {
    const configured = model.secrets ?? []
    const secrets = configured.length > 0 ? configured : [loadSecret(store.path, log)]
    const linked = await attachStoresToHub(hub, stores, call, clock)
    const opened = stableJson(store)
    return {
      stores,
      secrets,
      setAdmin: (url) => opening.setAdmin(url),
      isOf: (other) => stableJson(other.store) === opened,
      async close() {
        linked.close()
        await stores.close()
      },
    }
  } catch (thrown) {
    await stores.close()
    throw thrown
  }
}
