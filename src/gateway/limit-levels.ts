import type { GatewayModel } from '../config/model.ts'
import type { BudgetStore } from '../core/budgets.ts'
import type { Clock } from '../core/clock.ts'
import { Fault } from '../core/fault.ts'
import type { Closable } from '../core/lasting.ts'
import type { Log } from '../core/log.ts'
import { algorithmFor } from '../limits/algorithm-of.ts'
import { levelOf } from '../limits/fleet/fleet-counters.ts'
import { fleetLimitOf } from '../limits/fleet/fleet-limit.ts'
import type { LimitSpec } from '../limits/limit-spec.ts'
import type { LimitTable } from '../limits/limit-table.ts'
import { createLimitTable } from '../limits/limit-table.ts'
import type { Direct } from '../stores/link-messages.ts'
import { isFleet } from './worker-fleet.ts'

/** How one budget stands at this moment. */
export interface LimitLevelNow {
  readonly limit: string
  readonly key: string
  /** Who says so: this node's table, exact over its workers; or the fleet's store, where what workers have prepaid counts as used. */
  readonly source: 'node' | 'store'
  readonly capacity: number
  readonly remaining: number
  /** Milliseconds until it is whole, and until a unit is left. */
  readonly wholeAfterMs: number
  readonly unitAfterMs: number
}

export interface LimitLevelsEnv {
  /** The table that all workers share, and how many may ever be in use. */
  readonly memory: SharedArrayBuffer
  readonly workers: number
  readonly clock: Clock
  readonly log: Log
  readonly model: () => GatewayModel
  /** Where the fleet's budgets lie. */
  readonly direct: () => Direct
}

/** Reads the live level of budgets for operators: nothing is charged, and a budget that nobody has touched is not made. */
export class LimitLevels implements Closable {
  readonly #env: LimitLevelsEnv
  #table: LimitTable | undefined
  #budgets: BudgetStore | undefined

  constructor(env: LimitLevelsEnv) {
    this.#env = env
  }

  /** Rejects with a Fault when the table or the store cannot tell. */
  async level(spec: LimitSpec, key: string): Promise<LimitLevelNow> {
    const { memory, workers, clock, model } = this.#env
    const facts = { limit: spec.name, key, capacity: algorithmFor(spec).largestCost }
    if (isFleet(model()) && isShared(model(), spec.name)) {
      const call = { verb: 'peek', count: 1, levels: [levelOf(fleetLimitOf(spec), { limit: spec.name, key, cost: 1 })] } as const
      const [reply] = await (await this.#store()).run([call])
      if (reply === undefined) throw new Fault('store-down', 'the part of the store where this budget lies does not answer')
      const [{ remaining, resetAfterMs, unitAfterMs }] = reply.levels
      return { ...facts, source: 'store', remaining, wholeAfterMs: resetAfterMs, unitAfterMs }
    }
    this.#table ??= createLimitTable(memory, workers, clock)
    const { levels } = this.#table.open([spec]).peek([{ limit: spec.name, key, cost: 0 }])
    const { remaining, resetAfterMs, unitAfterMs } = levels[0]
    return { ...facts, source: 'node', remaining, wholeAfterMs: resetAfterMs, unitAfterMs }
  }

  close(): void {
    this.#table?.close()
    this.#budgets?.close()
  }

  async #store(): Promise<BudgetStore> {
    if (this.#budgets !== undefined) return this.#budgets
    const direct = this.#env.direct()
    if (direct === undefined) throw new Fault('store-down', 'the store of the limits is closed')
    const { createRedisBudgets } = await import('../stores/redis/redis-budgets.ts')
    const { clock, log, model } = this.#env
    const budgets = (this.#budgets ??= createRedisBudgets({ direct, gateway: model().name, clock, log }))
    // Nobody asked before, so it connects only now.
    for (let tries = 0; tries < connectTries; tries++) {
      try {
        await budgets.run([])
        break
      } catch (thrown) {
        if (!(thrown instanceof Fault)) throw thrown
        await new Promise<void>((resolve) => void clock.after(connectPauseMs, resolve))
      }
    }
    return budgets
  }
}

const connectTries = 20
const connectPauseMs = 50

/** Whether a limit is a fleet's: those that stand at edges alone are each node's own. */
function isShared({ routes, services }: GatewayModel, name: string): boolean {
  return [...routes, ...services].some(({ limits = [] }) => limits.some(({ use }) => use === name))
}
