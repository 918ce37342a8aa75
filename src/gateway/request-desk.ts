import type { Clock } from '../core/clock.ts'
import type { Hub } from '../core/link.ts'
import { longestPassMs, signPass } from './explain-pass.ts'
import type { NotesAnswer, NotesQuestion, NotesSeen, NotesState } from './request-notes.ts'
import { requestTopics } from './request-notes.ts'
import type { RequestRow } from './request-row.ts'

/** How long workers are waited for that hang. */
const withinMs = 1000

interface Collecting {
  readonly rows: RequestRow[]
  missing: number
  done(): void
}

export interface RequestDeskOptions {
  readonly clock: Clock
  /** How many workers can answer. */
  readonly workers: () => number
  /** By which passes are signed (the first) and believed. */
  readonly keys: readonly Uint8Array[]
}

/** Main's view of the requests that workers keep: the latest, one by its id, and what comes while somebody watches. */
export class RequestDesk {
  readonly #hub: Hub
  readonly #options: RequestDeskOptions
  readonly #collecting = new Map<number, Collecting>()
  readonly #watchers = new Set<(seen: NotesSeen) => void>()
  #lastId = 0

  constructor(hub: Hub, options: RequestDeskOptions) {
    this.#hub = hub
    this.#options = options
    hub.answer(requestTopics.state, () => this.#state())
    hub.hear(requestTopics.seen, (seen) => {
      for (const watcher of this.#watchers) watcher(seen as NotesSeen)
    })
    hub.hear(requestTopics.answer, (message) => {
      const { id, rows } = message as NotesAnswer
      const collecting = this.#collecting.get(id)
      if (collecting === undefined) return
      collecting.rows.push(...rows)
      if (--collecting.missing === 0) collecting.done()
    })
  }

  /** What is kept, the latest first. */
  async list(): Promise<RequestRow[]> {
    const rows = await this.#collect(undefined)
    return rows.sort((a, b) => b.at - a.at)
  }

  /** The request of that id, if it is kept. */
  async find(id: string): Promise<RequestRow | undefined> {
    return (await this.#collect(id))[0]
  }

  /**
   * Calls `watcher` with what ends from now on: some 60 requests a second of each worker at most, refused and failed ones
   * first, and how many there were besides. Returns how to stop.
   */
  watch(watcher: (seen: NotesSeen) => void): () => void {
    this.#watchers.add(watcher)
    if (this.#watchers.size === 1) this.#tell()
    return () => {
      if (this.#watchers.delete(watcher) && this.#watchers.size === 0) this.#tell()
    }
  }

  /** A pass for the header `x-velum-explain`, good for so long and an hour at most. */
  sign(forMs: number): { readonly pass: string; readonly until: number } {
    const until = this.#options.clock.now() + Math.min(forMs, longestPassMs)
    return { pass: signPass(until, this.#options.keys[0]), until }
  }

  #state(): NotesState {
    return { isWatched: this.#watchers.size > 0, keys: this.#options.keys }
  }

  #tell(): void {
    this.#hub.tellAll(requestTopics.state, this.#state())
  }

  #collect(request: string | undefined): Promise<RequestRow[]> {
    const missing = this.#options.workers()
    if (missing === 0) return Promise.resolve([])
    const id = ++this.#lastId
    return new Promise((resolve) => {
      const rows: RequestRow[] = []
      const done = (): void => {
        timer.cancel()
        this.#collecting.delete(id)
        resolve(rows)
      }
      const timer = this.#options.clock.after(withinMs, done)
      this.#collecting.set(id, { rows, missing, done })
      this.#hub.tellAll(requestTopics.ask, { id, request } satisfies NotesQuestion)
    })
  }
}
