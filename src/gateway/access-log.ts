import type { Clock, Timer } from '../core/clock.ts'
import type { Connection, Exchange } from '../core/exchange.ts'
import type { Fault } from '../core/fault.ts'
import type { Count, Meter } from '../core/meter.ts'
import type { Outcome } from '../core/policy.ts'
import type { Port, ToMain } from './messages.ts'
import type { AccessLog } from './observe.ts'

/** Characters of which bytes are made at a time, while their pieces are young. */
const pieceLength = 32 * 1024
/**
 * Bytes that are handed over without waiting for more: a message wakes main, a thread of its pool and this one, which costs as
 * much as hundreds of lines.
 */
const batchBytes = 512 * 1024
/** Longest time a line waits in its worker. */
const batchMs = 100
/** Room for a batch and one piece more, whose characters may need three bytes. */
const bufferBytes = 640 * 1024
/** Buffers that main may hold; when it has them all, lines are dropped. */
const maxBuffers = 16
/** Buffers kept for the next batches. */
const maxFree = 2

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
  /** What comes next is written into it; undefined: nothing waits in one. */
  #buffer: ArrayBuffer | undefined
  #used = 0
  #timer: Timer | undefined
  readonly #whenDue = (): void => this.#due()

  constructor(options: LineSenderOptions) {
    this.#port = options.port
    this.#clock = options.clock
    this.#dropped = droppedLines(options.meter)
  }

  add(line: string): void {
    this.#text += line
    if (this.#text.length >= pieceLength) this.#encode()
    this.#timer ??= this.#clock.after(batchMs, this.#whenDue)
  }

  /** Hands over what there is. */
  flush(): void {
    if (this.#text !== '') this.#encode()
    this.#post()
  }

  /** Main has written (or given up) what was in this buffer. */
  takeBack(buffer: ArrayBuffer): void {
    if (this.#free.length < maxFree) this.#free.push(buffer)
    else this.#buffers--
  }

  /** A line has waited long enough; not while main is behind, or a few lines in each of all buffers would fill it up. */
  #due(): void {
    const withMain = this.#buffers - this.#free.length - (this.#buffer === undefined ? 0 : 1)
    if (withMain <= maxBuffers / 2) return this.flush()
    this.#timer = this.#clock.after(batchMs, this.#whenDue)
    return undefined
  }

  #encode(): void {
    while (this.#text !== '') {
      const buffer = (this.#buffer ??= this.#free.pop() ?? this.#newBuffer())
      if (buffer === undefined) {
        this.#dropped.add(linesIn(this.#text))
        this.#text = ''
        return
      }
      const { read, written } = this.#encoder.encodeInto(this.#text, new Uint8Array(buffer, this.#used))
      this.#used += written
      this.#text = read === this.#text.length ? '' : this.#text.slice(read)
      if (this.#used >= batchBytes || this.#text !== '') this.#post()
    }
  }

  #post(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    const buffer = this.#buffer
    if (buffer === undefined) return
    this.#port.post({ kind: 'lines', buffer, length: this.#used }, [buffer])
    this.#buffer = undefined
    this.#used = 0
  }

  #newBuffer(): ArrayBuffer | undefined {
    if (this.#buffers >= maxBuffers) return undefined
    this.#buffers++
    return new ArrayBuffer(bufferBytes)
  }
}

function linesIn(text: string): number {
  let lines = 0
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) lines++
  return lines
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
