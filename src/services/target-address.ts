import type { TargetSpec } from './service-spec.ts'

/** `host:port`, for log and tables, and the name of a target within its service. */
export function addressOf({ host, port }: TargetSpec): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
