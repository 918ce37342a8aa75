import type { Finding } from '../config/finding.ts'
import type { LoadResult } from '../config/load.ts'
import type { Clock } from '../core/clock.ts'
import type { Log } from '../core/log.ts'
import type { Count } from '../core/meter.ts'
import type { Gateway } from './gateway.ts'
import { waitingForStart } from './next-start.ts'

/** How the latest attempt to load the configuration ended. */
export interface ReloadOutcome {
  /** Milliseconds since 1970. */
  readonly at: number
  readonly isCommitted: boolean
  /** Absolute path of the configuration. */
  readonly file: string
  readonly findings: readonly Finding[]
  /** Why a configuration that was checked could still not be served. */
  readonly failure: string | undefined
}

export interface ReloaderOptions {
  readonly gateway: Gateway
  readonly load: () => Promise<LoadResult>
  /** What the gateway was started with. */
  readonly first: LoadResult
  readonly clock: Clock
  readonly log: Log
  /** The level of the log may change with the configuration. */
  readonly committed?: () => void
}

/**
 * Loads the configuration again and has it served. Whatever fails leaves all as it was and is kept to be shown.
 * Requests that arrive during a reload share the next one, which sees the files as they are then.
 */
export class Reloader {
  readonly #options: ReloaderOptions
  readonly #committed: Count
  readonly #failed: Count
  #last: ReloadOutcome
  #running: Promise<ReloadOutcome> | undefined
  #next: Promise<ReloadOutcome> | undefined

  constructor(options: ReloaderOptions) {
    const { gateway, first, clock } = options
    this.#options = options
    const counter = (result: string): Count =>
      gateway.meter.counter('velum_reloads_total', 'Attempts to change the configuration.', { result })
    this.#committed = counter('committed')
    this.#failed = counter('failed')
    this.#last = { at: clock.now(), isCommitted: true, file: first.file, findings: first.findings, failure: undefined }
  }

  get last(): ReloadOutcome {
    return this.#last
  }

  /** Never rejects. */
  reload(): Promise<ReloadOutcome> {
    if (this.#running === undefined) return this.#run()
    this.#next ??= this.#running.then(() => this.#run())
    return this.#next
  }

  #run(): Promise<ReloadOutcome> {
    this.#next = undefined
    this.#running = this.#attempt().finally(() => {
      this.#running = undefined
    })
    return this.#running
  }

  async #attempt(): Promise<ReloadOutcome> {
    const { gateway, first, clock, log, load, committed } = this.#options
    let file = this.#last.file
    let findings: readonly Finding[] = []
    let waiting: readonly Finding[] = []
    let failure: string | undefined
    let isCommitted = false
    try {
      const loaded = await load()
      ;({ file, findings } = loaded)
      if (loaded.model !== undefined) {
        await gateway.replace(loaded.model)
        isCommitted = true
        if (first.model !== undefined) waiting = waitingForStart(first.model, loaded.model, file)
      }
    } catch (thrown) {
      failure = thrown instanceof Error ? thrown.message : String(thrown)
    }
    this.#last = { at: clock.now(), isCommitted, file, findings: [...findings, ...waiting], failure }
    if (isCommitted) {
      this.#committed.add()
      log.info('the configuration was replaced', { file, generation: gateway.generation.number, hash: gateway.generation.hash })
      for (const { path, message, remedy } of waiting) log.warn(message, { path, remedy })
      committed?.()
    } else {
      this.#failed.add()
      log.error('the configuration was not replaced; the one before goes on', { file, failure, findings })
    }
    return this.#last
  }
}
