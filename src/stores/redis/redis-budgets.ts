import type { BudgetCall, BudgetHolders, BudgetReply, BudgetState, BudgetStore } from '../../core/budgets.ts'
import { budgetKinds } from '../../core/budgets.ts'
import type { Clock } from '../../core/clock.ts'
import { Fault } from '../../core/fault.ts'
import type { Log } from '../../core/log.ts'
import { budgetScript, greetScript } from './budget-script.ts'
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
  /** In place of the server's clock, for tests. */
  readonly now?: () => number
}

/**
 * All budgets lie in one part of the data, so that a step is one script whatever it touches; in a Redis Cluster that is
 * one master's work.
 */
const part = 0
const prefix = 'velum:{0ax}:'

const verbs = { charge: '1', peek: '2', credit: '3', debit: '4' } as const
/** Keys of one script: a longer batch is several, one after the other. */
const mostLevels = 4000

/** The budgets of a fleet in a Redis. It connects in the background; until then `store-down`. */
export function createRedisBudgets(options: RedisBudgetsOptions): BudgetStore {
  const { direct, gateway, clock, log, now } = options
  const budgetPrefix = `${prefix}budget:${gateway}:`
  const holdersKey = `${prefix}budget-holders:${gateway}`
  const target = parseRedisUrl(direct.url)
  const redis = new RedisConnection({
    target,
    isCluster: direct.isCluster,
    clock,
    log,
    answerMs: options.answerMs ?? direct.answerMs,
  })
  redis.start()
  const time = (): string => (now === undefined ? '' : String(now()))
  return {
    async run(calls) {
      if (calls.length === 0) {
        await redis.run(part, budgetScript, [], [time()])
        return []
      }
      const batches = await Promise.all(batched(calls).map((batch) => runBatch(redis, budgetPrefix, batch, time())))
      return batches.flat()
    },
    async greet(node, holder, forgetMs): Promise<BudgetHolders> {
      const member = `${node}/${holder}`
      const reply = await redis.run(part, greetScript, [holdersKey], [member, String(forgetMs)])
      const members = reply as string[]
      return { holders: members.length, nodes: new Set(members.map((one) => one.slice(0, one.lastIndexOf('/')))).size }
    },
    async leave(node, holder) {
      await redis.send(part, ['ZREM', holdersKey, `${node}/${holder}`])
    },
    close: () => redis.close(),
  }
}

async function runBatch(
  redis: RedisConnection,
  budgetPrefix: string,
  calls: readonly BudgetCall[],
  now: string,
): Promise<BudgetReply[]> {
  const places = new Map<string, number>()
  const keys: string[] = []
  let text = ''
  for (const { verb, count, levels } of calls) {
    text += `${verbs[verb]} ${count} ${levels.length} `
    for (const { id, kind, parameters, cost } of levels) {
      let place = places.get(id)
      if (place === undefined) {
        place = keys.push(budgetPrefix + id)
        places.set(id, place)
      }
      const [one, two, three] = parameters
      text += `${place} ${budgetKinds.indexOf(kind) + 1} ${one} ${two} ${three} ${cost} `
    }
  }
  return repliesOf(calls, await redis.run(part, budgetScript, keys, [now, text]))
}

function repliesOf(calls: readonly BudgetCall[], given: unknown): BudgetReply[] {
  if (typeof given !== 'string') throw new Fault('store-down', 'the store answered something else than budgets')
  const numbers = given.split(' ')
  let at = 0
  return calls.map(({ levels }): BudgetReply => {
    const granted = Number(numbers[at++])
    const states = levels.map((): BudgetState => {
      const remaining = Number(numbers[at])
      const retry = Number(numbers[at + 1])
      const resetAfterMs = Number(numbers[at + 2])
      const unitAfterMs = Number(numbers[at + 3])
      const delayMs = Number(numbers[at + 4])
      at += 5
      return { remaining, retryAfterMs: retry === -1 ? Infinity : retry, resetAfterMs, unitAfterMs, delayMs }
    })
    return { granted, levels: states }
  })
}

function batched(calls: readonly BudgetCall[]): BudgetCall[][] {
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
