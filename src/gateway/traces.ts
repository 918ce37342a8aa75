import type { Clock } from '../core/clock.ts'
import type { Exchange } from '../core/exchange.ts'
import type { Outcome } from '../core/policy.ts'
import type { Trace } from '../core/trace.ts'
import type { SpanSender } from './span-sender.ts'
import type { CopyFacts } from './spans.ts'
import { addCopySpans, addSpans } from './spans.ts'
import type { TraceIds } from './trace-ids.ts'
import { createTraceSampler } from './trace-sampler.ts'

/** The traces that one Generation makes on one worker. */
export interface Traces {
  /** To be called when it is known what came of an exchange's trace; decides whether it is traced. */
  readonly begin: (x: Exchange) => void
  /** A traced exchange is over. */
  done(x: Exchange, trace: Trace, outcome: Outcome): void
  /** A copy of the traced exchange `x`, noted in `trace`, is over; `x` may be so for long. */
  copied(x: Exchange, trace: Trace, facts: CopyFacts): void
}

export interface TracesOptions {
  readonly gateway: string
  readonly sample: number
  readonly sender: Pick<SpanSender, 'add'>
  readonly clock: Clock
  readonly ids: TraceIds
}

export function createTraces({ gateway, sample, sender, clock, ids }: TracesOptions): Traces {
  return {
    begin: createTraceSampler(sample, clock, ids),
    done: (x, trace, outcome) => addSpans(sender, gateway, x, trace, outcome),
    copied: (x, trace, facts) => addCopySpans(sender, gateway, x, trace, facts),
  }
}
