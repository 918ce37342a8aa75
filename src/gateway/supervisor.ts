import { packing } from '../config/packed-model.ts'
import type { Clock, Timer } from '../core/clock.ts'
import { atOnce, inSlices } from '../core/in-slices.ts'
import type { SharedMemory } from '../core/build-env.ts'
import type { Log } from '../core/log.ts'
import type { Meter } from '../core/meter.ts'
import { toldBy } from '../lib/list-delta.ts'
import { policyMark } from '../policies/custom/call-meter.ts'
import type { MainHub } from './link.ts'
import { replacedIdleMs } from './listener.ts'
import type { GenerationOrder, PackedOrder, ToMain } from './messages.ts'
import { beatsOf, metricsRow, runningSlot } from './meter-row.ts'
import type { MeterTotals } from './meter-totals.ts'
import { RestartPace } from './restart-pace.ts'
import type { RouteRow } from './route-rows.ts'
import { WorkerHandle } from './worker-handle.ts'
import type { WorkerState } from './worker-handle.ts'

export interface SupervisorOptions {
  readonly workers: number
  /** The module that a worker thread runs. */
  readonly entry: URL
  readonly shared: SharedMemory
  readonly reusePort: boolean
  readonly clock: Clock
  readonly log: Log
  /** Main's own meter, and the sums of the workers'. */
  readonly meter: Meter
  readonly totals: MeterTotals
  readonly hub: MainHub
  /** Takes lines of the access log; `settled` once they are written or given up. */
  readonly lines: (bytes: Uint8Array, settled: () => void) => void
  /** A worker is gone; whatever it held in shared memory is to be freed. */
  readonly gone: (worker: number) => void
  /** How often a worker shows that it lives. */
  readonly beatMs?: number
  /** So many missed beats in a row, and a worker hangs; more are granted to one that is starting. */
  readonly missedBeats?: number
  readonly missedBeatsAtStart?: number
  /** Longest time to compile a configuration. */
  readonly prepareMs?: number
  /** Longest time that the connections of a faulty worker get to end. */
  readonly faultyDrainMs?: number
}

/** How connections are brought to their end. */
export interface DrainTimes {
  /** How long an idle connection lives on, so that a request on its way is answered. */
  readonly idleMs: number
  /** When whatever is still open is cut. */
  readonly deadlineMs: number
}

/** How many numbers (rows in shared tables) this many workers need: one is spare, so that a successor can start early. */
export function workerNumbers(workers: number): number {
  return workers + 1
}

/** Why a worker was given up; the values of the metric's label `reason`. */
type LossReason = 'died' | 'hung' | 'faulty' | 'start-failed'

/**
 * Keeps the workers of a node serving one configuration. A change is prepared by all and then committed, or by none.
 * A worker that dies or hangs is replaced; one in which something was thrown that nobody caught serves on until its
 * successor does. Operations run one after the other.
 */
export class Supervisor {
  readonly #options: SupervisorOptions
  readonly #handles = new Set<WorkerHandle>()
  readonly #pace: RestartPace
  readonly #beatMs: number
  #order: GenerationOrder | undefined
  /** The route table of the order that was committed last, as a worker described it. */
  #described: { readonly id: number; readonly rows: readonly RouteRow[] } = { id: 0, rows: [] }
  #lastId = 0
  #tail: Promise<unknown> = Promise.resolve()
  #watch: Timer | undefined
  /** By its mark, every custom policy that workers were told of. */
  readonly #policies = new Map<number, string>()
  #isStopping = false

  constructor(options: SupervisorOptions) {
    this.#options = options
    this.#pace = new RestartPace(options.clock, options.workers)
    this.#beatMs = options.beatMs ?? 500
  }

  get workers(): readonly { readonly number: number; readonly state: WorkerState; readonly utilization: number }[] {
    const sorted = [...this.#handles].sort((a, b) => a.number - b.number)
    return sorted.map((handle) => ({ number: handle.number, state: handle.state, utilization: handle.utilization() }))
  }

  /** Starts all workers. Rejects, with none left, when they cannot serve this. Resolves with the route table. */
  async start(order: GenerationOrder): Promise<readonly RouteRow[]> {
    for (let i = 0; i < this.#options.workers; i++) this.#spawn()
    this.#lookSoon()
    try {
      return await this.#serially(() => this.#change([...this.#handles], order))
    } catch (thrown) {
      await this.close()
      throw thrown
    }
  }

  /** Replaces the configuration everywhere. Rejects, with nothing changed, when any worker cannot serve this. */
  reload(order: GenerationOrder): Promise<readonly RouteRow[]> {
    return this.#serially(async () => {
      const handles = [...this.#handles].filter(({ state }) => state === 'serving' || state === 'faulty')
      // When all are lost and waiting to be replaced, the new configuration may be the cure.
      if (handles.length === 0) handles.push(this.#spawn())
      const routes = await this.#change(handles, order)
      void this.#fill()
      return routes
    })
  }

  /** What changed since the configuration was ordered, for workers that start from now on. */
  revise(change: Partial<Omit<GenerationOrder, 'model'>>): void {
    if (this.#order !== undefined) this.#order = { ...this.#order, ...change }
  }

  /**
   * Whether every worker that serves has acted on what it was told until now; false when one has not within the time.
   * One that starts learns before it serves.
   */
  async heard(withinMs: number): Promise<boolean> {
    const serving = [...this.#handles].filter(({ state }) => state !== 'starting' && state !== 'dead')
    const id = ++this.#lastId
    const marked = Promise.allSettled(serving.map((handle) => handle.mark(id)))
    return (await within(this.#options.clock, withinMs, marked)) !== undefined
  }

  /** Stops accepting; idle connections end after `idleMs`, all at the deadline; then every worker ends. */
  async drain({ idleMs, deadlineMs }: DrainTimes): Promise<void> {
    this.#isStopping = true
    const { clock, log } = this.#options
    const live = [...this.#handles].filter(({ state }) => state === 'serving' || state === 'faulty')
    const drain = async (): Promise<true> => {
      // All ports first: whom one worker tells to connect anew must not meet another one that is about to close its own.
      await Promise.allSettled(live.map((handle) => handle.closePorts()))
      await Promise.allSettled(live.map((handle) => handle.drain(idleMs)))
      return true
    }
    const isDone = await within(clock, deadlineMs, drain())
    if (isDone === undefined) log.warn('connections were still open at the deadline and are cut', { deadlineMs })
    await this.close()
  }

  /** Ends every worker at once. */
  async close(): Promise<void> {
    this.#isStopping = true
    this.#watch?.cancel()
    await Promise.all([...this.#handles].map((handle) => handle.terminate('the gateway stops')))
  }

  #serially<T>(task: () => Promise<T>): Promise<T> {
    const done = this.#tail.then(task)
    this.#tail = done.catch(() => undefined)
    return done
  }

  #spawn(): WorkerHandle {
    const { workers, entry, shared, reusePort, hub } = this.#options
    const taken = new Set([...this.#handles].map(({ number }) => number))
    let number = 0
    while (taken.has(number)) number++
    const birth = { shared, worker: number, workers: workerNumbers(workers), sharers: workers, reusePort, beatMs: this.#beatMs / 2 }
    const handle = new WorkerHandle(entry, birth, metricsRow(shared.metrics, number), {
      said: (from, message) => this.#said(from, message),
      ended: (from, why) => this.#ended(from, why),
    })
    this.#handles.add(handle)
    hub.join(number, handle)
    return handle
  }

  /** Prepares everywhere, then commits everywhere; or discards everywhere and rejects with what was said. */
  async #change(handles: readonly WorkerHandle[], order: GenerationOrder): Promise<readonly RouteRow[]> {
    for (const { name } of order.model.policies ?? []) this.#policies.set(policyMark(name), name)
    const id = ++this.#lastId
    const { clock, prepareMs = 60_000 } = this.#options
    const packed = await this.#packedFor(handles, order)
    const before = handles[0]?.served?.id === this.#described.id ? this.#described.rows : undefined
    const describe = before === undefined ? 'whole' : 'changes'
    const asked = handles.map((handle, index) =>
      handle.prepare(id, packed.get(handle.served?.id)!, index === 0 ? describe : undefined),
    )
    const prepared = await within(clock, prepareMs, Promise.allSettled(asked))
    const failures = prepared?.filter((result) => result.status === 'rejected').map(({ reason }) => (reason as Error).message)
    if (failures === undefined || failures.length > 0) {
      for (const handle of handles) {
        handle.discard(id)
        if (handle.state === 'starting') void handle.terminate('it could not prepare the configuration')
      }
      throw new Error(
        failures === undefined ? 'the configuration could not be prepared in time' : [...new Set(failures)].join('; '),
      )
    }
    this.#order = order
    await Promise.allSettled(handles.map((handle) => this.#commit(handle, id, order.model)))
    const first = prepared![0]
    if (first.status === 'fulfilled') this.#described = { id, rows: atOnce(toldBy(first.value, before ?? [], (rows) => rows)) }
    return this.#described.rows
  }

  /** The order as each worker gets it, by the id of what it serves: told by that. */
  async #packedFor(handles: readonly WorkerHandle[], order: GenerationOrder): Promise<Map<number | undefined, PackedOrder>> {
    const packed = new Map<number | undefined, PackedOrder>()
    for (const { served } of handles) {
      if (packed.has(served?.id)) continue
      const model = await inSlices(packing(order.model, served?.model), this.#options.clock)
      packed.set(served?.id, { ...order, model, before: served?.id })
    }
    return packed
  }

  async #commit(handle: WorkerHandle, id: number, model: GenerationOrder['model']): Promise<void> {
    await handle.commit(id)
    handle.served = { id, model }
    if (handle.state === 'starting') handle.state = 'serving'
    handle.hasServed = true
  }

  #said(handle: WorkerHandle, message: ToMain): void {
    const { hub, lines, totals, log } = this.#options
    if (hub.receive(message, handle.number)) return
    if (message.kind === 'lines') {
      const { buffer, length } = message
      lines(new Uint8Array(buffer, 0, length), () => handle.post({ kind: 'logged', buffer }, [buffer]))
    } else if (message.kind === 'series') totals.announce(handle.number, handle.row, message.entries)
    else if (message.kind === 'log') log[message.level](message.message, message.fields)
    else if (message.kind === 'faulty') {
      log.error('something was thrown in a worker where nobody caught it', {
        worker: handle.number,
        error: { message: message.message, stack: message.stack },
      })
      if (handle.state === 'serving') {
        handle.state = 'faulty'
        this.#lost(handle, 'faulty')
      }
    }
  }

  #ended(handle: WorkerHandle, why: string): void {
    this.#handles.delete(handle)
    const { totals, hub, gone, log } = this.#options
    // Before its row is cleared: one that ends its thread, or uses up its memory, is named too.
    const policy = this.#policyIn(handle)
    hub.leave(handle.number, handle)
    totals.fold(handle.number, handle.row)
    gone(handle.number)
    if (this.#isStopping) return
    if (!handle.isLost) {
      log.error('a worker died', { worker: handle.number, why, ...(policy === undefined ? {} : { policy }) })
      this.#lost(handle, handle.hasServed ? 'died' : 'start-failed')
    } else void this.#fill()
  }

  /** Gives a worker up and has it replaced, as soon as the pace allows. */
  #lost(handle: WorkerHandle, reason: LossReason): void {
    if (handle.isLost || this.#isStopping) return undefined
    handle.isLost = true
    const { meter, clock, log } = this.#options
    meter.counter('velum_worker_losses_total', 'Workers that were given up and replaced.', { reason }).add()
    const delayMs = this.#pace.lost()
    if (delayMs === 0) return void this.#fill()
    log.warn('workers are lost too often: the next one waits', { delayMs })
    clock.after(delayMs, () => void this.#fill())
  }

  /** Starts what is missing, then lets faulty workers go. */
  #fill(): Promise<void> {
    return this.#serially(async () => {
      const { workers, log } = this.#options
      const missing = (): number => workers - [...this.#handles].filter(({ isLost }) => !isLost).length
      while (!this.#isStopping && this.#order !== undefined && missing() > 0) {
        if (this.#handles.size >= workerNumbers(workers)) break
        try {
          await this.#change([this.#spawn()], this.#order)
        } catch (error) {
          log.error('a worker could not be started', { error })
          return
        }
      }
      const faulty = [...this.#handles].filter(({ state }) => state === 'faulty')
      for (const handle of faulty.slice(Math.max(0, missing()))) void this.#letGo(handle)
    })
  }

  async #letGo(handle: WorkerHandle): Promise<void> {
    const { clock, faultyDrainMs = 30_000 } = this.#options
    await within(clock, faultyDrainMs, Promise.allSettled([handle.drain(replacedIdleMs)]))
    await handle.terminate('it was faulty and has been replaced')
  }

  /** The custom policy that a worker is in the middle of. */
  #policyIn({ row }: WorkerHandle): string | undefined {
    return this.#policies.get(runningSlot(row)[0])
  }

  #lookSoon(): void {
    this.#watch = this.#options.clock.after(this.#beatMs, () => {
      for (const handle of this.#handles) this.#look(handle)
      if (!this.#isStopping) this.#lookSoon()
    })
  }

  /** Beats are compared from look to look, not with a clock: a machine that slept or a busy main blames nobody. */
  #look(handle: WorkerHandle): void {
    const { missedBeats = 20, missedBeatsAtStart = 120, log } = this.#options
    const beats = beatsOf(handle.row)
    handle.missedBeats = beats === handle.lastBeat ? handle.missedBeats + 1 : 0
    handle.lastBeat = beats
    if (handle.missedBeats < (handle.state === 'starting' ? missedBeatsAtStart : missedBeats) || handle.isLost) return
    const policy = this.#policyIn(handle)
    log.error('a worker hangs and is replaced; its connections are lost', {
      worker: handle.number,
      ...(policy === undefined ? {} : { policy }),
    })
    if (policy !== undefined) {
      const help = 'Workers that hung in a custom policy and were replaced.'
      this.#options.meter.counter('velum_policy_hangs_total', help, { policy }).add()
    }
    this.#lost(handle, 'hung')
    void handle.terminate('its event loop was blocked')
  }
}

/** What the promise yields, or undefined when it takes longer. */
async function within<T>(clock: Clock, ms: number, promise: Promise<T>): Promise<T | undefined> {
  let timer: Timer | undefined
  const late = new Promise<undefined>((resolve) => {
    timer = clock.after(ms, () => resolve(undefined))
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    timer?.cancel()
  }
}
