import { parseHttpDate } from './http-date.ts'

/**
 * How many milliseconds from `now` (since 1970) on a `Retry-After` asks to wait: seconds, or until a date (RFC 9110
 * §10.2.3). 0 without one, for nonsense, and for what is past. Not bounded: whoever waits knows how long he may.
 */
export function parseRetryAfter(value: string | undefined, now: number): number {
  if (value === undefined) return 0
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : (parseHttpDate(value, now) ?? now) - now
  return ms > 0 ? ms : 0
}
