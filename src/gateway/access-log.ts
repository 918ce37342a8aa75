import type { Clock, Timer } from '../core/clock.ts'
import type { Exchange } from '../core/exchange.ts'
import type { Count, Meter } from '../core/meter.ts'
import type { Outcome } from '../core/policy.ts'
import { accessLine, accessTail } from './access-line.ts'
import type { Port, ToMain } from './messages.ts'
import type { AccessLog } from './observe.ts'

/** Characters after which a batch is handed over without waiting for more. */
const batchLength = 32 * 1024
/** Longest time a line waits in its worker. */
const batchMs = 100
/** Bytes of a worker's lines that main has not written yet; past it lines are dropped and counted. */
const maxUnwrittenBytes = 8 * 1024 * 1024

export interface LineSenderOptions {
  readonly port: Port<ToMain>
  readonly clock: Clock
  readonly meter: Meter
}

/**
 * A worker's lines on their way to main, which alone writes them. Adding a line is appending a string; main is told
 * in batches, and says what it has written. When it falls behind, lines are dropped and counted: nothing ever waits.
 */
export class LineSender {
  readonly #port: Port<ToMain>
  readonly #clock: Clock
  readonly #dropped: Count
  #text = ''
  #lines = 0
  #unwritten = 0
  #timer: Timer | undefined
  readonly #flush = (): void => this.flush()

  constructor(options: LineSenderOptions) {
    this.#port = options.port
    this.#clock = options.clock
    this.#dropped = droppedLines(options.meter)
  }

  add(line: string): void {
    this.#text += line
    this.#lines++
    if (this.#text.length >= batchLength) this.flush()
    else this.#timer ??= this.#clock.after(batchMs, this.#flush)
  }

  /** Hands over what there is. */
  flush(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    if (this.#lines === 0) return
    const text = this.#text
    const length = Buffer.byteLength(text)
    if (this.#unwritten + length > maxUnwrittenBytes) {
      this.#dropped.add(this.#lines)
    } else {
      // Its own memory, not a piece of Buffer's pool: it is given away whole.
      const bytes = Buffer.allocUnsafeSlow(length)
      bytes.write(text)
      this.#unwritten += length
      this.#port.post({ kind: 'lines', bytes }, [bytes.buffer])
    }
    this.#text = ''
    this.#lines = 0
  }

  /** Main has written (or given up) this many bytes. */
  written(bytes: number): void {
    this.#unwritten -= bytes
  }
}

/** Lines that were lost on the way to the log, because it was slower than the traffic or could not be written. */
export function droppedLines(meter: Meter): Count {
  return meter.counter('velum_log_dropped_total', 'Log lines that were lost because the log could not be written in time.')
}

/** The access log of one Generation on one worker. */
export function createAccessLog(lines: LineSender, generation: string, worker: number): AccessLog {
  const tail = accessTail(generation, worker)
  return { write: (x: Exchange, outcome: Outcome) => lines.add(accessLine(x, outcome, tail)) }
}

/** For `log: { format: 'none' }`. */
export const noAccessLog: AccessLog = { write() {} }
