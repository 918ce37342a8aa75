import type { TelemetryModel } from '../config/model.ts'
import type { Clock, Timer } from '../core/clock.ts'
import type { Hub } from '../core/link.ts'
import type { Log } from '../core/log.ts'
import type { Count, Meter } from '../core/meter.ts'
import { stableJson } from '../lib/stable-json.ts'
import { Exemplars } from './exemplars.ts'
import type { SpanBatch } from './span-row.ts'
import { spanTopic } from './span-row.ts'
import { droppedSpans } from './span-sender.ts'
import type { ExportSpans } from './trace-exporter.ts'

/** Spans that wait for the collector at most; about ten seconds of a busy node. */
const mostQueued = 16_384
/** Spans, and bytes of them, that are sent at once: what many a collector takes by default is 20 MiB. */
const sentSpans = 2048
const sentBytes = 4 * 1024 * 1024
/** Longest time a span waits for company. */
const batchMs = 500
/** Longest time that a batch is tried for; what is not taken by then is dropped. */
const exportMs = 10_000
/** Between two batches when the first was not taken: doubled each time. */
const leastPauseMs = 1000
const longestPauseMs = 30_000
/** Longest wait for the last spans when the gateway ends. */
const lastSpansMs = 2000

export interface NodeTracesOptions {
  readonly clock: Clock
  readonly log: Log
  readonly meter: Meter
  /** How spans are sent; absent: over OTLP. */
  readonly createExporter?: ((model: TelemetryModel, withinMs: number) => ExportSpans) | undefined
}

/**
 * Main's part of tracing: takes the spans of all workers and sends them on, one batch at a time. A collector that is dead
 * or slow costs a bounded queue and a counted loss; it is asked again ever more rarely, and nobody waits for it.
 */
export class NodeTraces {
  readonly #options: NodeTracesOptions
  readonly #exported: Count
  readonly #isFull: Count
  readonly #isRefused: Count
  readonly #isStopped: Count
  readonly #unanswer: () => void
  /** Of what was traced, for metrics. */
  readonly exemplars = new Exemplars()
  #model: TelemetryModel | undefined
  #export: ExportSpans | undefined
  #queue: SpanBatch[] = []
  /** Spans in all batches of it. */
  #queued = 0
  #sending: Promise<void> | undefined
  #timer: Timer | undefined
  #pauseMs = 0
  #isClosed = false

  constructor(hub: Pick<Hub, 'answer'>, options: NodeTracesOptions) {
    this.#options = options
    const { meter } = options
    this.#exported = meter.counter('velum_trace_spans_exported_total', 'Spans of traces that the collector took.')
    this.#isFull = droppedSpans(meter, 'queue-full')
    this.#isRefused = droppedSpans(meter, 'collector')
    this.#isStopped = droppedSpans(meter, 'stopped')
    this.#unanswer = hub.answer(spanTopic, (batch) => this.#take(batch as SpanBatch))
  }

  /** Loads what a configuration needs; nothing where it makes no traces. What waits already goes to the new collector. */
  async prepare(model: TelemetryModel | undefined): Promise<{ commit(): void }> {
    const before = this.#model
    if (model === undefined || (before !== undefined && stableJson(model) === stableJson(before))) {
      // Exchanges that began before end later: their spans go where they would have gone.
      return { commit: () => void (this.#model = model ?? this.#model) }
    }
    const create = this.#options.createExporter ?? (await import('./trace-exporter.ts')).createTraceExporter
    const made = create(model, exportMs)
    return {
      commit: () => {
        this.#model = model
        this.#export = made
        this.#pauseMs = 0
        this.#pump()
      },
    }
  }

  /** Sends what there is, as far as it can be sent in two seconds. Takes nothing any more. */
  async close(): Promise<void> {
    this.#unanswer()
    this.#isClosed = true
    this.#timer?.cancel()
    const last = { isLate: false }
    const late = new Promise<void>((resolve) => {
      void this.#options.clock.after(lastSpansMs, () => {
        last.isLate = true
        resolve()
      })
    })
    const sent = async (): Promise<void> => {
      await this.#sending
      // One that was not taken is followed by no other: the collector is dead.
      while (!last.isLate && this.#pauseMs === 0 && this.#queue.length > 0 && this.#export !== undefined)
        await this.#send(this.#export)
    }
    if (this.#sending !== undefined || this.#queue.length > 0) await Promise.race([sent(), late])
    this.#isStopped.add(this.#queued)
    this.#queue = []
    this.#queued = 0
  }

  #take(batch: SpanBatch): void {
    this.exemplars.note(batch.served)
    if (this.#export === undefined || this.#queued + batch.count > mostQueued) {
      this.#isFull.add(batch.count)
    } else {
      this.#queue.push(batch)
      this.#queued += batch.count
    }
    this.#pump()
  }

  #pump(): void {
    if (this.#sending !== undefined || this.#export === undefined || this.#queue.length === 0 || this.#isClosed) return
    const isDue = this.#queued >= sentSpans && this.#pauseMs === 0
    if (isDue) {
      this.#timer?.cancel()
      this.#timer = undefined
      this.#begin(this.#export)
      return
    }
    this.#timer ??= this.#options.clock.after(Math.max(batchMs, this.#pauseMs), () => {
      this.#timer = undefined
      if (this.#export !== undefined && !this.#isClosed) this.#begin(this.#export)
    })
  }

  #begin(send: ExportSpans): void {
    this.#sending = this.#sendAndGoOn(send)
  }

  async #sendAndGoOn(send: ExportSpans): Promise<void> {
    await this.#send(send)
    this.#sending = undefined
    this.#pump()
  }

  /** What is sent next: whole batches, one at least. */
  #next(): { readonly spans: readonly Uint8Array[]; readonly count: number } {
    let taken = 0
    let count = 0
    let bytes = 0
    for (const batch of this.#queue) {
      if (taken > 0 && (count + batch.count > sentSpans || bytes + batch.bytes.length > sentBytes)) break
      taken++
      count += batch.count
      bytes += batch.bytes.length
    }
    this.#queued -= count
    return { spans: this.#queue.splice(0, taken).map((batch) => batch.bytes), count }
  }

  /** Sends what comes next. Never rejects. */
  async #send(send: ExportSpans): Promise<void> {
    const { spans, count } = this.#next()
    const { clock, log } = this.#options
    let timer: Timer | undefined
    // A collector that drips its answer would keep its connection busy for ever.
    const late = new Promise<never>((_resolve, reject) => {
      timer = clock.after(exportMs + 1000, () => reject(new Error('no answer in time')))
    })
    try {
      await Promise.race([send(spans), late])
      this.#exported.add(count)
      if (this.#pauseMs > 0) log.info('the collector takes traces again')
      this.#pauseMs = 0
    } catch (error) {
      this.#isRefused.add(count)
      if (this.#pauseMs === 0)
        log.warn('the collector does not take traces; spans are dropped until it does', { why: wordsOf(error) })
      this.#pauseMs = Math.min(longestPauseMs, Math.max(leastPauseMs, this.#pauseMs * 2))
    } finally {
      timer?.cancel()
    }
  }
}

/** Of an error of the network or of HTTP; never what the collector said, which may echo what it was sent. */
function wordsOf(error: unknown): string {
  const { code, message } = error as { code?: unknown; message?: unknown }
  return typeof code === 'number' ? `status ${code}` : typeof code === 'string' ? code : String(message)
}
