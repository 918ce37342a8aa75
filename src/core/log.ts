/** Plain data that goes with a log line. Secrets never stand here; the sink redacts known names all the same. */
export type LogFields = Readonly<Record<string, unknown>>

/** The operational log (not the access log). Never blocks and never throws. */
export interface Log {
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
}

/** Says nothing; for tests and for parts built only to be checked. */
export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} }
