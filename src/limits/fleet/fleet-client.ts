import type { BudgetCall, BudgetHolders, BudgetLevel, BudgetReply, BudgetState, BudgetStore } from '../../core/budgets.ts'
import type { Clock, Timer } from '../../core/clock.ts'
import type { MaybePromise } from '../../core/handler.ts'
import type { Closable } from '../../core/lasting.ts'
import { FleetBreaker, storeDown } from './fleet-breaker.ts'
import type { FleetLimit } from './fleet-limit.ts'
import { Leases } from './leases.ts'
import { Places } from './places.ts'
import type { PlaceWord } from './places.ts'
import { Refusals } from './refusals.ts'

/** The levels of one step that a fleet shares, for one request. */
export interface FleetStep {
  /** Equal for requests that take the same of the same budgets. */
  readonly id: string
  readonly levels: readonly BudgetLevel[]
  readonly limits: readonly FleetLimit[]
  /** Whether one of them counts what is under way. */
  readonly hasPlaces: boolean
  /** Whether one of them is never prepaid, and so none is. */
  readonly isExact: boolean
}

export interface FleetClientOptions {
  readonly store: BudgetStore
  readonly clock: Clock
  /** Names of this node and of this holder within it, unique in the fleet. */
  readonly node: string
  readonly holder: string
  /** Longest wait for the store; 15 ms. */
  readonly deadlineMs?: number
  /** When what was asked in one turn goes to the store. Default: when the turn of the event loop is over. */
  readonly schedule?: (run: () => void) => void
}

const greetEveryMs = 500
/** A holder who has not been heard of for so long counts no longer: it has lost its leases by then. */
const forgetMs = 3000
/** A new holder prepays nothing until all others know that it is there. */
const settleMs = 2 * greetEveryMs

/** How long a start waits for a store that does not answer, and how often it asks. */
const startMs = 2000
const startAgainMs = 50

interface Waiting {
  readonly resolve: (reply: BudgetReply) => void
  readonly reject: (thrown: unknown) => void
}

/** Calls that go to the store together: equal charges are one call. */
interface Queued {
  readonly verb: BudgetCall['verb']
  readonly step: FleetStep
  /** Requests, whether or not somebody waits for the answer. */
  count: number
  readonly waiting: Waiting[]
}

/** A message that is under way: the corrections of a batch, the words, the charges. */
interface Sent {
  readonly batch: readonly Queued[]
  readonly extras: readonly number[]
  readonly words: readonly PlaceWord[]
  /** Where the words begin among the calls. */
  readonly first: number
}

/**
 * One holder's access to the budgets of the fleet. Equal requests of one turn are one call, all calls of a turn one
 * message; large limits are prepaid in small leases; who was refused is refused here until its time, at most a second.
 */
export class FleetClient implements Closable {
  readonly #store: BudgetStore
  readonly #clock: Clock
  readonly #options: FleetClientOptions
  readonly #breaker: FleetBreaker
  readonly #schedule: (run: () => void) => void
  readonly #leases: Leases
  readonly #refusals: Refusals
  readonly #places: Places
  // Both are replaced when they are sent: V8 chains a map that is cleared to its contents before, which outlive many collections.
  #charges = new Map<string, Queued>()
  #others: Queued[] = []
  #isScheduled = false
  #fleet: BudgetHolders = { holders: 1, nodes: 1 }
  #settledAt = Infinity
  /** Until then a store that has forgotten is told what was used. */
  #learnsUntil = -Infinity
  /** Until then it may not have heard of all holders. */
  #unsureUntil = -Infinity
  #greeting: Timer | undefined
  #isClosed = false

  constructor(options: FleetClientOptions) {
    this.#options = options
    this.#store = options.store
    this.#clock = options.clock
    this.#schedule = options.schedule ?? ((run) => void setImmediate(run))
    this.#breaker = new FleetBreaker(options.clock, options.deadlineMs ?? 15, () => options.store.run([]))
    this.#leases = new Leases(options.clock, (step, count) => this.#giveBack(step, count))
    this.#refusals = new Refusals(options.clock)
    this.#places = new Places(options.clock, () => this.#sendSoon())
    options.store.whenForgotten((forMs) => {
      this.#learnsUntil = options.clock.monotonic() + forMs
      this.#unsureUntil = Math.max(this.#unsureUntil, options.clock.monotonic() + forgetMs)
      this.#places.doubtAll()
    })
  }

  /** Introduces this holder, and goes on doing so. Resolves when the store has answered, or will not for now. */
  async start(): Promise<void> {
    await this.#greet()
    for (let waitedMs = 0; this.#settledAt === Infinity && waitedMs < startMs && !this.#isClosed; waitedMs += startAgainMs) {
      await new Promise<void>((resolve) => void this.#clock.after(startAgainMs, resolve))
      await this.#greet()
    }
    this.#greetAgain()
  }

  get isDown(): boolean {
    return this.#breaker.isOpen
  }

  /** How many share the budgets, as last heard. */
  get fleet(): BudgetHolders {
    return this.#fleet
  }

  /** Takes for one request: granted is 1 or 0. Rejects with `store-down`. */
  charge(step: FleetStep): MaybePromise<BudgetReply> {
    const refused = this.#refusals.find(step.id)
    if (refused !== undefined) return refused
    const leased = step.isExact ? undefined : this.#leases.spend(step)
    if (leased !== undefined) return leased
    if (this.#breaker.isOpen) throw storeDown()
    return new Promise((resolve, reject) => {
      const waiting = { resolve, reject }
      const queued = this.#charges.get(step.id)
      if (queued !== undefined) {
        queued.count++
        queued.waiting.push(waiting)
      } else if (step.limits.some(({ kind }) => kind === 'leaky-queue')) {
        // Each has a place of its own.
        this.#put({ verb: 'charge', step, count: 1, waiting: [waiting] })
      } else {
        this.#charges.set(step.id, { verb: 'charge', step, count: 1, waiting: [waiting] })
        this.#sendSoon()
      }
    })
  }

  /** A request passed without the store: what it has under way counts all the same. */
  passedWithout(step: FleetStep): void {
    if (step.hasPlaces) this.#places.passed(step)
  }

  /** Everything that takes no decision: `peek`, `credit`, `debit`. */
  ask(verb: 'peek' | 'credit' | 'debit', step: FleetStep): Promise<BudgetReply> {
    // What comes back, or is taken, may change what was refused.
    if (verb === 'credit') {
      this.#refusals.forget(step.id)
      if (step.hasPlaces) this.#places.ended(step, 1)
    }
    return new Promise((resolve, reject) => this.#put({ verb, step, count: 1, waiting: [{ resolve, reject }] }))
  }

  /** Returns what is prepaid and takes leave. */
  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#greeting?.cancel()
    this.#leases.close()
    this.#send()
    const released = this.#places.close()
    if (released.length > 0) this.#store.run(released).catch(() => undefined)
    this.#breaker.close()
    const end = (): void => this.#store.close()
    this.#store.leave(this.#options.node, this.#options.holder).then(end, end)
  }

  #put(queued: Queued): void {
    this.#others.push(queued)
    this.#sendSoon()
  }

  #giveBack(step: FleetStep, count: number): void {
    this.#put({ verb: 'credit', step, count, waiting: [] })
  }

  #sendSoon(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    this.#schedule(() => {
      this.#isScheduled = false
      this.#send()
    })
  }

  #send(): void {
    const corrections = merged(this.#others)
    const words = this.#places.words()
    const batch = [...corrections, ...this.#charges.values()]
    this.#others = []
    this.#charges = new Map()
    if (batch.length === 0 && words.length === 0) return
    const now = this.#clock.monotonic()
    const mayPrepay = !this.#isClosed && now >= this.#settledAt && now >= this.#learnsUntil
    const extras: number[] = []
    const calls = batch.map(({ verb, step, count }): BudgetCall => {
      const extra = mayPrepay && verb === 'charge' && !step.isExact ? this.#leases.reserve(step, count, this.#fleet.holders) : 0
      extras.push(extra)
      if (step.hasPlaces && verb === 'charge') this.#places.asked(step, count)
      return { verb, count: count + extra, levels: step.levels }
    })
    // The store carries out in order: what is given back, what is under way, what is asked for.
    const first = corrections.length
    for (const { call } of words) calls.splice(first, 0, call)
    const sent = { batch, extras, words, first }
    this.#breaker
      .guard(
        () => this.#store.run(calls),
        (late) => this.#undo(calls, late),
      )
      .then(
        (replies) => this.#receive(sent, replies),
        (thrown: unknown) => this.#receive(sent, undefined, thrown),
      )
  }

  #receive(
    { batch, extras, words, first }: Sent,
    replies: readonly (BudgetReply | undefined)[] | undefined,
    thrown?: unknown,
  ): void {
    for (const [i, word] of words.entries()) this.#places.told(word, replies?.[first + words.length - 1 - i] !== undefined)
    for (let i = 0; i < batch.length; i++) {
      const reply = replies?.[i < first ? i : i + words.length]
      if (reply === undefined) this.#fail(batch[i], extras[i], thrown ?? storeDown())
      else this.#conclude(batch[i], extras[i], reply)
    }
  }

  #fail({ verb, step, count, waiting }: Queued, extra: number, thrown: unknown): void {
    this.#leases.fill(step, extra, 0, undefined)
    if (step.hasPlaces) {
      if (verb === 'charge') this.#places.answered(step, count, 0)
      this.#places.doubt(step)
    }
    for (const { reject } of waiting) reject(thrown)
  }

  #conclude({ verb, step, count, waiting }: Queued, extra: number, reply: BudgetReply): void {
    if (verb !== 'charge') {
      for (const { resolve } of waiting) resolve(reply)
      return
    }
    if (step.hasPlaces) this.#places.answered(step, count, reply.granted)
    const granted = Math.min(reply.granted, waiting.length)
    this.#leases.fill(step, extra, reply.granted - granted, reply)
    for (let i = 0; i < waiting.length; i++) {
      waiting[i].resolve(i < granted ? passedAs(reply, step, reply.granted - 1 - i) : { granted: 0, levels: reply.levels })
    }
    if (granted < waiting.length) this.#refusals.remember(step, reply)
  }

  /** Those who waited were told that the store is down, and went on without it. What is under way is told anew anyhow. */
  #undo(calls: readonly BudgetCall[], replies: readonly (BudgetReply | undefined)[]): void {
    const credits: BudgetCall[] = []
    for (const [i, { verb, levels }] of calls.entries()) {
      const granted = replies[i]?.granted ?? 0
      const returned = verb === 'charge' && granted > 0 ? levels.filter(({ kind }) => kind !== 'concurrency') : []
      if (returned.length > 0) credits.push({ verb: 'credit', count: granted, levels: returned })
    }
    if (credits.length > 0) this.#store.run(credits).catch(() => undefined)
  }

  async #greet(): Promise<void> {
    try {
      const { node, holder } = this.#options
      const heard = await this.#breaker.guard(() => this.#store.greet(node, holder, forgetMs))
      // Who was away, or asks a store that was, may be the first to be heard again.
      this.#fleet = this.#clock.monotonic() < this.#unsureUntil ? largerOf(heard, this.#fleet) : heard
      if (this.#settledAt === Infinity) this.#settledAt = this.#clock.monotonic() + settleMs
    } catch {
      // Others may have forgotten this holder by the time it is back, as the store may have forgotten them.
      this.#settledAt = Infinity
      this.#unsureUntil = this.#clock.monotonic() + forgetMs
    }
  }

  #greetAgain(): void {
    if (this.#isClosed) return
    this.#greeting = this.#clock.after(greetEveryMs, () => {
      void this.#greet().then(() => this.#greetAgain())
    })
  }
}

function largerOf(a: BudgetHolders, b: BudgetHolders): BudgetHolders {
  return { holders: Math.max(a.holders, b.holders), nodes: Math.max(a.nodes, b.nodes) }
}

/** How budgets stand for a request that passed while `after` more were taken behind it. */
function passedAs(reply: BudgetReply, step: FleetStep, after: number): BudgetReply {
  const levels = reply.levels.map((state, i): BudgetState => {
    const remaining = state.remaining + after * step.levels[i].cost
    const { resetAfterMs, delayMs } = state
    return { remaining, retryAfterMs: 0, resetAfterMs, unitAfterMs: remaining > 0 ? 0 : state.unitAfterMs, delayMs }
  })
  return { granted: 1, levels }
}

/** Equal corrections as one. */
function merged(queued: readonly Queued[]): Queued[] {
  const credits = new Map<string, Queued>()
  const all: Queued[] = []
  for (const one of queued) {
    const same = one.verb === 'credit' ? credits.get(one.step.id) : undefined
    if (same !== undefined) {
      same.count += one.count
      same.waiting.push(...one.waiting)
      continue
    }
    all.push(one)
    if (one.verb === 'credit') credits.set(one.step.id, one)
  }
  return all
}
