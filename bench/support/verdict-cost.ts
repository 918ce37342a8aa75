import { registerHooks } from 'node:module'
import { Answer } from '../../src/core/answer.ts'
import { emptyBody } from '../../src/core/body.ts'
import type { Handler } from '../../src/core/handler.ts'
import { Headers } from '../../src/core/headers.ts'
import { compose } from '../../src/core/pipeline.ts'
import type { Policy } from '../../src/core/policy.ts'
import { pass } from '../../src/core/verdict.ts'
import { exchangeOf } from '../../test/support/exchange.ts'
import { collectGarbage } from './collect-garbage.ts'
import { median } from './table.ts'

const policiesOnTheWay = 8
/** The one line of the pipeline that keeps a verdict with its exchange. */
const recording = 'x.verdicts[offset + i] = verdict'

export interface VerdictCost {
  readonly policies: number
  /** CPU of a request through these policies, its exchange included, in ns: as it is, and without the line above. */
  readonly recorded: number
  readonly unrecorded: number
  /** The median of the differences, per request in ns. */
  readonly added: number
}

/** What it costs to keep verdicts with exchanges: one thread, no sockets, policies that only pass; turn and turn about. */
export async function verdictCost(rounds: number, requests: number): Promise<VerdictCost> {
  const policies: Policy[] = Array.from({ length: policiesOnTheWay }, (_, i) => {
    const verdict = pass(`passed-${i}`)
    return { name: `bench-${i}`, stage: 'custom', source: `routes[0].custom[${i}]`, decide: () => verdict }
  })
  const answer = new Answer(200, new Headers(), emptyBody)
  const recorded = compose(policies, () => answer)
  const unrecorded = (await unrecordingPipeline()).compose(policies, () => answer)
  for (const handler of [recorded, unrecorded]) nanosPerRequest(handler, requests)
  const costs: [recorded: number, unrecorded: number][] = []
  for (let round = 0; round < rounds; round++) {
    const isTurned = round % 2 === 1
    const first = nanosPerRequest(isTurned ? unrecorded : recorded, requests)
    const second = nanosPerRequest(isTurned ? recorded : unrecorded, requests)
    costs.push(isTurned ? [second, first] : [first, second])
  }
  return {
    policies: policiesOnTheWay,
    recorded: median(costs.map(([cost]) => cost)),
    unrecorded: median(costs.map(([, cost]) => cost)),
    added: median(costs.map(([one, other]) => one - other)),
  }
}

function nanosPerRequest(handler: Handler, requests: number): number {
  collectGarbage()
  const before = process.cpuUsage()
  for (let i = 0; i < requests; i++) void handler(exchangeOf())
  const { user, system } = process.cpuUsage(before)
  return ((user + system) * 1000) / requests
}

/** The same module once more, read without its line that records. Throws where that line is not as it was. */
async function unrecordingPipeline(): Promise<{ readonly compose: typeof compose }> {
  const url = new URL('../../src/core/pipeline.ts?unrecorded', import.meta.url).href
  const hooks = registerHooks({
    load(asked, context, next) {
      const loaded = next(asked, context)
      if (asked !== url) return loaded
      const [before, after, ...others] = (loaded.source as Buffer).toString().split(recording)
      if (after === undefined || others.length > 0) throw new Error(`the pipeline does not have "${recording}" once`)
      return { ...loaded, source: before + after }
    },
  })
  try {
    return (await import(url)) as { readonly compose: typeof compose }
  } finally {
    hooks.deregister()
  }
}
