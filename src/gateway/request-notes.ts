import type { Clock, Timer } from '../core/clock.ts'
import type { Answer } from '../core/answer.ts'
import type { Connection, Exchange } from '../core/exchange.ts'
import { Slot } from '../core/exchange.ts'
import type { Fault } from '../core/fault.ts'
import { H } from '../core/header-names.ts'
import type { Link } from '../core/link.ts'
import type { Outcome, Policy } from '../core/policy.ts'
import { isPass, passHeader } from './explain-pass.ts'
import type { KeptFor, PolicyOutline, RequestRow } from './request-row.ts'
import { outlinesOf, RequestSlot } from './request-row.ts'

/** Topics of the conversation about requests. */
export const requestTopics = {
  /** Main asks all workers for what they keep. */
  ask: 'requests/ask',
  answer: 'requests/answer',
  /** Main says whether somebody watches, and by which keys passes are signed; workers ask for it when they start. */
  state: 'requests/state',
  /** Workers tell what they noted while somebody watches. */
  seen: 'requests/seen',
} as const

/** What main says to workers. */
export interface NotesState {
  readonly isWatched: boolean
  readonly keys: readonly Uint8Array[]
}

export interface NotesQuestion {
  readonly id: number
  /** The id of one request; undefined: all that are kept. */
  readonly request: string | undefined
}

export interface NotesAnswer {
  readonly id: number
  readonly rows: readonly RequestRow[]
}

/** Requests of each of the two kinds that a worker keeps: refused or failed ones, and those by chance. */
const keptOfEach = 256
/** Least time between two that are kept by chance, while nobody watches and while somebody does. */
const sampleEveryMs = 100
const watchedEveryMs = 5
/** While somebody watches, how often what was noted is told, and how much at most. */
const tellEveryMs = 200
const mostTold = 200

/** Exchanges that came with a pass. */
const traced = new Slot<true>()

/** Slots that are written over in turn. */
class Ring {
  readonly slots: readonly RequestSlot[] = Array.from({ length: keptOfEach }, () => new RequestSlot())
  #next = 0

  /** The one that was written longest ago. */
  take(): RequestSlot {
    const slot = this.slots[this.#next]
    this.#next = (this.#next + 1) % keptOfEach
    return slot
  }
}

/** The notes of one listener in one Generation. */
export interface RequestRecorder {
  /**
   * An answer is about to leave; `behind` are the outlines of the policies of its route. Who brought an operator's pass is
   * told the codes of the verdicts, and the request is kept, whatever becomes of it.
   */
  left(x: Exchange, answer: Answer, behind: readonly PolicyOutline[] | undefined): void
  /** A finished exchange. */
  done(x: Exchange, outcome: Outcome, behind: readonly PolicyOutline[] | undefined): void
  /** A message that never became an exchange. */
  refused(id: string, fault: Fault, connection: Connection, status: number): void
}

/**
 * What a worker keeps of its latest requests: all that were refused or failed, those that operators asked for, and of the
 * others one in a while. In two rings, so that a flood of refusals leaves the others. Outlives Generations.
 */
export class RequestNotes {
  readonly #link: Link
  readonly #clock: Clock
  readonly #worker: number
  readonly #refused = new Ring()
  readonly #others = new Ring()
  #noted = 0
  #nextSampleAt = 0
  #sampleEveryMs = sampleEveryMs
  #isWatched = false
  #keys: readonly Uint8Array[] = []
  /** Numbers of what was noted and told already. */
  #told = 0
  #timer: Timer | undefined

  constructor(link: Link, clock: Clock, worker: number) {
    this.#link = link
    this.#clock = clock
    this.#worker = worker
    link.hear(requestTopics.ask, (message) => this.#answer(message as NotesQuestion))
    link.hear(requestTopics.state, (message) => this.#take(message as NotesState))
    link.ask(requestTopics.state, undefined).then(
      (state) => this.#take(state as NotesState),
      () => undefined,
    )
  }

  /** For a listener of a Generation: `before` are the policies before routing, and those of routes are counted from `offset`. */
  recorder(generation: string, before: readonly Policy[], offset: number): RequestRecorder {
    const outlines = outlinesOf(before)
    return {
      left: (x, answer, behind) => {
        const given = x.headers.first(H.explain)
        if (given === undefined || !isPass(given, this.#keys, this.#clock.now())) return
        traced.set(x, true)
        answer.headers.set(passHeader, codesOf(x, outlines, behind, offset))
      },
      done: (x, outcome, behind) => {
        const keptFor = this.#keptFor(x, outcome)
        if (keptFor === undefined) return
        const slot = (keptFor === 'refused' || keptFor === 'failed' ? this.#refused : this.#others).take()
        slot.number = ++this.#noted
        slot.note(x, outcome, keptFor, generation, outlines, behind, offset)
        if (this.#isWatched) this.#tellSoon()
      },
      refused: (id, fault, { listener, remoteAddress }, status) => {
        const slot = this.#refused.take()
        slot.number = ++this.#noted
        slot.noteRefused(id, fault, listener, remoteAddress, status, this.#clock.now(), generation)
        if (this.#isWatched) this.#tellSoon()
      },
    }
  }

  /** A Generation has ended: what was noted is kept on, but holds nothing of it. Some milliseconds at most. */
  settle(): void {
    for (const slot of this.#refused.slots) slot.settle(this.#worker)
    for (const slot of this.#others.slots) slot.settle(this.#worker)
  }

  close(): void {
    this.#timer?.cancel()
  }

  /** Undefined: it is not kept. */
  #keptFor(x: Exchange, { status, endedAt }: Outcome): KeptFor | undefined {
    if (traced.get(x) === true) return 'traced'
    if (x.refusedBy !== undefined) return 'refused'
    if (x.fault !== undefined || status >= 500) return 'failed'
    // Refused before any policy was asked: no route, another method, a path that cannot be read.
    if (status >= 400 && x.route === undefined) return 'refused'
    if (endedAt < this.#nextSampleAt) return undefined
    this.#nextSampleAt = endedAt + this.#sampleEveryMs
    return 'sample'
  }

  #take({ isWatched, keys }: NotesState): void {
    this.#keys = keys
    this.#sampleEveryMs = isWatched ? watchedEveryMs : sampleEveryMs
    if (isWatched && !this.#isWatched) this.#told = this.#noted
    this.#isWatched = isWatched
  }

  #answer({ id, request }: NotesQuestion): void {
    const kept = this.#kept((slot) => request === undefined || slot.id === request)
    this.#link.tell(requestTopics.answer, { id, rows: kept.map((slot) => slot.row(this.#worker)) } satisfies NotesAnswer)
  }

  #tellSoon(): void {
    this.#timer ??= this.#clock.after(tellEveryMs, () => {
      this.#timer = undefined
      const fresh = this.#kept(({ number }) => number > this.#told)
      this.#told = this.#noted
      if (!this.#isWatched) return
      this.#link.tell(
        requestTopics.seen,
        fresh.slice(-mostTold).map((slot) => slot.row(this.#worker)),
      )
    })
  }

  /** In the order in which they were noted. */
  #kept(isWanted: (slot: RequestSlot) => boolean): RequestSlot[] {
    return [...this.#refused.slots, ...this.#others.slots]
      .filter((slot) => slot.number !== 0 && isWanted(slot))
      .sort((a, b) => a.number - b.number)
  }
}

/** The codes of an exchange's verdicts for one header line; the words are in the admin API. */
function codesOf(
  x: Exchange,
  before: readonly PolicyOutline[],
  behind: readonly PolicyOutline[] | undefined,
  offset: number,
): string {
  const words = [`route=${x.route === undefined ? '' : encodeURIComponent(x.route.name)}`]
  for (const [i, verdict] of x.verdicts.entries()) {
    const policy = i < before.length ? before[i] : behind?.[i - offset]
    if (verdict !== undefined && policy !== undefined) words.push(`${policy.name}=${verdict.code}`)
  }
  return words.join('; ')
}
