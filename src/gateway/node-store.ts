import type { GatewayModel } from '../config/model.ts'
import type { Clock } from '../core/clock.ts'
import { EnvironmentFault } from '../core/environment-fault.ts'
import { Fault } from '../core/fault.ts'
import type { Hub } from '../core/link.ts'
import type { Log } from '../core/log.ts'
import type { Stores } from '../core/stores.ts'
import type { Direct } from '../stores/link-messages.ts'
import { openStores } from '../stores/open-stores.ts'
import { attachStoresToHub } from '../stores/store-link.ts'
import { stableJson } from '../lib/stable-json.ts'
import { usesAcme } from './acme/answer-challenges.ts'
import { isFleet } from './worker-fleet.ts'

/** The store of a node, open: held by main, used by workers through the hub. */
export interface NodeStore {
  readonly stores: Stores
  /** Current, previous; what is sealed in the store is sealed by them. */
  readonly secrets: readonly string[]
  /** How threads connect by themselves; undefined where the store is this node's own. */
  readonly direct: Direct
  /** Tells commands where the admin API answers, in the store's lock file. */
  setAdmin(url: string): void
  /** Whether a configuration names this store. */
  isOf(model: GatewayModel): boolean
  close(): Promise<void>
}

/** Whether a configuration has anything that outlives a request or is shared with other nodes. */
export function needsStore(model: GatewayModel): boolean {
  const keepsPenalties = model.penalties !== undefined && model.penalties.length > 0
  return model.identity.own !== undefined || isFleet(model) || keepsPenalties || sharesPurges(model) || usesAcme(model)
}

/** Whether what this node purges has to leave the caches of others, and the other way round. */
function sharesPurges({ store, routes }: GatewayModel): boolean {
  if (store.kind !== 'redis') return false
  return routes.some(({ policies }) => policies.some(({ policy, options }) => policy === 'cache' && options !== 'off'))
}

/** Opens what the configuration names. Rejects with an `EnvironmentFault` when it cannot be used. */
export async function openNodeStore(model: GatewayModel, hub: Hub, clock: Clock, log: Log): Promise<NodeStore> {
  const { store, name } = model
  const { stores, secrets, call, direct, setAdmin } = await openStores({ store, name, secrets: model.secrets ?? [], clock, log })
  try {
    const linked = await attachStoresToHub(hub, stores, call, clock, direct)
    const opened = stableJson(store)
    return {
      stores,
      secrets,
      direct,
      setAdmin,
      isOf: (other) => stableJson(other.store) === opened,
      async close() {
        linked.close()
        await stores.close()
      },
    }
  } catch (thrown) {
    await stores.close()
    if (!(thrown instanceof Fault) || thrown.code !== 'store-down') throw thrown
    throw new EnvironmentFault(`the store cannot be used: ${thrown.message}`, { cause: thrown })
  }
}
