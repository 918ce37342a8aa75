import { pino, stdSerializers } from 'pino'
import type { Log } from '../core/log.ts'
import type { LogFile } from './log-file.ts'
import { redacted, redactedFields } from './redact.ts'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

/** The operational log of the node: pino's JSON lines, secrets redacted, to a file that never blocks. */
export class OperationalLog implements Log {
  readonly #pino: pino.Logger

  /** `gateway`, its name, stands in every line: several gateways may write to one stream. */
  constructor(file: Pick<LogFile, 'write'>, level: LogLevel, gateway?: string) {
    this.#pino = pino(
      {
        level,
        base: { pid: process.pid, ...(gateway === undefined ? {} : { gateway }) },
        serializers: { error: stdSerializers.err },
        redact: { paths: [...redactedFields], censor: redacted },
      },
      { write: (line: string) => file.write(Buffer.from(line)) },
    )
  }

  /** Takes effect with the next line; a reload may change it. */
  setLevel(level: LogLevel): void {
    this.#pino.level = level
  }

  debug(message: string, fields: Readonly<Record<string, unknown>> = {}): void {
    this.#pino.debug(fields, message)
  }

  info(message: string, fields: Readonly<Record<string, unknown>> = {}): void {
    this.#pino.info(fields, message)
  }

  warn(message: string, fields: Readonly<Record<string, unknown>> = {}): void {
    this.#pino.warn(fields, message)
  }

  error(message: string, fields: Readonly<Record<string, unknown>> = {}): void {
    this.#pino.error(fields, message)
  }
}
