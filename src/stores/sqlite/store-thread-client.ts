import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { Clock, Timer } from '../../core/clock.ts'
import { Fault } from '../../core/fault.ts'
import type { Log } from '../../core/log.ts'
import { StoreUnusable } from '../../core/stores.ts'
import { Deadlines } from '../../core/deadlines.ts'
import type { Wait } from '../../core/deadlines.ts'
import type { CallReply } from '../link-messages.ts'
import type { PackedMessage, StoreCall } from '../store-verbs.ts'
import type { BatchReply } from './batch.ts'
import { StoreTaken } from './gateway-lock.ts'
import type { FromStoreThread, StoreThreadBirth, ToStoreThread } from './thread-messages.ts'

export interface StoreThreadOptions {
  readonly file: string
  readonly clock: Clock
  readonly log: Log
  /** Messages that are on the disk now; heard before the calls that appended them are answered. */
  readonly appended: (messages: readonly PackedMessage[]) => void
  readonly died: () => void
  /** A new thread serves in the place of one that died: messages may have been missed. */
  readonly restarted: () => void
  /** Longest wait for an answer. */
  readonly answerMs?: number
  /** The module that the thread runs. */
  readonly entry?: URL
}

interface Pending {
  readonly call: StoreCall
  readonly resolve: (value: unknown) => void
  readonly reject: (why: Error) => void
  readonly wait: Wait
}

const defaultAnswerMs = 1000
/** Calls in one commit: what a slow disk has to take at once. */
const maxBatch = 256
/** Calls that may wait. Past it the store is as good as down. */
const maxQueued = 10_000
const firstRestartMs = 100
const lastRestartMs = 5000
const maxCloseMs = 2000

// tsc rewrites imports, not URLs: sources run as .ts, the published package as .js.
const threadUrl = new URL(`./store-thread${extname(import.meta.filename)}`, import.meta.url)

/**
 * Main's end of the store thread. One batch is under way at a time; what is called meanwhile is the next batch, so the
 * slower the disk, the more calls share a commit. A thread that stays silent makes every call fail at once until it
 * speaks again; one that dies is replaced.
 */
export class StoreThreadClient {
  readonly #options: StoreThreadOptions
  readonly #deadlines: Deadlines
  readonly #queue: Pending[] = []
  #sent: Pending[] = []
  #thread: Worker | undefined
  #isServing = false
  #isSilent = false
  #isClosed = false
  #hasServed = false
  #isFlushQueued = false
  #restartMs = firstRestartMs
  #restart: Timer | undefined
  #started: { resolve: () => void; reject: (why: Error) => void } | undefined

  constructor(options: StoreThreadOptions) {
    this.#options = options
    this.#deadlines = new Deadlines(options.clock, options.answerMs ?? defaultAnswerMs)
  }

  get isUp(): boolean {
    return this.#isServing && !this.#isSilent
  }

  /** Resolves when the first thread serves; rejects with `StoreUnusable`. */
  start(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#started = { resolve, reject }
      this.#spawn()
    })
  }

  /** Rejects with `store-down` when there is no answer in time, or cannot be one. */
  call(call: StoreCall): Promise<unknown> {
    if (!this.isUp) return Promise.reject(down(this.#isClosed ? 'the store is closed' : 'the store does not answer'))
    if (this.#queue.length >= maxQueued) return Promise.reject(down('too many calls wait for the store'))
    return new Promise((resolve, reject) => {
      const wait = this.#deadlines.add(() => {
        this.#isSilent = this.#sent.length > 0
        reject(down('the store did not answer in time'))
      })
      this.#queue.push({ call, resolve, reject, wait })
      if (this.#isFlushQueued || this.#sent.length > 0) return
      // At the end of this turn: what is called in one turn is one batch.
      this.#isFlushQueued = true
      queueMicrotask(() => this.#flush())
    })
  }

  /** What is under way ends with `store-down`; resolves when the file is closed. */
  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#isServing = false
    this.#restart?.cancel()
    this.#failAll('the store is closed')
    this.#deadlines.endAll()
    const thread = this.#thread
    if (thread === undefined) return
    const ended = new Promise<void>((resolve) => thread.once('exit', () => resolve()))
    this.#post({ kind: 'close' })
    const timer = this.#options.clock.after(maxCloseMs, () => void thread.terminate())
    await ended
    timer.cancel()
  }

  #spawn(): void {
    const birth: StoreThreadBirth = { file: this.#options.file }
    const thread = new Worker(this.#options.entry ?? threadUrl, { workerData: birth, name: 'velum store' })
    let why: string | undefined
    let isTaken = false
    this.#thread = thread
    thread.on('message', (message: FromStoreThread) => {
      if (message.kind === 'ready') this.#ready()
      else if (message.kind === 'reply') this.#receive(message)
      else ({ message: why, isTaken } = message)
    })
    thread.on('error', (error) => {
      why ??= error instanceof Error ? error.message : String(error)
    })
    thread.on('exit', (code) => this.#ended(why ?? `the thread ended with code ${code}`, isTaken))
  }

  #ready(): void {
    if (this.#isClosed) return
    this.#isServing = true
    this.#isSilent = false
    this.#restartMs = firstRestartMs
    this.#started?.resolve()
    this.#started = undefined
    if (this.#hasServed) this.#options.restarted()
    this.#hasServed = true
  }

  #ended(why: string, isTaken: boolean): void {
    this.#thread = undefined
    this.#isServing = false
    this.#failAll('the store thread has ended')
    if (this.#isClosed) return
    if (this.#started !== undefined) {
      this.#isClosed = true
      this.#started.reject(isTaken ? new StoreTaken(why) : new StoreUnusable(why))
      return
    }
    this.#options.died()
    this.#options.log.error('the store thread has ended and is started again', { error: why, afterMs: this.#restartMs })
    this.#restart = this.#options.clock.after(this.#restartMs, () => this.#spawn())
    this.#restartMs = Math.min(this.#restartMs * 2, lastRestartMs)
  }

  #flush(): void {
    this.#isFlushQueued = false
    if (!this.#isServing || this.#sent.length > 0) return
    const batch: Pending[] = []
    const taken = this.#queue.splice(0, maxBatch)
    for (const pending of taken) if (!pending.wait.isOver) batch.push(pending)
    if (batch.length === 0) return
    this.#sent = batch
    this.#post({ kind: 'batch', now: this.#options.clock.now(), calls: batch.map(({ call }) => call) })
  }

  #receive({ replies, messages }: BatchReply): void {
    const sent = this.#sent
    this.#sent = []
    this.#isSilent = false
    if (messages.length > 0) this.#options.appended(messages)
    for (let i = 0; i < sent.length; i++) settle(sent[i], replies[i])
    while (this.#queue.length > 0 && this.#sent.length === 0) this.#flush()
  }

  #failAll(why: string): void {
    for (const pending of [...this.#sent.splice(0), ...this.#queue.splice(0)]) {
      if (pending.wait.isOver) continue
      pending.wait.isOver = true
      pending.reject(down(why))
    }
  }

  #post(message: ToStoreThread): void {
    this.#thread?.postMessage(message)
  }
}

function settle({ wait, resolve, reject }: Pending, reply: CallReply): void {
  if (wait.isOver) return
  wait.isOver = true
  if (reply.fault === undefined) resolve(reply.value)
  else reject(new Fault(reply.fault, reply.message))
}

function down(why: string): Fault {
  return new Fault('store-down', why)
}
