import { availableParallelism } from 'node:os'
import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { Clock } from '../../core/clock.ts'
import type { HashCost } from './hash-cost.ts'
import { defaultPasswords } from '../identity-spec.ts'
import type { HashResult, HashTask } from './hash-messages.ts'

/** Too many passwords wait to be hashed. `retryAfterMs`: when there should be room. */
export class HashQueueFull extends Error {
  readonly retryAfterMs: number

  constructor(retryAfterMs: number) {
    super('too many passwords wait to be hashed')
    this.name = 'HashQueueFull'
    this.retryAfterMs = retryAfterMs
  }
}

/** A thread as its owner sees it. */
export interface HashThread {
  post(task: HashTask): void
  /** `result` undefined: the thread has ended. */
  heard(listener: (result: HashResult | undefined) => void): void
  end(): Promise<void>
}

export interface PasswordThreadsOptions {
  readonly clock: Clock
  readonly cost?: HashCost
  /** At most the number of cores; default 2, or 1 on a machine with a single core. */
  readonly threads?: number
  /** Passwords that may wait, apart from those being hashed; default 64. */
  readonly maxQueued?: number
  /** Default: real threads. */
  readonly startThread?: () => HashThread
}

interface Job {
  readonly task: HashTask
  readonly resolve: (value: string | boolean) => void
  readonly reject: (why: Error) => void
}

interface Seat {
  thread: HashThread | undefined
  job: Job | undefined
  startedAt: number
}

/** What one hash is taken to last before one was measured. */
const firstGuessMs = 50

// tsc rewrites imports, not URLs: sources run as .ts, the published package as .js.
const threadUrl = new URL(`./hash-thread${extname(import.meta.filename)}`, import.meta.url)

/**
 * A few threads that hash passwords behind a short queue. Hashing is what a flood of logins would spend the machine on:
 * never more than these threads are busy with it, and what does not fit the queue is refused at once. Threads start
 * when the first password comes.
 */
export class PasswordThreads {
  readonly cost: HashCost
  readonly #clock: Clock
  readonly #maxQueued: number
  readonly #startThread: () => HashThread
  readonly #seats: readonly Seat[]
  readonly #queue: Job[] = []
  #averageMs = firstGuessMs
  #decoy: Promise<string> | undefined
  #isRetired = false
  #isClosed = false

  constructor(options: PasswordThreadsOptions) {
    const cores = availableParallelism()
    const count = Math.max(1, Math.min(options.threads ?? 2, cores))
    this.cost = options.cost ?? defaultPasswords
    this.#clock = options.clock
    this.#maxQueued = options.maxQueued ?? 64
    this.#startThread = options.startThread ?? startWorker
    this.#seats = Array.from({ length: count }, () => ({ thread: undefined, job: undefined, startedAt: 0 }))
  }

  /** How many passwords wait or are being hashed. */
  get size(): number {
    return this.#queue.length + this.#seats.filter(({ job }) => job !== undefined).length
  }

  /** How many passwords may wait or be hashed at a time. */
  get capacity(): number {
    return this.#maxQueued + this.#seats.length
  }

  /** About how long a password waits that comes now. */
  get waitMs(): number {
    return (this.#queue.length * this.#averageMs) / this.#seats.length
  }

  /** The PHC string of a password. Rejects with `HashQueueFull`. */
  async hash(password: string): Promise<string> {
    return (await this.#run({ kind: 'hash', password, cost: this.cost })) as string
  }

  /**
   * Whether this is the password of a stored hash. Without one (`undefined`) a hash that nobody knows the password of is
   * asked at the same cost, so that who does not exist takes as long as who does. Rejects with `HashQueueFull`.
   */
  async verify(password: string, phc: string | undefined): Promise<boolean> {
    // Made before the first password of anybody is judged: the first stranger must not take twice as long.
    const decoy = await this.#decoyHash()
    const isSame = (await this.#run({ kind: 'verify', password, phc: phc ?? decoy })) as boolean
    return isSame && phc !== undefined
  }

  /** Ends the threads when what waits is done: another one takes its place. */
  async closeWhenIdle(): Promise<void> {
    this.#isRetired = true
    if (this.size === 0) await this.close()
  }

  /** Ends the threads; what waits is rejected. */
  async close(): Promise<void> {
    this.#isClosed = true
    const threads = this.#seats.map(({ thread }) => thread)
    const pending = [...this.#queue.splice(0), ...this.#seats.flatMap(({ job }) => job ?? [])]
    for (const seat of this.#seats) {
      seat.thread = undefined
      seat.job = undefined
    }
    for (const { reject } of pending) reject(new Error('passwords are not hashed any more'))
    await Promise.all(threads.map(async (thread) => thread?.end()))
  }

  #decoyHash(): Promise<string> {
    this.#decoy ??= this.hash(crypto.randomUUID()).catch((thrown: unknown) => {
      this.#decoy = undefined
      throw thrown
    })
    return this.#decoy
  }

  #run(task: HashTask): Promise<string | boolean> {
    // A retired one still serves who holds it: a verification is two tasks when it is the first.
    if (this.#isClosed) return Promise.reject(new Error('passwords are not hashed any more'))
    const isFree = this.#seats.some(({ job }) => job === undefined)
    if (!isFree && this.#queue.length >= this.#maxQueued) {
      return Promise.reject(new HashQueueFull(this.waitMs))
    }
    return new Promise((resolve, reject) => {
      this.#queue.push({ task, resolve, reject })
      this.#next()
    })
  }

  #next(): void {
    for (const seat of this.#seats) {
      if (seat.job !== undefined) continue
      const job = this.#queue.shift()
      if (job === undefined) return
      seat.job = job
      seat.startedAt = this.#clock.monotonic()
      seat.thread ??= this.#start(seat)
      seat.thread.post(job.task)
    }
  }

  #start(seat: Seat): HashThread {
    const thread = this.#startThread()
    thread.heard((result) => {
      // A thread that died is replaced for the next password; the one it had cannot be judged.
      if (result === undefined) {
        if (seat.thread !== thread) return
        seat.thread = undefined
      }
      const { job } = seat
      seat.job = undefined
      if (job !== undefined) {
        if (result === undefined) job.reject(new Error('the hashing thread has ended'))
        else if ('error' in result) job.reject(new Error(result.error))
        else {
          this.#averageMs += (this.#clock.monotonic() - seat.startedAt - this.#averageMs) / 8
          job.resolve(result.value)
        }
      }
      if (this.#isClosed) return
      this.#next()
      if (this.#isRetired && this.size === 0) void this.close()
    })
    return thread
  }
}

function startWorker(): HashThread {
  const thread = new Worker(threadUrl, { name: 'velum passwords' })
  // An idle thread keeps no process alive; one at work does.
  thread.unref()
  return {
    post(task) {
      thread.ref()
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- threads have no origins
      thread.postMessage(task)
    },
    heard(listener) {
      thread.on('message', (result: HashResult) => {
        thread.unref()
        listener(result)
      })
      thread.on('error', () => {})
      thread.on('exit', () => listener(undefined))
    },
    async end() {
      await thread.terminate()
    },
  }
}
