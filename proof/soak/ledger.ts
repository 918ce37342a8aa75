/** How often a request must have arrived by the time its answer is whole. */
export type Arrival = 'once' | 'never' | 'at-most-once' | 'once-or-more'

/** So much may lie between what the gateway says of its store and the answer of a request, on a busy machine. */
const nearMs = 3000

/** The number in an id: later ones have higher numbers. */
export function numberOf(id: string): number {
  return Number(id.slice(id.lastIndexOf('.') + 1))
}

/** What became of one activity's requests. */
export interface Tally {
  sent: number
  /** Ended as they had to. */
  good: number
  /** Of these, refused as the configuration demands. */
  refused: number
  /** Bytes of answers and messages that were compared. */
  bytes: number
  /** Messages of streams and sockets, in order. */
  messages: number
  /** Arrivals beyond the first where further tries are allowed. */
  retries: number
}

interface Entry {
  readonly activity: string
  arrivals: number
}

/**
 * Both ends of every request: clients begin ids and settle them, services report arrivals. An id that was settled is
 * remembered for one to two rotations, so that a second arrival that comes late is seen too; then it is forgotten, so
 * that the ledger stays small however long it is kept.
 */
export class Ledger {
  readonly tallies = new Map<string, Tally>()
  /** What must not happen, by its words, with the count. */
  readonly wrong = new Map<string, number>()
  /** Every so many arrivals that nobody had sent. */
  strangers = 0
  lost = 0
  doubled = 0
  #next = 0
  #unavailable: { readonly words: string; readonly at: number }[] = []
  readonly #open = new Map<string, Entry>()
  #settled = new Map<string, Entry & { readonly mayRepeat: boolean }>()
  #older = new Map<string, Entry & { readonly mayRepeat: boolean }>()

  tally(activity: string): Tally {
    let tally = this.tallies.get(activity)
    if (tally === undefined)
      this.tallies.set(activity, (tally = { sent: 0, good: 0, refused: 0, bytes: 0, messages: 0, retries: 0 }))
    return tally
  }

  begin(activity: string): string {
    const id = `${activity}.${++this.#next}`
    this.#open.set(id, { activity, arrivals: 0 })
    this.tally(activity).sent++
    return id
  }

  /** A service has seen it; gives how often, this time included. */
  arrived(id: string): number {
    const open = this.#open.get(id)
    if (open !== undefined) return ++open.arrivals
    const settled = this.#settled.get(id) ?? this.#older.get(id)
    if (settled === undefined) {
      this.strangers++
      return 1
    }
    settled.arrivals++
    if (!settled.mayRepeat && settled.arrivals > 1) {
      this.doubled++
      this.note(`${settled.activity}: arrived once more after its answer`)
    }
    return settled.arrivals
  }

  /** Its answer is whole, or will never be: compares the arrivals. */
  settle(id: string, arrival: Arrival): void {
    const entry = this.#open.get(id)
    if (entry === undefined) throw new Error(`${id} is not open`)
    this.#open.delete(id)
    const { activity, arrivals } = entry
    const mayRepeat = arrival === 'once-or-more'
    this.#settled.set(id, { activity, arrivals, mayRepeat })
    if (arrivals === 0 && (arrival === 'once' || arrival === 'once-or-more')) {
      this.lost++
      this.note(`${activity}: answered but never arrived`)
    }
    if (arrivals > 1 && !mayRepeat) {
      this.doubled++
      this.note(`${activity}: arrived ${arrivals} times`)
    }
    if (arrivals > 0 && arrival === 'never') this.note(`${activity}: refused, and arrived nevertheless`)
    if (mayRepeat && arrivals > 1) this.tally(activity).retries += arrivals - 1
  }

  /** Something that must not happen did, so many times. */
  note(words: string, times = 1): void {
    this.wrong.set(words, (this.wrong.get(words) ?? 0) + times)
  }

  /** Something was answered by 503, as it has to be while the store does not answer; `judgeUnavailable` finds out. */
  unavailable(words: string): void {
    this.#unavailable.push({ words, at: performance.now() })
  }

  /**
   * Of what was answered by 503: how much is due to the store, which was away when `storeEvents` say so (its going and
   * coming, by `performance.now()`). The rest is noted as wrong.
   */
  judgeUnavailable(storeEvents: readonly number[]): number {
    const rest = this.#unavailable.filter(({ at }) => !storeEvents.some((event) => Math.abs(event - at) < nearMs))
    for (const { words } of rest) this.note(words)
    const due = this.#unavailable.length - rest.length
    this.#unavailable = []
    return due
  }

  /** The number of the latest id. */
  get begun(): number {
    return this.#next
  }

  /** Ids that were begun and not settled. */
  get open(): number {
    return this.#open.size
  }

  openIds(): string[] {
    return [...this.#open.keys()]
  }

  rotate(): void {
    this.#older = this.#settled
    this.#settled = new Map()
  }
}
