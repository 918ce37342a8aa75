import type { Clock, Timer } from '../core/clock.ts'
import type { Connection, Exchange } from '../core/exchange.ts'
import type { Fault } from '../core/fault.ts'
import type { Count, Meter } from '../core/meter.ts'
import type { Outcome } from '../core/policy.ts'
import type { Port, ToMain } from './messages.ts'
import type { AccessLog } from './observe.ts'

/** Characters after which a batch is handed over without waiting for more: a message costs as much as fifty lines. */
const batchLength = 128 * 1024
/** Longest time a line waits in its worker. */
const batchMs = 100
const bufferBytes = 256 * 1024
/** Buffers that main may hold; when it has them all, lines are dropped. */
const maxBuffers = 32
/** Buffers kept for the next batches. */
const maxFree = 4

export interface LineSenderOptions {
  readonly port: Port<ToMain>
  readonly clock: Clock
  readonly meter: Meter
}

/**
 * A worker's lines on their way to main, which alone writes them. Adding a line is appending a string; main gets them in
 * batches, in buffers that it gives back. When it falls behind, lines are dropped and counted: nothing ever waits.
 */
export class LineSender {
  readonly #port: Port<ToMain>
  readonly #clock: Clock
  readonly #dropped: Count
  readonly #encoder = new TextEncoder()
  readonly #free: ArrayBuffer[] = []
  #buffers = 0
  #text = ''
  #lines = 0
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
    const buffer = this.#free.pop() ?? this.#newBuffer()
    if (buffer === undefined) {
      this.#dropped.add(this.#lines)
      this.#text = ''
      this.#lines = 0
      return
    }
    const text = this.#text
    const { read, written } = this.#encoder.encodeInto(text, new Uint8Array(buffer))
    this.#port.post({ kind: 'lines', buffer, length: written }, [buffer])
    this.#text = ''
    if (read === text.length) this.#lines = 0
    else this.#flushRest(text.slice(read))
  }

  /** Main has written (or given up) what was in this buffer. */
  takeBack(buffer: ArrayBuffer): void {
    if (this.#free.length < maxFree) this.#free.push(buffer)
    else this.#buffers--
  }

  #newBuffer(): ArrayBuffer | undefined {
    if (this.#buffers >= maxBuffers) return undefined
    this.#buffers++
    return new ArrayBuffer(bufferBytes)
  }

  /** Text beyond ASCII may need more bytes than a buffer has. */
  #flushRest(rest: string): void {
    this.#text = rest
    this.#lines = 0
    for (let at = rest.indexOf('\n'); at !== -1; at = rest.indexOf('\n', at + 1)) this.#lines++
    this.flush()
  }
}

/** Lines that were lost on the way to the log, because it was slower than the traffic or could not be written. */
export function droppedLines(meter: Meter): Count {
  return meter.counter('velum_log_dropped_total', 'Log lines that were lost because the log could not be written in time.')
}

/** What lines look like; each ends with a newline and holds no other. */
export interface AccessTexts {
  /** One finished exchange. */
  line(x: Exchange, outcome: Outcome): string
  /** A message that was answered and closed before it became an exchange. */
  refused(id: string, fault: Fault, connection: Connection, status: number, now: number): string
}

/** The access log of one Generation on one worker. */
export function createAccessLog(lines: LineSender, clock: Clock, texts: AccessTexts): AccessLog {
  return {
    write: (x, outcome) => lines.add(texts.line(x, outcome)),
    refused: (id, fault, connection, status) => lines.add(texts.refused(id, fault, connection, status, clock.now())),
  }
}

/** For `log: { format: 'none' }`. */
export const noAccessLog: AccessLog = { write() {}, refused() {} }
