import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '../core/clock.ts'
import type { Closable } from '../core/lasting.ts'
import type { Hub } from '../core/link.ts'
import type { Log } from '../core/log.ts'
import type { Meter } from '../core/meter.ts'
import type { LimitKeys } from '../limits/key-board.ts'
import { createKeyBoard } from '../limits/key-board.ts'
import type { KeyBoard } from '../limits/key-board.ts'
import type { LimitSpec } from '../limits/limit-spec.ts'
import { allocateLimitTable } from '../limits/limit-table.ts'
import type { QuotaSnapshot } from '../limits/quota-snapshot.ts'
import { parseQuotaSnapshot, saveQuotas } from '../limits/quota-snapshot.ts'
import { releaseWorker } from '../limits/release-worker.ts'
import { allocateRests, releaseRests } from '../limits/rest-board.ts'
import { defaultMaxKeys } from '../limits/table-memory.ts'
import { createTableWatch } from '../limits/table-watch.ts'

export interface NodeLimitsOptions {
  /** Worker numbers that may ever be in use. */
  readonly workers: number
  /** Where the node keeps what outlives it. */
  readonly folder: string
  /** The limits being served now. */
  readonly specs: () => readonly LimitSpec[]
  readonly hub: Hub
  readonly clock: Clock
  readonly log: Log
  readonly meter: Meter
}

/** How much of a calendar quota a crash can give back: what was used since the last save. */
const saveEveryMs = 10_000
/** Addresses whose connections are counted at one time; some MiB that are touched only as addresses come. */
const edgeAddresses = 65_536

/**
 * Main's part of limits: the memory that all workers share, what is known of its keys, and the calendar quotas, which
 * outlive the process in `quotas.json` beside the store.
 */
export class NodeLimits implements Closable {
  readonly memory: SharedArrayBuffer
  /** The same for connections by address. */
  readonly edges: SharedArrayBuffer
  /** What workers found of services with adaptive concurrency. */
  readonly rests: SharedArrayBuffer
  readonly #options: NodeLimitsOptions
  readonly #file: string
  readonly #board: KeyBoard
  readonly #watch: Closable
  #saved = ''
  #isClosed = false

  constructor(options: NodeLimitsOptions) {
    const { workers, folder, hub, clock, log, meter } = options
    this.#options = options
    this.#file = join(folder, 'quotas.json')
    this.memory = allocateLimitTable({ maxKeys: defaultMaxKeys, workers }, clock, this.#read())
    this.edges = allocateLimitTable({ maxKeys: edgeAddresses, maxHeld: edgeAddresses, workers }, clock)
    this.rests = allocateRests(workers)
    this.#board = createKeyBoard(hub, clock)
    this.#watch = createTableWatch(this.memory, { clock, log, meter })
    clock.after(saveEveryMs, this.#saveAgain)
  }

  /** The busiest and the refused keys of a limit. */
  keys(limit: string): LimitKeys {
    return this.#board.keys(limit)
  }

  /** Frees what a worker that is gone had locked or held, its connections included. */
  release(worker: number): void {
    releaseWorker(this.memory, worker)
    releaseWorker(this.edges, worker)
    releaseRests(this.rests, worker)
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#save()
    this.#watch.close()
    this.#board.close()
  }

  readonly #saveAgain = (): void => {
    if (this.#isClosed) return
    this.#save()
    this.#options.clock.after(saveEveryMs, this.#saveAgain)
  }

  #save(): void {
    const quotas = this.#options.specs().filter(({ algorithm }) => algorithm === 'quota')
    if (quotas.length === 0) return
    try {
      const text = JSON.stringify(saveQuotas(this.memory, quotas))
      if (text === this.#saved) return
      // Whole or not at all: a crash in the middle leaves the file of before.
      const draft = `${this.#file}.new`
      writeFileSync(draft, text, { mode: 0o600 })
      renameSync(draft, this.#file)
      this.#saved = text
    } catch (error) {
      this.#options.log.warn('what is used of quotas could not be saved; a restart would forget it', { file: this.#file, error })
    }
  }

  #read(): QuotaSnapshot | undefined {
    let text: string
    try {
      text = readFileSync(this.#file, 'utf8')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
        this.#options.log.warn('what was used of quotas cannot be read; they start whole', { file: this.#file, error })
      }
      return undefined
    }
    try {
      return parseQuotaSnapshot(JSON.parse(text))
    } catch (error) {
      this.#options.log.warn('what was used of quotas cannot be understood; they start whole', { file: this.#file, error })
      return undefined
    }
  }
}
