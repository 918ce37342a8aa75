import type { Clock } from '../core/clock.ts'
import type { Log, LogFields } from '../core/log.ts'
import type { Port, ToMain } from './messages.ts'
import type { LogLevel } from './operational-log.ts'

/** Lines a worker may say in one window; a failure that repeats with every request must not bury main. */
const maxLines = 200
const windowMs = 1000
const levels: readonly LogLevel[] = ['debug', 'info', 'warn', 'error']

/** A worker's operational log: its lines go to main. Past the bound they are counted, and the count is said. */
export class WorkerLog implements Log {
  readonly #port: Port<ToMain>
  readonly #clock: Clock
  readonly #worker: number
  #least = levels.indexOf('info')
  #windowEnd = 0
  #lines = 0

  constructor(port: Port<ToMain>, clock: Clock, worker: number) {
    this.#port = port
    this.#clock = clock
    this.#worker = worker
  }

  /** Lines below this level stay here. */
  setLevel(level: LogLevel): void {
    this.#least = levels.indexOf(level)
  }

  debug(message: string, fields?: LogFields): void {
    this.#say('debug', message, fields)
  }

  info(message: string, fields?: LogFields): void {
    this.#say('info', message, fields)
  }

  warn(message: string, fields?: LogFields): void {
    this.#say('warn', message, fields)
  }

  error(message: string, fields?: LogFields): void {
    this.#say('error', message, fields)
  }

  #say(level: LogLevel, message: string, fields: LogFields = {}): void {
    if (levels.indexOf(level) < this.#least) return
    const now = this.#clock.monotonic()
    if (now >= this.#windowEnd) {
      const suppressed = this.#lines - maxLines
      this.#windowEnd = now + windowMs
      this.#lines = 0
      if (suppressed > 0) this.#post('warn', 'log lines were suppressed', { lines: suppressed })
    }
    if (this.#lines++ < maxLines) this.#post(level, message, fields)
  }

  #post(level: LogLevel, message: string, fields: LogFields): void {
    try {
      this.#port.post({ kind: 'log', level, message, fields: { ...plainFields(fields), worker: this.#worker } })
    } catch {
      // Something in the fields cannot be cloned; the message can.
      this.#port.post({ kind: 'log', level, message, fields: { worker: this.#worker } })
    }
  }
}

/** Errors lose their class between threads; their words and stack are what the log prints. */
function plainFields(fields: LogFields): LogFields {
  const plain: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(fields)) plain[name] = value instanceof Error ? plainError(value) : value
  return plain
}

function plainError(error: Error): Record<string, unknown> {
  const cause = error.cause instanceof Error ? plainError(error.cause) : undefined
  return { type: error.name, message: error.message, stack: error.stack, ...(cause === undefined ? {} : { cause }) }
}
