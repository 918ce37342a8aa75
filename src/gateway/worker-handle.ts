import type { EventLoopUtilization } from 'node:perf_hooks'
import { Worker } from 'node:worker_threads'
import type { GatewayModel } from '../config/model.ts'
import { portTo } from './messages.ts'
import type { Describe, PackedOrder, Port, RowsDelta, ToMain, ToWorker, WorkerBirth } from './messages.ts'

/**
 * Where a worker is in its life: it has not served yet; it serves; it serves although something broke in it; it was
 * told to end; it has ended.
 */
export type WorkerState = 'starting' | 'serving' | 'faulty' | 'draining' | 'dead'

/** What a handle tells its supervisor. */
export interface WorkerEvents {
  /** A message that is not about preparing, committing or draining. */
  said(handle: WorkerHandle, message: ToMain): void
  /** The thread is gone, for whatever reason; said exactly once. */
  ended(handle: WorkerHandle, why: string): void
}

interface Waiting {
  readonly id: number
  readonly until: 'prepared' | 'committed' | 'ports-closed' | 'drained' | 'marked'
  /** What was described so far. */
  readonly rows: RowsDelta[number][]
  resolve(): void
  reject(why: Error): void
}

/** Main's end of one worker thread. */
export class WorkerHandle implements Port<ToWorker> {
  readonly number: number
  readonly row: Float64Array
  state: WorkerState = 'starting'
  /** The heartbeat when it was last looked at, and how often in a row it had not moved. */
  lastBeat = 0
  missedBeats = 0
  /** Whether its supervisor has given it up and looks for a successor. */
  isLost = false
  hasServed = false
  /** The order that it committed last. */
  served: { readonly id: number; readonly model: GatewayModel } | undefined
  readonly #thread: Worker
  readonly #port: Port<ToWorker>
  readonly #events: WorkerEvents
  #waiting: Waiting[] = []
  #why: string | undefined
  #utilizationBefore: EventLoopUtilization | undefined

  constructor(entry: URL, birth: WorkerBirth, row: Float64Array, events: WorkerEvents) {
    this.number = birth.worker
    this.row = row
    this.#events = events
    this.#thread = new Worker(entry, { workerData: birth, name: `velum worker ${birth.worker}` })
    this.#port = portTo(this.#thread)
    this.#thread.on('message', (message: ToMain) => this.#receive(message))
    this.#thread.on('error', (error) => {
      this.#why ??= error instanceof Error ? error.message : String(error)
    })
    this.#thread.on('exit', (code) => this.#ended(code))
  }

  post(message: ToWorker, transfer?: ArrayBuffer[]): void {
    if (this.state !== 'dead') this.#port.post(message, transfer)
  }

  /** Rejects with the worker's words when it cannot serve this. Resolves with the route table, told as `describe` says. */
  prepare(id: number, order: PackedOrder, describe: Describe): Promise<RowsDelta> {
    return this.#ask({ kind: 'prepare', id, order, describe }, id, 'prepared')
  }

  async commit(id: number): Promise<void> {
    await this.#ask({ kind: 'commit', id }, id, 'committed')
  }

  discard(id: number): void {
    this.post({ kind: 'discard', id })
  }

  /** Accepts no more; resolves when that is so. Rejects when it dies before. */
  async closePorts(): Promise<void> {
    this.state = 'draining'
    await this.#ask({ kind: 'close-ports' }, 0, 'ports-closed')
  }

  /** Accepts no more, ends idle connections after `idleMs`; resolves when its last one is done. Rejects when it dies before. */
  async drain(idleMs: number): Promise<void> {
    this.state = 'draining'
    await this.#ask({ kind: 'drain', idleMs }, 0, 'drained')
  }

  /** Resolves when it has taken every message that was sent before. Rejects when it dies before. */
  async mark(id: number): Promise<void> {
    await this.#ask({ kind: 'mark', id }, id, 'marked')
  }

  /** Ends the thread now, whatever it does. Resolves when it is gone. */
  async terminate(why: string): Promise<void> {
    this.#why ??= why
    await this.#thread.terminate()
  }

  /** The share of time its event loop was busy since the last call, 0 to 1. */
  utilization(): number {
    const { performance } = this.#thread
    const now = performance.eventLoopUtilization()
    const since = this.#utilizationBefore === undefined ? now : performance.eventLoopUtilization(now, this.#utilizationBefore)
    this.#utilizationBefore = now
    return since.utilization
  }

  #ask(message: ToWorker, id: number, until: Waiting['until']): Promise<RowsDelta> {
    if (this.state === 'dead') return Promise.reject(new Error(`worker ${this.number} is gone`))
    return new Promise((resolve, reject) => {
      const rows: RowsDelta[number][] = []
      this.#waiting.push({ id, until, rows, resolve: () => resolve(rows), reject })
      this.#port.post(message)
    })
  }

  #receive(message: ToMain): void {
    if (message.kind === 'prepared') this.#settle(message.id, 'prepared', (w) => w.resolve())
    else if (message.kind === 'rows') this.#find(message.id, 'prepared')?.rows.push(message.part)
    else if (message.kind === 'failed') this.#settle(message.id, 'prepared', (w) => w.reject(new Error(message.message)))
    else if (message.kind === 'committed') this.#settle(message.id, 'committed', (w) => w.resolve())
    else if (message.kind === 'marked') this.#settle(message.id, 'marked', (w) => w.resolve())
    else if (message.kind === 'ports-closed' || message.kind === 'drained') this.#settle(0, message.kind, (w) => w.resolve())
    else this.#events.said(this, message)
  }

  #find(id: number, until: Waiting['until']): Waiting | undefined {
    return this.#waiting.find((w) => w.id === id && w.until === until)
  }

  #settle(id: number, until: Waiting['until'], settle: (waiting: Waiting) => void): void {
    const waiting = this.#find(id, until)
    if (waiting === undefined) return
    this.#waiting = this.#waiting.filter((w) => w !== waiting)
    settle(waiting)
  }

  #ended(code: number): void {
    const why = this.#why ?? `the thread ended with code ${code}`
    this.state = 'dead'
    for (const waiting of this.#waiting.splice(0)) waiting.reject(new Error(`worker ${this.number} died: ${why}`))
    this.#events.ended(this, why)
  }
}
