import type { BudgetCall, BudgetStore } from '../../core/budgets.ts'
import type { Clock } from '../../core/clock.ts'
import type { Log } from '../../core/log.ts'
import { budgetProbes } from './budget-layout.ts'
import { BudgetParts } from './budget-parts.ts'
import { runSpread } from './budget-steps.ts'
import { RedisConnection } from './redis-connection.ts'
import type { RedisDirect } from './redis-direct.ts'
import { parseRedisUrl } from './redis-url.ts'

export interface RedisBudgetsOptions {
  readonly direct: RedisDirect
  /** Gateways of one name share budgets. */
  readonly gateway: string
  readonly clock: Clock
  readonly log: Log
  /** Longest wait for an answer, and for a connection; 200 ms. Who asks has a shorter deadline of its own. */
  readonly answerMs?: number
  /** Longest wait for the answer of one part of a cluster, so that a dead master does not cost the others their answers; 12 ms. */
  readonly partAnswerMs?: number
  /** In place of the server's clock, for tests. */
  readonly now?: () => number
}

/** Keys of one script: a longer batch is several, one after the other. */
const mostLevels = 4000
const defaultPartAnswerMs = 12

/**
 * The budgets of a fleet in a Redis. A batch is one script; in a Redis Cluster one for each part that it touches, and a
 * step of several parts is charged part by part (`budget-steps`). It connects in the background; until then `store-down`.
 */
export function createRedisBudgets(options: RedisBudgetsOptions): BudgetStore {
  const { direct, gateway, clock, log, now } = options
  const { isCluster } = direct
  const connectMs = options.answerMs ?? direct.answerMs
  const redis = new RedisConnection({
    target: parseRedisUrl(direct.url),
    isCluster,
    clock,
    log,
    answerMs: isCluster ? (options.partAnswerMs ?? defaultPartAnswerMs) : connectMs,
    connectMs,
    probeKeys: budgetProbes,
    // Budgets are counted in the store, by its own clock.
    comparesClocks: false,
  })
  redis.start()
  const listeners: ((forMs: number) => void)[] = []
  const parts = new BudgetParts({
    redis,
    isSpread: isCluster,
    gateway,
    clock,
    time: () => (now === undefined ? '' : String(now())),
    forgot: (forMs) => {
      for (const listen of listeners) listen(forMs)
    },
  })
  return {
    async run(calls) {
      if (calls.length === 0) {
        await parts.probe(0)
        return []
      }
      if (isCluster) return runSpread(parts, calls)
      const batches = batched(calls)
      if (batches.length === 1) return parts.run(0, calls)
      return (await Promise.all(batches.map((batch) => parts.run(0, batch)))).flat()
    },
    whenForgotten: (run) => void listeners.push(run),
    greet: (node, holder, forgetMs) => parts.greet(`${node}/${holder}`, forgetMs),
    leave: (node, holder) => parts.leave(`${node}/${holder}`),
    close: () => redis.close(),
  }
}

function batched(calls: readonly BudgetCall[]): (readonly BudgetCall[])[] {
  const batches: BudgetCall[][] = [[]]
  let levels = 0
  for (const call of calls) {
    levels += call.levels.length
    if (levels > mostLevels) {
      batches.push([])
      levels = call.levels.length
    }
    batches.at(-1)!.push(call)
  }
  return batches
}
