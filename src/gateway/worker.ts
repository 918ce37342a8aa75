import type { GatewayModel, ListenerModel } from '../config/model.ts'
import { unpacking } from '../config/packed-model.ts'
import type { BuildEnv } from '../core/build-env.ts'
import { systemClock } from '../core/clock.ts'
import type { Exchange } from '../core/exchange.ts'
import type { MaybePromise } from '../core/handler.ts'
import type { Closable, Hold } from '../core/lasting.ts'
import { inSlices } from '../core/in-slices.ts'
import { Lasting } from '../core/lasting.ts'
import type { Count } from '../core/meter.ts'
import { Sweeper } from '../core/sweeper.ts'
import type { Authenticators } from '../identity/authenticators.ts'
import { createLimitTable } from '../limits/limit-table.ts'
import type { CustomPolicies } from '../policies/custom.ts'
import type { NamedService } from '../services/named-service.ts'
import type { ServiceSpec } from '../services/service-spec.ts'
import { createLinkedStores } from '../stores/store-link.ts'
import type { ServerWire, ServerWireOptions } from '../wire/server-wire.ts'
import type { TlsMaterial } from '../wire/tls/tls-spec.ts'
import { ChallengeAnswers } from './acme/answer-challenges.ts'
import type { LiveChallenge } from './acme/answer-challenges.ts'
import { createAccessLog, LineSender, noAccessLog } from './access-log.ts'
import { answerExplain } from './explain-link.ts'
import { accessTexts } from './access-texts.ts'
import type { Generation } from './generation.ts'
import { CurrentGeneration } from './generation.ts'
import { cloneError, WorkerLink } from './link.ts'
import { Listeners } from './listeners.ts'
import type { PreparedListeners } from './listeners.ts'
import { toldTopics } from './messages.ts'
import type { Describe, PackedOrder, Port, RowsDelta, ToMain, ToWorker, WorkerBirth } from './messages.ts'
import { beat, metricsRow, RowMeter, runningSlot } from './meter-row.ts'
import type { AccessLog } from './observe.ts'
import type { LogLevel } from './operational-log.ts'
import { RequestNotes } from './request-notes.ts'
import { createResourceGauges } from './resource-gauges.ts'
import { describing } from './route-rows.ts'
import { SpanSender } from './span-sender.ts'
import { createTraceIds } from './trace-ids.ts'
import type { Traces } from './traces.ts'
import { createTraces } from './traces.ts'
import { WorkerLog } from './worker-log.ts'

/** What a Generation is compiled with. */
export interface GenerationEnv extends BuildEnv {
  readonly accessLog: AccessLog
  /** Whether the TLS handshake asked for another host than this exchange does: 421 before anything else. */
  readonly isMisdirected: (x: Exchange) => boolean
  /** What authorities are answered with on plain listeners; absent: nothing. */
  readonly challenges?: ChallengeAnswers | undefined
  /** Where requests are kept for operators; absent: nowhere. */
  readonly requests?: RequestNotes | undefined
  /** Makes traces, as the configuration says; absent: none are made. */
  readonly traces?: Traces | undefined
  /** How callers are recognised, besides as the configuration says; absent: not at all. */
  readonly recognise?: ((authenticators: Authenticators) => Authenticators) | undefined
  /** What the modules of custom policies export; absent: none is loaded. */
  readonly customPolicies?: CustomPolicies | undefined
  /** Which custom policy runs, for main to see; absent: nobody looks. */
  readonly running?: Float64Array | undefined
  /** How what stands behind is made; absent: as the configuration says. */
  readonly createService?: ((spec: ServiceSpec, env: BuildEnv) => NamedService) | undefined
}

/**
 * Compiles a configuration, doing everything that can fail. Throws (or rejects) with a message for the operator. What is the same
 * in the Generation `before` may be taken over.
 */
export type CompileGeneration = (model: GatewayModel, env: GenerationEnv, before?: Generation) => MaybePromise<Generation>

/** The parts that a worker is put together from. */
export interface WorkerParts {
  readonly compile: CompileGeneration
  readonly createWire: (kind: ListenerModel['wire'], options: ServerWireOptions) => ServerWire
}

interface Prepared {
  readonly id: number
  readonly model: GatewayModel
  readonly generation: Generation
  readonly listeners: PreparedListeners
  readonly logLevel: LogLevel
}

/**
 * The data path of one thread. It does what main says (prepare, commit, discard, drain) and shows that its event loop
 * turns; `main.receive` takes each message of main's.
 */
export class GatewayWorker {
  readonly #port: Port<ToMain>
  readonly #birth: WorkerBirth
  readonly #parts: WorkerParts
  readonly #link: WorkerLink
  readonly #lines: LineSender
  readonly #spans: SpanSender
  readonly #traceIds = createTraceIds()
  readonly #listeners: Listeners
  readonly #current = new CurrentGeneration()
  readonly #challenges: ChallengeAnswers
  readonly #lasting = new Lasting()
  readonly #env: Omit<GenerationEnv, 'hold' | 'accessLog'>
  readonly #beats: NodeJS.Timeout
  readonly #resources: Closable
  readonly #log: WorkerLog
  readonly #uncaught: Count
  #isFaulty = false
  #prepared: Prepared | undefined
  #served: Pick<Prepared, 'id' | 'model'> | undefined
  /** The Generation that the next one may take things over from. After one that was not served: none, since both had a hand on them. */
  #before: Generation | undefined
  /** The latest order that main no longer wants, in case it was still being prepared. */
  #discardedId = 0

  constructor(port: Port<ToMain>, birth: WorkerBirth, parts: WorkerParts) {
    const clock = systemClock
    const { worker, workers, shared } = birth
    const row = metricsRow(shared.metrics, worker)
    const log = new WorkerLog(port, clock, worker)
    const meter = new RowMeter(
      row,
      (entries) => port.post({ kind: 'series', entries }),
      () => log.error('there is no room for further metrics: new series are not counted'),
    )
    const sweeper = new Sweeper(clock)
    this.#port = port
    this.#log = log
    this.#uncaught = meter.counter('velum_uncaught_errors_total', 'Errors in workers that nobody caught.')
    this.#birth = birth
    this.#parts = parts
    this.#link = new WorkerLink(port)
    this.#lines = new LineSender({ port, clock, meter })
    this.#spans = new SpanSender({ link: this.#link, clock, meter })
    this.#listeners = new Listeners({
      clock,
      sweeper,
      meter,
      log,
      reusePort: birth.reusePort,
      sharers: birth.sharers,
      edges: shared.edges === undefined ? undefined : createLimitTable(shared.edges, worker, clock),
      served: (listener) => this.#current.served(listener),
      createWire: parts.createWire,
    })
    this.#challenges = new ChallengeAnswers(clock)
    const isMisdirected = (x: Exchange): boolean => this.#listeners.isMisdirected(x)
    this.#env = {
      clock,
      sweeper,
      log,
      meter,
      link: this.#link,
      stores: createLinkedStores(this.#link, clock, log),
      shared,
      worker,
      workers,
      isMisdirected,
      challenges: this.#challenges,
      running: runningSlot(row),
      requests: new RequestNotes(this.#link, clock, worker),
    }
    this.#link.hear(toldTopics.ticketKeys, (keys) => this.#listeners.setTicketKeys(keys as Uint8Array))
    this.#link.hear(toldTopics.challenges, (live) => this.#challenges.replace(live as readonly LiveChallenge[]))
    this.#link.hear(toldTopics.certificates, (message) => {
      const { listener, material } = message as { listener: string; material: TlsMaterial }
      try {
        this.#listeners.updateCertificates(listener, material)
      } catch (error) {
        log.error('new certificates are unusable; the ones before stay', { listener, error })
      }
    })
    answerExplain(this.#link, worker, () => this.#current.generation?.explain)
    beat(row)
    this.#beats = setInterval(() => beat(row), birth.beatMs)
    this.#beats.unref()
    this.#resources = createResourceGauges({ meter, clock, thread: String(worker), exchanges: () => this.#current })
  }

  /** Takes a message of main's. */
  receive(message: ToWorker): void {
    if (this.#link.receive(message)) return
    if (message.kind === 'prepare') void this.#prepare(message.id, message.order, message.describe)
    else if (message.kind === 'commit') this.#commit(message.id)
    else if (message.kind === 'discard') this.#discard(message.id)
    else if (message.kind === 'mark') this.#port.post({ kind: 'marked', id: message.id })
    else if (message.kind === 'logged') this.#lines.takeBack(message.buffer)
    else if (message.kind === 'close-ports') {
      this.#listeners.closePorts()
      this.#port.post({ kind: 'ports-closed' })
    } else if (message.kind === 'drain') void this.#drain(message.idleMs)
  }

  /** Something was thrown where nobody caught it: the thread's state is in doubt, so main replaces it with care. */
  faulty(thrown: unknown): void {
    this.#uncaught.add()
    if (this.#isFaulty) return this.#log.error('something more was thrown where nobody caught it', { error: thrown })
    this.#isFaulty = true
    const stack = thrown instanceof Error ? thrown.stack : undefined
    this.#port.post({ kind: 'faulty', message: cloneError(thrown).message, stack })
  }

  /** Main is gone, or this worker is to end now. */
  close(): void {
    clearInterval(this.#beats)
    this.#resources.close()
    this.#env.requests?.close()
    this.#listeners.close()
    void this.#env.stores?.close()
    this.#link.close()
    this.#env.sweeper.close()
  }

  async #prepare(id: number, packed: PackedOrder, describe: Describe): Promise<void> {
    const hold = this.#lasting.hold()
    const { clock } = this.#env
    const before = this.#before
    this.#before = undefined
    this.#challenges.replace(packed.challenges ?? [])
    try {
      if (packed.before !== this.#served?.id) throw new Error('the configuration was told by another one than this worker serves')
      const model = await inSlices(unpacking(packed.model, this.#served?.model), clock)
      const order = { ...packed, model }
      const generation = await this.#compile(model, hold, before)
      let listeners: PreparedListeners
      try {
        await generation.ready
        listeners = await this.#listeners.prepare(order)
      } catch (thrown) {
        generation.close()
        throw thrown
      }
      const prepared: Prepared = { id, model, generation, listeners, logLevel: model.log.level }
      // Given up while it was prepared; a later one may be waiting for its commit by now, or serve.
      if (this.#discardedId >= id) return this.#letGo(prepared)
      this.#prepared = prepared
      const tell = (part: RowsDelta[number]): void => this.#port.post({ kind: 'rows', id, part })
      const known = describe === 'changes' ? this.#current.generation?.routes : undefined
      if (describe !== undefined) await inSlices(describing(generation.routes, known ?? [], tell), clock)
      this.#port.post({ kind: 'prepared', id })
    } catch (thrown) {
      hold.close()
      this.#port.post({ kind: 'failed', id, message: cloneError(thrown).message })
    }
  }

  async #compile(model: GatewayModel, hold: Hold, before: Generation | undefined): Promise<Generation> {
    const accessLog =
      model.log.format === 'none'
        ? noAccessLog
        : createAccessLog(this.#lines, this.#env.clock, accessTexts(model, this.#birth.worker))
    const traces =
      model.telemetry === undefined
        ? undefined
        : createTraces({
            gateway: model.name,
            sample: model.telemetry.sample,
            sender: this.#spans,
            clock: this.#env.clock,
            ids: this.#traceIds,
          })
    return this.#parts.compile(model, { ...this.#env, hold, accessLog, traces }, before)
  }

  #commit(id: number): void {
    const prepared = this.#prepared
    if (prepared?.id !== id) return
    this.#prepared = undefined
    this.#log.setLevel(prepared.logLevel)
    this.#current.commit(prepared.generation)
    this.#served = { id, model: prepared.model }
    this.#before = prepared.generation
    prepared.listeners.commit()
    this.#port.post({ kind: 'committed', id })
  }

  #discard(id: number): void {
    this.#discardedId = id
    const prepared = this.#prepared
    if (prepared?.id !== id) return
    this.#prepared = undefined
    this.#letGo(prepared)
  }

  /** Of what was prepared and is not served. It had a hand on what outlives Generations, so that the next one takes nothing over. */
  #letGo({ listeners, generation }: Prepared): void {
    this.#before = undefined
    listeners.discard()
    generation.close()
  }

  async #drain(idleMs: number): Promise<void> {
    await this.#listeners.drain(idleMs)
    this.#lines.flush()
    await this.#spans.flushed()
    this.#port.post({ kind: 'drained' })
  }
}
