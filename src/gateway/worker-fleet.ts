import type { GatewayModel } from '../config/model.ts'
import type { BudgetStore } from '../core/budgets.ts'
import type { BuildEnv } from '../core/build-env.ts'
import { Fault } from '../core/fault.ts'
import type { Closable } from '../core/lasting.ts'
import { KeyedHash } from '../lib/keyed-hash.ts'
import { FleetClient } from '../limits/fleet/fleet-client.ts'
import { TableMemory } from '../limits/table-memory.ts'
import { topics } from '../stores/link-messages.ts'
import type { Direct } from '../stores/link-messages.ts'

/** A worker's part in the fleet; it outlives Generations. */
export interface WorkerFleet extends Closable {
  readonly client: FleetClient
  /** Resolves when the fleet knows this worker, or cannot be reached for now. */
  readonly ready: Promise<void>
}

/** Whether this configuration has limits whose budgets a fleet shares through its store. */
export function isFleet({ store, limits }: Pick<GatewayModel, 'store' | 'limits'>): boolean {
  return store.kind === 'redis' && limits.length > 0
}

/** Joins the fleet of the gateways of this name, by a connection of the worker's own to the node's store. */
export function joinFleet(gateway: string, env: BuildEnv): WorkerFleet {
  const store = createOwnBudgets(gateway, env)
  // The secret of a node's table tells it from all others, and all its workers know it.
  const node = new KeyedHash(new TableMemory(env.shared.limits).hashKey).derive('node').map((part) => (part >>> 0).toString(16))
  const client = new FleetClient({ store, clock: env.clock, node: node.join(''), holder: String(env.worker) })
  return { client, ready: client.start(), close: () => client.close() }
}

/** Budgets in the store that main has opened. Until main has said where that is, `store-down`. */
function createOwnBudgets(gateway: string, { link, clock, log }: BuildEnv): BudgetStore {
  let budgets: BudgetStore | undefined
  let isClosed = false
  const listeners: ((forMs: number) => void)[] = []
  const open = async (): Promise<void> => {
    const direct = (await link.ask(topics.direct, undefined)) as Direct
    if (direct === undefined) throw new Error('the store of this node is not one that a fleet shares')
    const { createRedisBudgets } = await import('../stores/redis/redis-budgets.ts')
    if (isClosed) return
    budgets = createRedisBudgets({ direct, gateway, clock, log })
    for (const listen of listeners) budgets.whenForgotten(listen)
  }
  const opening = open()
  opening.catch((error: unknown) => log.error('the limits of the fleet are out of reach', { error }))
  const opened = async (): Promise<BudgetStore> => {
    await opening
    if (budgets === undefined) throw new Fault('store-down', 'the store of the limits is closed')
    return budgets
  }
  return {
    run: async (calls) => (budgets ?? (await opened())).run(calls),
    whenForgotten(run) {
      listeners.push(run)
      budgets?.whenForgotten(run)
    },
    greet: async (node, holder, forgetMs) => (await opened()).greet(node, holder, forgetMs),
    leave: async (node, holder) => (await opened()).leave(node, holder),
    close() {
      isClosed = true
      budgets?.close()
    },
  }
}
