import type { GatewayModel } from '../config/model.ts'
import type { Clock } from '../core/clock.ts'
import type { Log } from '../core/log.ts'
import type { Count, Meter } from '../core/meter.ts'
import { droppedLines } from './access-log.ts'
import { EnvironmentFault } from './environment-fault.ts'
import { LogFile } from './log-file.ts'

/** Longest wait for the last lines when the gateway ends; a reader that has stalled must not keep it alive. */
const lastLinesMs = 2000

/** Where the workers' access lines are written; the file may change with the configuration. */
export class AccessSink {
  readonly #clock: Clock
  readonly #log: Log
  readonly #dropped: Count
  #file: LogFile | undefined

  constructor(clock: Clock, log: Log, meter: Meter) {
    this.#clock = clock
    this.#log = log
    this.#dropped = droppedLines(meter)
  }

  write(bytes: Uint8Array, settled: () => void): void {
    if (this.#file === undefined) settled()
    else this.#file.write(bytes, settled)
  }

  /** Opens what a configuration names; one and the same path is opened anew, for files that were moved away. */
  prepare(log: GatewayModel['log']): { commit(): void; discard(): void } {
    const before = this.#file
    if (log.format !== 'none' && log.file === before?.file) return opening(() => before.reopening())
    const next = log.format === 'none' ? undefined : this.#open(log.file)
    return {
      commit: () => {
        this.#file = next
        if (before !== undefined) void before.flushed().then(() => before.close())
      },
      discard: () => next?.close(),
    }
  }

  async close(): Promise<void> {
    const file = this.#file
    this.#file = undefined
    if (file === undefined) return
    await Promise.race([file.flushed(), new Promise<void>((resolve) => void this.#clock.after(lastLinesMs, resolve))])
    file.close()
  }

  #open(file: string): LogFile {
    return opening(
      () =>
        new LogFile({
          file,
          clock: this.#clock,
          dropped: (lines) => this.#dropped.add(lines),
          failed: (error) => this.#log.error('the access log cannot be written', { file, error }),
        }),
    )
  }
}

function opening<T>(open: () => T): T {
  try {
    return open()
  } catch (thrown) {
    throw new EnvironmentFault(`the access log cannot be opened: ${(thrown as Error).message}`, { cause: thrown })
  }
}
