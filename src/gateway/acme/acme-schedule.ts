const minuteMs = 60_000
const longestMs = 6 * 3_600_000

/**
 * How long to wait after so many failures in a row: 1, 10, 20, 40 minutes … 6 hours, and up to a tenth more by `random`
 * (0 to 1). That is four attempts in the first hour, where public authorities bear five failures an hour.
 */
export function backOffMs(failures: number, random: number): number {
  const ms = failures <= 1 ? minuteMs : Math.min(longestMs, 10 * minuteMs * 2 ** Math.min(failures - 2, 20))
  return Math.round(ms * (1 + random / 10))
}

/**
 * When to renew a certificate that was issued at `now`: after two thirds of its life, and up to a twentieth of it earlier by
 * `random` (0 to 1). Never within six hours, or half of a shorter life: a clock that is wrong must not order without end.
 */
export function renewalAt(life: { readonly validFrom: number; readonly expiresAt: number }, now: number, random: number): number {
  const lifeMs = life.expiresAt - life.validFrom
  const dueAt = life.validFrom + (lifeMs * 2) / 3 - (lifeMs / 20) * random
  return Math.round(Math.max(dueAt, now + Math.min(longestMs, lifeMs / 2)))
}
