import type { Clock, Timer } from '../core/clock.ts'
import type { Link } from '../core/link.ts'
import type { Count, Meter } from '../core/meter.ts'
import { spanText } from './otlp-text.ts'
import type { SpanBatch, SpanRow, SpanValue } from './span-row.ts'
import { spanTopic } from './span-row.ts'

/** Spans that are handed over without waiting for more, and the longest time one waits in its worker. */
const batchSpans = 256
const batchMs = 200
/** Batches that main may have in hand; when it has them all, spans are dropped. */
const mostBatches = 8

export interface SpanSenderOptions {
  readonly link: Pick<Link, 'ask'>
  readonly clock: Clock
  readonly meter: Meter
}

/**
 * A worker's spans on their way to main, in batches and in the bytes that the collector gets. When main falls behind, they
 * are dropped and counted: nothing waits.
 */
export class SpanSender {
  readonly #options: SpanSenderOptions
  readonly #dropped: Count
  #text = ''
  #count = 0
  #served: SpanValue[] = []
  readonly #underWay = new Set<Promise<void>>()
  #timer: Timer | undefined
  readonly #flush = (): void => this.flush()

  constructor(options: SpanSenderOptions) {
    this.#options = options
    this.#dropped = droppedSpans(options.meter, 'main-busy')
  }

  add(row: SpanRow): void {
    this.#text += spanText(row)
    this.#count++
    if (row.kind === 'server') this.#served.push(row.route ?? '', row.traceId, row.spanId, row.beganAt, row.endedAt)
    if (this.#count >= batchSpans) this.flush()
    else this.#timer ??= this.#options.clock.after(batchMs, this.#flush)
  }

  /** Hands over what there is. */
  flush(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    const count = this.#count
    if (count === 0) return
    const text = this.#text
    const served = this.#served
    this.#text = ''
    this.#count = 0
    this.#served = []
    if (this.#underWay.size >= mostBatches) {
      this.#dropped.add(count)
      return
    }
    // Memory of its own: of a piece of the shared pool the whole pool would be cloned.
    const bytes = Buffer.allocUnsafeSlow(text.length)
    bytes.write(text, 'latin1')
    const taken: Promise<void> = this.#options.link.ask(spanTopic, { count, bytes, served } satisfies SpanBatch).then(
      () => void this.#underWay.delete(taken),
      () => {
        this.#underWay.delete(taken)
        this.#dropped.add(count)
      },
    )
    this.#underWay.add(taken)
  }

  /** Hands over what there is; resolves when main has it all. */
  async flushed(): Promise<void> {
    this.flush()
    await Promise.all(this.#underWay)
  }
}

/** Spans that nobody got, by why. */
export function droppedSpans(meter: Meter, reason: 'main-busy' | 'queue-full' | 'collector' | 'stopped'): Count {
  return meter.counter(
    'velum_trace_spans_dropped_total',
    'Spans of traces that did not reach the collector: main-busy, queue-full (the collector is slower than the traffic), collector (it could not be reached or refused them), stopped (the gateway ended first).',
    { reason },
  )
}
