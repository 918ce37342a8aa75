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

/** What a worker tells of its requests while somebody watches. */
export interface NotesSeen {
  /** In the order in which they ended. */
  readonly rows: readonly RequestRow[]
  /** Others that ended meanwhile, of whatever kind. */
  readonly missed: number
}

/** Requests of each of the two kinds that a worker keeps: refused or failed ones, and those by chance. */
const keptOfEach = 256
/** Time between two that are kept by chance, while nobody watches and while somebody does, in the mean. */
const sampleEveryMs = 100
const watchedEveryMs = 40
/** While somebody watches, how many follow each other at once: where there are few, all of them are seen. */
const watchedBurst = 20
/** While somebody watches, how often what was noted is told, and how much at most: eyes follow no more, and each costs some 50 µs. */
const tellEveryMs = 500
const mostTold = 32
/** Of these, places of others than refused and failed ones. */
const leastOthers = 8

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
  /** By how much one that is kept by chance may come before its time. */
  #earlyMs = 0
  #isWatched = false
  #keys: readonly Uint8Array[] = []
  /** Numbers of what was noted and told already. */
  #told = 0
  /** Requests that ended, and how many of them had when it was told last. */
  #ended = 0
  #endedBefore = 0
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
        this.#ended++
        const keptFor = this.#keptFor(x, outcome)
        if (keptFor === undefined) return
        const slot = (keptFor === 'refused' || keptFor === 'failed' ? this.#refused : this.#others).take()
        slot.number = ++this.#noted
        slot.note(x, outcome, keptFor, generation, outlines, behind, offset)
        if (this.#isWatched) this.#tellSoon()
      },
      refused: (id, fault, { listener, remoteAddress }, status) => {
        this.#ended++
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
    if (endedAt < this.#nextSampleAt - this.#earlyMs) return undefined
    this.#nextSampleAt = Math.max(endedAt, this.#nextSampleAt) + this.#sampleEveryMs
    return 'sample'
  }

  #take({ isWatched, keys }: NotesState): void {
    this.#keys = keys
    this.#sampleEveryMs = isWatched ? watchedEveryMs : sampleEveryMs
    this.#earlyMs = isWatched ? watchedEveryMs * (watchedBurst - 1) : 0
    if (isWatched && !this.#isWatched) {
      this.#told = this.#noted
      this.#endedBefore = this.#ended
      this.#nextSampleAt = 0
    }
    this.#isWatched = isWatched
  }

  #answer({ id, request }: NotesQuestion): void {
    const kept = this.#kept((slot) => request === undefined || slot.id === request)
    this.#link.tell(requestTopics.answer, { id, rows: kept.map((slot) => slot.row(this.#worker)) } satisfies NotesAnswer)
  }

  #tellSoon(): void {
    this.#timer ??= this.#clock.after(tellEveryMs, () => {
      this.#timer = undefined
      const fresh = this.#isWatched ? this.#fresh() : []
      const missed = this.#ended - this.#endedBefore - fresh.length
      this.#told = this.#noted
      this.#endedBefore = this.#ended
      if (!this.#isWatched) return
      const rows = fresh.map((slot) => slot.row(this.#worker))
      this.#link.tell(requestTopics.seen, { rows, missed } satisfies NotesSeen)
    })
  }

  /** What is told of those that were not yet: the latest of each kind, refused and failed ones first. */
  #fresh(): RequestSlot[] {
    const isFresh = ({ number }: RequestSlot): boolean => number > this.#told
    const others = this.#others.slots.filter(isFresh).sort(byNumber)
    const refused = this.#refused.slots.filter(isFresh).sort(byNumber)
    const first = refused.slice(-(mostTold - Math.min(others.length, leastOthers)))
    return [...first, ...others.slice(-(mostTold - first.length))].sort(byNumber)
  }

  /** In the order in which they were noted. */
  #kept(isWanted: (slot: RequestSlot) => boolean): RequestSlot[] {
    return [...this.#refused.slots, ...this.#others.slots].filter((slot) => slot.number !== 0 && isWanted(slot)).sort(byNumber)
  }
}

/** In the order in which they were noted. */
function byNumber(a: RequestSlot, b: RequestSlot): number {
  return a.number - b.number
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
